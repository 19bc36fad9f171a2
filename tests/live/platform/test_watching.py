"""Development mode: the mounted source is served, and an edit is seen without a build."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.live.platform.running import Running, becomes

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def development(platform: Running) -> Iterator[Running]:
    # Rust is left out: cargo-watch comes from crates.io, which the stand-in does not have.
    dev = Running(platform.engine, platform.folder, ("docker-compose.yml", "docker-compose.dev.yml"), platform.ports)
    dev.compose("up", "--detach", "--wait", "--build", "--no-deps", "api", "board", "web", "site", "postgres", "redis")
    yield dev
    platform.compose("up", "--detach", "--wait", "--remove-orphans")


def test_the_backend_in_python_reloads(development: Running) -> None:
    old = json.loads(development.get("/api/container").text)["version"]
    development.replace("api/main.py", f'VERSION = "{old}"', 'VERSION = "edited"')

    def edited() -> bool:
        answer = development.get("/api/container")
        return answer.status == 200 and json.loads(answer.text)["version"] == "edited"

    assert becomes(edited), development.compose("logs", "--tail", "20", "api").stdout


def test_the_backend_in_node_reloads(development: Running) -> None:
    development.replace("board/server.js", 'answer.send("ok")', 'answer.send("edited")')
    assert becomes(lambda: development.get("/health", port="BOARD_HOST_PORT").text == "edited"), development.compose(
        "logs", "--tail", "20", "board"
    ).stdout


def test_the_frontend_is_served_from_its_source(development: Running) -> None:
    development.replace("web/src/main.js", "textContent", "innerText")
    assert becomes(lambda: "innerText" in development.get("/src/main.js").text)


def test_next_serves_its_source(development: Running) -> None:
    development.replace("site/app/page.js", "site<", "edited site<")
    assert becomes(lambda: "edited site" in development.get("/site").text, 90), development.compose(
        "logs", "--tail", "20", "site"
    ).stdout


def test_datastores_are_published_to_this_machine(development: Running) -> None:
    for store, port in (("postgres", "5432/tcp"), ("redis", "6379/tcp")):
        (binding,) = development.inspect(store)["HostConfig"]["PortBindings"][port]
        assert binding["HostIp"] == "127.0.0.1"
