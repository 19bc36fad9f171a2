"""docker-compose.yml: the findings that it must not allow, for every platform."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest

from tests.unit.outputs.platforms import SETTINGS, Platform, platform, rendered

_SECRET = re.compile(r"^\$\{([A-Z0-9_]+):\?[^}]+\}$")


@pytest.fixture(params=sorted(SETTINGS))
def one(request: pytest.FixtureRequest) -> Platform:
    return platform(request.param)


def services(one: Platform) -> dict[str, dict[str, Any]]:
    data: dict[str, dict[str, Any]] = one.compose()["services"]
    return data


def resolved(text: str) -> str:
    """What Compose makes of a value when .env is empty."""
    text = re.sub(r"(?<!\$)\$\{\w+:-([^}]*)\}", r"\1", text)
    return text.replace("$$", "$")


def test_every_service_has_its_one_port(one: Platform) -> None:
    for s in one.project["local"]["services"]:
        block = services(one)[s["name"]]
        (published,) = block["ports"]
        assert published == f"127.0.0.1:${{{s['host_port_variable']}:-{s['port']}}}:{s['port']}"
        probed = re.findall(r"127\.0\.0\.1[:/](\d+)", " ".join(block["healthcheck"]["test"]))
        assert set(probed) == {str(s["port"])}
        if s["port_env"]:
            assert block["environment"][s["port_env"]] == block["environment"][s["port_variable"]] == str(s["port"])


def test_a_changed_port_leaves_nothing_of_the_old_one() -> None:
    settings = copy.deepcopy(SETTINGS["platform"])
    settings["services"]["backend"]["port"] = 2345
    changed = rendered("changed", settings)
    ours = [p for p in changed.files if not p.startswith((".github", "k8s", "docs"))]
    assert "infrastructure/docker/Dockerfile.backend" in ours
    for path in ours:
        assert not re.search(r"\b2000\b", changed.files[path]), path


def test_every_container_has_limits(one: Platform) -> None:
    for name, block in services(one).items():
        limits = block["deploy"]["resources"]["limits"]
        assert float(limits["cpus"]) > 0, name
        assert re.fullmatch(r"[1-9]\d*[MG]", limits["memory"]), name


def test_limits_are_those_of_the_settings(one: Platform) -> None:
    for s in one.project["local"]["services"] + one.project["local"]["datastores"]:
        limits = services(one)[s["name"]]["deploy"]["resources"]["limits"]
        cpu = s["resources"]["cpu"]
        cores = int(cpu[:-1]) / 1000 if cpu.endswith("m") else float(cpu)
        assert float(limits["cpus"]) == pytest.approx(cores)
        assert limits["memory"] + "i" == s["resources"]["memory"]


def test_containers_are_closed(one: Platform) -> None:
    for name, block in services(one).items():
        assert block["read_only"] is True, name
        assert block["cap_drop"] == ["ALL"], name
        assert block["security_opt"] == ["no-new-privileges:true"], name
        assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", block["user"]), name
        assert block["init"] is True, name
        assert "privileged" not in block and "cap_add" not in block, name
        assert block["logging"]["options"]["max-size"], name


def test_redis_always_asks_for_its_password_and_never_shows_it(one: Platform) -> None:
    blocks = [b for b in services(one).values() if b["image"].startswith("redis:")]
    assert len(blocks) == len([d for d in one.project["local"]["datastores"] if d["kind"] == "redis"])
    for block in blocks:
        (_, _, script) = block["command"]
        config = script.split("<<END\n")[1]
        assert re.search(r'^requirepass "\$\$\(.*\$\$REDIS_PASSWORD.*\)"$', config, re.MULTILINE)
        assert "--requirepass" not in script
        assert _SECRET.match(block["environment"]["REDIS_PASSWORD"])
        check = block["healthcheck"]["test"][-1]
        assert check == 'REDISCLI_AUTH="$$REDIS_PASSWORD" redis-cli -e ping'


def test_secrets_are_required_and_have_no_value(one: Platform) -> None:
    secrets = {s["name"]: s["secrets"] for s in one.project["services"]}
    for called, block in services(one).items():
        secret = {*secrets.get(called.removesuffix("-migrate"), []), "POSTGRES_PASSWORD", "REDIS_PASSWORD"}
        for name, value in (block.get("environment") or {}).items():
            if name in secret:
                match = _SECRET.match(value)
                assert match and match.group(1) == name
            else:
                assert ":?" not in str(value)


def test_the_variables_of_a_service_are_the_registered_ones(one: Platform) -> None:
    for s in one.project["local"]["services"]:
        wanted = {**s["env"], **(s["public_env"] if s["public_runtime"] else {})}
        found = services(one)[s["name"]].get("environment") or {}
        assert set(found) == {*wanted, *s["secrets"]}
        assert {name: resolved(found[name]) for name in wanted} == wanted


def test_what_a_shell_usually_exports_cannot_change_a_service(one: Platform) -> None:
    for name, block in services(one).items():
        for variable, value in (block.get("environment") or {}).items():
            if variable in {"PATH", "HOME", "HOST", "HOSTNAME", "PORT", "NODE_ENV", "USER", "LANG", "TZ"}:
                assert "${" not in value, (name, variable)


def test_a_variable_with_two_values_is_not_read_from_the_one_env_file() -> None:
    settings = copy.deepcopy(SETTINGS["mixed"])
    settings["environments"]["local"] = {}  # now api has info, jobs debug
    blocks = services(rendered("conflict", settings))
    assert blocks["api"]["environment"]["LOG_LEVEL"] == "info"
    assert blocks["jobs"]["environment"]["LOG_LEVEL"] == "debug"


def test_networks_join_only_who_may_speak(one: Platform) -> None:
    blocks = services(one)
    local = one.project["local"]
    may = {(s["name"], used) for s in local["services"] for used in s["uses"]}
    may |= {(s["name"], call["name"]) for s in local["services"] for call in s["calls"]}
    may |= {("gateway", s["name"]) for s in local["services"] if s["routes"]}
    may |= {(f"{s['name']}-migrate", "postgres") for s in local["services"] if s["migrations"]}
    for name, block in blocks.items():
        owned = {network for network in block["networks"] if network != name}
        assert owned == {callee for caller, callee in may if caller == name}, name
    stores = {d["name"] for d in local["datastores"]}
    networks = one.compose()["networks"]
    assert {n for n, options in networks.items() if (options or {}).get("internal")} == stores
    for s in local["services"]:
        if s["kind"] == "frontend" and not s["uses"]:
            assert not stores & set(blocks[s["name"]]["networks"])


def test_the_start_waits_for_datastores_and_migrations(one: Platform) -> None:
    for s in one.project["local"]["services"]:
        waits = services(one)[s["name"]].get("depends_on") or {}
        wanted = dict.fromkeys(s["uses"], "service_healthy")
        if s["migrations"]:
            wanted[f"{s['name']}-migrate"] = "service_completed_successfully"
            migrate = services(one)[f"{s['name']}-migrate"]
            assert migrate["restart"] == "no"
            assert migrate["build"]["target"] == "migrate"
            assert migrate["depends_on"] == {"postgres": {"condition": "service_healthy"}}
        assert {name: wait["condition"] for name, wait in waits.items()} == wanted


@pytest.mark.parametrize(
    ("version", "folder"),
    [
        ("18", "/var/lib/postgresql"),
        ("18-alpine", "/var/lib/postgresql"),
        ("19.1", "/var/lib/postgresql"),
        ("17.2", "/var/lib/postgresql/data"),
        ("9.6-alpine", "/var/lib/postgresql/data"),
    ],
)
def test_postgres_keeps_its_data_where_its_version_does(version: str, folder: str) -> None:
    settings = copy.deepcopy(SETTINGS["platform"])
    settings["datastores"]["postgres"]["version"] = version
    block = services(rendered("postgres", settings))["postgres"]
    assert block["volumes"] == [f"postgres-data:{folder}"]
    assert block["user"] == ("70:70" if "alpine" in version else "999:999")
    assert "127.0.0.1" in block["healthcheck"]["test"]


def test_health_is_the_same_in_the_image_and_in_compose(one: Platform) -> None:
    import json

    for s in one.project["local"]["services"]:
        dockerfile = one.files[s["dockerfile"]]
        (image,) = re.findall(r"^HEALTHCHECK --.*\n +CMD (\[.*\])$", dockerfile, re.MULTILINE)
        compose = services(one)[s["name"]]["healthcheck"]["test"]
        assert [word.replace("$$", "$") for word in compose] == ["CMD", *json.loads(image)]
        assert s["health"]["ready"] in " ".join(compose)


def test_the_gateway_leads_each_route_to_its_service(one: Platform) -> None:
    routes = {r: s for s in one.project["local"]["services"] for r in s["routes"]}
    config = one.files.get("infrastructure/gateway/nginx.conf")
    if not routes:
        assert config is None and "gateway" not in services(one)
        return
    assert config
    found = dict(re.findall(r"location (\S+) \{\s+set \$service (http://\S+);", config))
    assert found == {(r if r == "/" else f"{r}/"): f"http://{s['name']}:{s['port']}" for r, s in routes.items()}
    assert re.search(r"listen (\d+);", config).group(1) == str(one.project["local"]["gateway_port"])  # type: ignore[union-attr]
    assert "resolver 127.0.0.11" in config


def test_development_overrides_only_services_that_are_there(one: Platform) -> None:
    dev = one.compose("docker-compose.dev.yml")
    assert set(dev["services"]) <= set(services(one))
    for s in one.project["local"]["services"]:
        block = dev["services"][s["name"]]
        assert block["build"]["target"] == "dev"
        assert re.search(r" AS dev$", one.files[s["dockerfile"]], re.MULTILINE)
        assert block["volumes"][0] == ("./:/app" if s["path"] == "." else f"./{s['path']}:/app")


def test_only_this_machine_is_listened_to(one: Platform) -> None:
    for path in ("docker-compose.yml", "docker-compose.dev.yml"):
        for name, block in one.compose(path)["services"].items():
            for port in block.get("ports", []):
                assert port.startswith("127.0.0.1:"), (path, name)


def test_what_env_tells_of_one_service_reaches_no_other() -> None:
    """In .env, A_PORT is the port of a, and B_MODE a secret of b: c has variables of these names and its own values."""
    environment = platform("six").compose()["services"]["c"]["environment"]
    names = ("B_MODE", "A_PORT", "B_HOST_PORT", "POSTGRES_HOST_PORT", "GATEWAY_HOST_PORT", "OWN")
    assert [environment[name] for name in names] == ["plain", "1", "2", "3", "4", "${OWN:-5}"]
