router.get('/health', ok); app.use('/api', router);
app.listen(3000);
