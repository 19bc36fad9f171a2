import uvicorn


@app.get("/health")
def health():
    return {}


uvicorn.run(app, port=8000)
