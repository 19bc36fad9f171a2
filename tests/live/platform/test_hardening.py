"""What a container may do, and whom it can reach."""

from __future__ import annotations

import json
import re

import pytest

from tests.live.platform.running import Running, assert_confined, running_services

pytestmark = pytest.mark.live

OPEN = "exec 3<>/dev/tcp/{0}/{1}"


def test_containers_are_unprivileged_and_limited(platform: Running) -> None:
    services = running_services(platform)
    assert {"gateway", "api", "board", "edge", "web", "site", "postgres", "redis"} == set(services)
    for service in services:
        assert_confined(platform, service)


def test_the_root_is_read_only_and_tmp_is_not(platform: Running) -> None:
    for service in running_services(platform):
        for path in ("/written", "/etc/written", "/usr/local/bin/written"):
            refused = platform.run_in(service, "sh", "-c", f"echo x >{path}", check=False)
            assert refused.returncode != 0, (service, path)
            assert "Read-only file system" in refused.stderr, (service, path)
        platform.run_in(service, "sh", "-c", "echo x >/tmp/written")
    assert json.loads(platform.get("/api/container").text) | {"version": ""} == {
        "uid": 10001,
        "write": "OSError",
        "greeting": """it's $5 {x} "q" $(A) #1""",
        "version": "",
    }


def test_memory_beyond_the_limit_is_refused(platform: Running) -> None:
    eat = "data = bytearray(600 * 2**20)"
    eaten = platform.compose("run", "--rm", "--no-deps", "-T", "api", "python", "-c", eat, check=False)
    assert eaten.returncode == 137


def test_redis_refuses_who_has_no_password(platform: Running) -> None:
    answer = platform.run_in("redis", "redis-cli", "ping")
    assert answer.stdout.startswith("NOAUTH")
    wrong = platform.run_in("redis", "env", "REDISCLI_AUTH=wrong", "redis-cli", "-e", "ping", check=False)
    assert "PONG" not in wrong.stdout
    right = platform.run_in("redis", "sh", "-c", 'REDISCLI_AUTH="$REDIS_PASSWORD" redis-cli -e ping')
    assert right.stdout.strip() == "PONG"


def test_no_secret_is_in_an_argument_list_or_in_an_image(platform: Running) -> None:
    values = [
        value
        for name, value in re.findall(r"^(\w+)=([0-9a-f]{64})$", (platform.folder / ".env").read_text(), re.MULTILINE)
        if name.endswith(("PASSWORD", "SECRET"))
    ]
    assert len(values) == 3
    for service in running_services(platform):
        arguments = platform.run_in(service, "sh", "-c", "cat /proc/[0-9]*/cmdline").stdout
        image = platform.engine.docker("history", "--no-trunc", platform.inspect(service)["Image"]).stdout
        for value in values:
            assert value not in arguments, service
            assert value not in image, service


@pytest.mark.parametrize(
    ("service", "target", "port", "open_"),
    [
        ("edge", "redis", 6379, True),
        ("edge", "postgres", 5432, False),
        ("edge", "board", 3000, False),
        ("web", "postgres", 5432, False),
        ("web", "redis", 6379, False),
        ("web", "api", 8000, False),
        ("gateway", "api", 8000, True),
        ("gateway", "postgres", 5432, False),
        ("gateway", "redis", 6379, False),
        ("postgres", "redis", 6379, False),
    ],
)
def test_networks_join_only_who_may_speak(platform: Running, service: str, target: str, port: int, open_: bool) -> None:
    networks = platform.inspect(target)["NetworkSettings"]["Networks"].values()
    for address in [target, *(n["IPAddress"] for n in networks)]:
        tried = platform.run_in(service, "timeout", "3", "bash", "-c", OPEN.format(address, port), check=False)
        if address == target or not open_:
            assert (tried.returncode == 0) is open_, (service, address, tried.stderr)


def test_datastores_are_not_published(platform: Running) -> None:
    for store in ("postgres", "redis"):
        assert not platform.inspect(store)["HostConfig"]["PortBindings"]
