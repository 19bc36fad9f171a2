"""A small real service: Postgres, Redis, another service, and what the tests ask about the container."""

import asyncio
import os
import urllib.request
from pathlib import Path

import psycopg
import redis
from fastapi import FastAPI, Response

app = FastAPI(docs_url=None, redoc_url=None)
store = redis.Redis.from_url(os.environ["REDIS_URL"], decode_responses=True)
VERSION = "one"


def query(statement: str, *values: object) -> list[tuple]:
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        cursor = connection.execute(statement, values)
        return cursor.fetchall() if cursor.description else []


@app.get("/live")
def live() -> str:
    return "ok"


@app.get("/ready")
def ready(response: Response) -> str:
    query("SELECT 1")
    store.ping()
    return "ok"


@app.post("/api/notes/{title}")
def add(title: str) -> int:
    query("INSERT INTO notes (title) VALUES (%s)", title)
    return store.incr("notes")


@app.get("/api/notes")
def notes() -> list[str]:
    return [title for (title,) in query("SELECT title FROM notes ORDER BY id")]


@app.get("/api/edge")
def edge() -> str:
    with urllib.request.urlopen(os.environ["EDGE_URL"] + "/edge/from-api", timeout=5) as answer:
        return answer.read().decode()


@app.get("/api/slow")
async def slow(seconds: float = 3) -> str:
    await asyncio.sleep(seconds)
    return "done"


@app.get("/api/container")
def container() -> dict[str, object]:
    try:
        Path("/app/written").write_text("x")
        written = "written"
    except OSError as error:
        written = type(error).__name__
    Path("/tmp/written").write_text("x")
    return {"uid": os.getuid(), "write": written, "greeting": os.environ["GREETING"], "version": VERSION}
