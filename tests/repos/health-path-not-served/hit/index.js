app.get('/healthz', ok);
app.listen(3000);
