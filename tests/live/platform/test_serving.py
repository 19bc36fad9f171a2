"""The platform serves: every route leads to its service, and a service that comes back is found again."""

from __future__ import annotations

import html
import json
import re
import threading
import time

import pytest

from tests.live.platform.running import Answer, Running

pytestmark = pytest.mark.live


def test_every_route_leads_to_its_service(platform: Running) -> None:
    assert platform.get("/").text.startswith("<!doctype html>")
    assert platform.get("/any/page").text == platform.get("/").text
    assert platform.get("/edge/deep?x=1").text == "edge answers /edge/deep?x=1 redis=true"
    assert platform.get("/edge").status == 200
    assert platform.get("/edges").text == platform.get("/").text  # a prefix ends at a slash
    assert json.loads(platform.get("/board/columns").text) == ["doing", "done"]
    assert "<main" in platform.get("/site").text
    assert json.loads(platform.get("/site/api/health").text) == {"ok": True}


def test_a_request_reaches_postgres_and_redis(platform: Running) -> None:
    assert platform.get("/api/notes/first", method="POST") == Answer(200, "1")
    assert json.loads(platform.get("/api/notes").text) == ["first"]


def test_a_service_calls_another_by_its_variable(platform: Running) -> None:
    assert json.loads(platform.get("/api/edge").text) == "edge answers /edge/from-api redis=true"


def test_values_arrive_as_they_were_written(platform: Running) -> None:
    assert json.loads(platform.get("/api/container").text)["greeting"] == """it's $5 {x} "q" $(A) #1"""
    (note,) = re.findall(r'data-note="([^"]*)"', platform.get("/site").text)
    assert html.unescape(note) == """it's "q" $HOME \\ é"""


def test_the_gateway_survives_a_service_that_is_down(platform: Running) -> None:
    platform.compose("stop", "edge")
    assert platform.get("/edge").status in (502, 504)
    platform.compose("restart", "gateway")
    platform.compose("up", "--detach", "--wait", "gateway")
    assert platform.get("/").status == 200
    platform.compose("up", "--detach", "--wait", "--force-recreate", "edge")
    deadline = time.monotonic() + 15
    while platform.get("/edge").status != 200 and time.monotonic() < deadline:
        time.sleep(0.5)
    assert platform.get("/edge").status == 200


def test_a_request_under_way_is_finished_when_the_service_stops(platform: Running) -> None:
    answers: list[Answer] = []
    request = threading.Thread(target=lambda: answers.append(platform.get("/api/slow?seconds=4")))
    request.start()
    time.sleep(1)
    began = time.monotonic()
    platform.compose("stop", "api")
    took = time.monotonic() - began
    request.join()
    state = platform.inspect("api")["State"]
    platform.compose("up", "--detach", "--wait", "api")
    assert answers == [Answer(200, '"done"')]
    assert took < 30, "it was killed at the end of the grace period"
    assert state["ExitCode"] in (0, 143)


@pytest.mark.parametrize("service", ["board", "edge", "gateway", "web", "site", "redis", "postgres"])
def test_a_service_stops_at_once_when_idle(platform: Running, service: str) -> None:
    began = time.monotonic()
    platform.compose("stop", service)
    took = time.monotonic() - began
    code = platform.inspect(service)["State"]["ExitCode"]
    platform.compose("up", "--detach", "--wait", service)
    assert took < 12
    assert code != 137
