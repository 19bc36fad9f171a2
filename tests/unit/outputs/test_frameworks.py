"""Every framework folder: well-formed data, and outputs of its own for a platform of it alone and for a mix of all."""

from __future__ import annotations

import re
from functools import cache
from typing import Any, get_args

import pytest
import yaml
from pydantic import TypeAdapter

from tests.conftest import ROOT
from tests.unit.outputs.platforms import Platform, rendered
from trimtab.frameworks import Frameworks
from trimtab.settings.load import parse_settings
from trimtab.settings.schema import CPU, ENV_NAME, FOLDER, MEMORY, URL_PATH, Env, MigrationTool

FRAMEWORKS = Frameworks(ROOT)
LANGUAGES = ROOT / "template" / "lib" / "languages"
_PROBES = {"bash", "dotnet", "node", "program", "python", "wget"}
_REQUIRED = {"title", "kind", "language", "detect", "port", "health", "resources", "uid", "probe"}
_OPTIONAL = {
    "brings", "dev", "env", "helpers", "metrics", "migration_commands", "migration_paths", "migrations", "output",
    "port_env", "probe_host", "public", "shared", "start", "static", "writable",
}  # fmt: skip
# What only the Dockerfile of one framework says, or of those that are named here.
_STATIC = {name for name in FRAMEWORKS.names if FRAMEWORKS[name].get("static")}
_RUST = {"actix", "axum", "rocket"}
_TOKENS = {
    "collectstatic": {"django"},
    "diffsettings": {"django"},
    "flask": {"flask"},
    "fastapi": {"fastapi"},
    "exec gunicorn": {"django", "flask"},
    ".next": {"next"},
    "NEXT_": {"next"},
    "NUXT_": {"nuxt"},
    ".output": {"nuxt", "tanstack-start"},
    "nitro()": {"tanstack-start"},
    "adapter-node": {"sveltekit"},
    "start:prod": {"nestjs"},
    'START_PROGRAMS="fastify"': {"fastify"},
    "react-router-serve": {"react-router"},
    "build/client": {"react-router-spa"},
    "ASTRO_": {"astro", "astro-node"},
    "dist/server/entry.mjs": {"astro-node"},
    "NG_CLI_": {"angular"},
    "WDS_SOCKET_PORT": {"cra"},
    "nginx": _STATIC,
    "golang:": {"go"},
    "go.mod": {"go"},
    "distroless": {"go"},
    "temurin": {"spring"},
    "SPRING_": {"spring"},
    "cargo": _RUST,
    "rust:": _RUST,
    "ROCKET_": {"rocket"},
    "manage.py": {"django"},
    "ruby:": {"rails"},
    "SECRET_KEY_BASE_DUMMY": {"rails"},
    "RAILS_": {"rails"},
    "frankenphp": {"laravel"},
    "artisan": {"laravel"},
    "dotnet ": {"aspnet"},
    "chiseled": {"aspnet"},
    "hexpm/elixir": {"phoenix"},
    "mix release": {"phoenix"},
    "PHX_": {"phoenix"},
}


def _service(name: str, tool: str | None = None) -> dict[str, Any]:
    framework = FRAMEWORKS[name]
    service: dict[str, Any] = {"framework": name}
    if tool:
        service |= {"uses": ["postgres"], "migrations": tool}
    if framework.get("public"):
        service["public_env"] = {f"{framework['public']['prefix']}API_URL": "/"}
    return service


def _settings(services: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {
        "version": 1,
        "name": "each",
        "registry": "ghcr.io/acme",
        "services": services,
        "datastores": {"postgres": {}},
        "environments": {"local": {}, "production": {"host": "app.example.com"}},
    }


@cache
def _alone(name: str, tool: str | None) -> Platform:
    return rendered(name, _settings({"one": _service(name, tool)}))


@cache
def _mix() -> Platform:
    services = {
        f"s-{name}": {**_service(name, (FRAMEWORKS[name].get("migrations") or [None])[0]), "route": f"/{name}"}
        for name in FRAMEWORKS.names
    }
    for service in services.values():
        service.pop("public_env", None)
    return rendered("mix", _settings(services))


_ALONE = [(name, tool) for name in FRAMEWORKS.names for tool in [None, *(FRAMEWORKS[name].get("migrations") or [])]]
each = pytest.mark.parametrize("name", FRAMEWORKS.names)
alone = pytest.mark.parametrize(("name", "tool"), _ALONE)


@each
def test_the_data_is_well_formed(name: str) -> None:
    data = FRAMEWORKS[name]
    assert set(data) >= _REQUIRED
    assert set(data) <= _REQUIRED | _OPTIONAL
    assert data["kind"] in ("backend", "frontend")
    assert (LANGUAGES / data["language"] / "language.yml").is_file()
    assert all("file" in signal for signal in data["detect"])
    assert 1024 <= data["port"] <= 65535, "an unprivileged process cannot bind it"
    for path in [*data["health"].values(), *([data["metrics"]] if "metrics" in data else [])]:
        assert re.fullmatch(URL_PATH, path)
    assert set(data["health"]) == {"live", "ready"}
    assert set(data["resources"]) == {"cpu", "memory"}
    assert re.fullmatch(CPU, data["resources"]["cpu"])
    assert re.fullmatch(MEMORY, data["resources"]["memory"])
    assert isinstance(data["uid"], int) and data["uid"] > 0
    assert data["probe"] in _PROBES
    assert data.get("dev", {}).get("probe", data["probe"]) in _PROBES


@each
def test_its_variables_and_migrations_fit_the_settings(name: str) -> None:
    data = FRAMEWORKS[name]
    TypeAdapter(Env).validate_python(data.get("env") or {})
    if "port_env" in data:
        assert re.fullmatch(ENV_NAME, data["port_env"])
    if "public" in data:
        assert re.fullmatch(r"[A-Z_]+_", data["public"]["prefix"])
        assert isinstance(data["public"]["runtime"], bool)
    tools = data.get("migrations") or []
    assert set(tools) <= set(get_args(MigrationTool))
    assert set(data.get("migration_paths") or {}) <= set(tools)
    assert set(data.get("migration_commands") or {}) <= set(tools)
    for path in (data.get("migration_paths") or {}).values():
        assert re.fullmatch(FOLDER, path)


@each
def test_its_shared_files_exist(name: str) -> None:
    data = FRAMEWORKS[name]
    folder = LANGUAGES / data["language"]
    language = yaml.safe_load((folder / "language.yml").read_text())
    for file in [*(language.get("shared") or []), *(data.get("shared") or [])]:
        assert (folder / "docker" / file).is_file()
        assert f"infrastructure/docker/{data['language']}/{file}" in _alone(name, None).files
    for helper in data.get("helpers") or []:
        assert [p for p in _alone(name, None).files if p.startswith(f"infrastructure/docker/{helper}/")]
        assert f"infrastructure/ci/{helper}.sh" not in _alone(name, None).files, "no service is of that language"
    assert f"infrastructure/ci/{data['language']}.sh" in _alone(name, None).files


@alone
def test_settings_of_it_alone_are_valid(name: str, tool: str | None) -> None:
    text = yaml.safe_dump(_settings({"one": _service(name, tool)}), sort_keys=False)
    parse_settings(text.encode(), FRAMEWORKS)


@alone
def test_the_runtime_image_is_unprivileged_and_checks_itself(name: str, tool: str | None) -> None:
    one = _alone(name, tool)
    (service,) = one.project["services"]
    text = one.files["infrastructure/docker/Dockerfile.one"]
    runtime = re.split(r"^FROM ", text, flags=re.M)[-1]
    assert runtime.split("\n")[0].endswith(" AS runtime")
    assert f"USER {service['uid']}:{service['uid']}" in runtime
    check = re.search(r"^HEALTHCHECK .*\\\n    CMD (\[.*\])$", runtime, re.M)
    assert check
    assert service["health"]["ready"] in check[1]
    assert str(service["port"]) in check[1]
    assert "curl" not in text
    # What the probe runs is in the image: copied into it, or part of its base.
    if service["probe"] == "program":
        assert "/usr/local/bin/healthcheck" in check[1]
        assert re.search(r"^COPY --from=build \S+ /usr/local/bin/healthcheck$", runtime, re.M)
    elif service["probe"] == "dotnet":
        assert "COPY --from=healthcheck /usr/local/lib/healthcheck/ /usr/local/lib/healthcheck/\n" in runtime
        assert '"/usr/local/lib/healthcheck/healthcheck.dll"' in check[1]


@alone
def test_a_migration_image_has_what_its_settings_name(name: str, tool: str | None) -> None:
    one = _alone(name, tool)
    (service,) = one.project["services"]
    text = one.files["infrastructure/docker/Dockerfile.one"]
    assert (" AS migrate\n" in text) == (tool is not None)
    if tool is None:
        return
    stage = text.split(" AS migrate\n")[1].split("\nFROM ")[0]
    assert "postgresql-client" in stage
    conf = one.files["infrastructure/database/services/one.conf"].splitlines()
    assert f"tool = {tool}" in conf
    assert f"directory = {service['migrations']['path']}" in conf
    words = [line.removeprefix("command = ") for line in conf if line.startswith("command = ")]
    assert words == (FRAMEWORKS[name].get("migration_commands") or {}).get(tool, [])
    # A program of our own that the command begins with is in the image.
    from_base = re.search(r"^FROM base AS migrate$", text, re.M) is not None
    base = text.split(" AS base\n")[1].split("\nFROM ")[0] if from_base else ""
    for word in words[:1]:
        assert re.search(rf"/usr/local/bin/{word}(?: \\)?\n", stage + base)


@each
def test_every_stage_has_a_pinned_base(name: str) -> None:
    one = _alone(name, None)
    text = one.files["infrastructure/docker/Dockerfile.one"]
    stages = set(re.findall(r"^FROM \S+ AS (\S+)$", text, re.M))
    for base in re.findall(r"^FROM (\S+) AS ", text, re.M):
        assert base in stages or base in one.pins["images"].values()


@each
def test_in_a_mix_no_other_framework_shows(name: str) -> None:
    text = _mix().files[f"infrastructure/docker/Dockerfile.s-{name}"]
    own = text.replace(f"s-{name}", "").replace(f"S_{name.upper()}", "")
    for token, frameworks in _TOKENS.items():
        assert (token in own) == (name in frameworks), token


@each
def test_in_a_mix_its_dockerfile_is_that_of_it_alone(name: str) -> None:
    tool = (FRAMEWORKS[name].get("migrations") or [None])[0]

    def bases(text: str) -> list[str]:
        return re.findall(r"^FROM (.*)$", text, re.M)

    mixed = _mix().files[f"infrastructure/docker/Dockerfile.s-{name}"]
    assert bases(mixed) == bases(_alone(name, tool).files["infrastructure/docker/Dockerfile.one"])


@each
def test_its_checks_run_in_the_workflow(name: str) -> None:
    jobs = yaml.safe_load(_alone(name, None).files[".github/workflows/ci-cd.yml"])["jobs"]
    language = FRAMEWORKS[name]["language"]
    for check in ("lint", "test"):
        last = [s for s in jobs[f"{check}-{language}"]["steps"] if "run" in s][-1]
        assert last["run"] == f'infrastructure/ci/{language}.sh {check} "$SERVICE_PATH"'


def test_all_frameworks_share_one_matrix_per_language() -> None:
    jobs = yaml.safe_load(_mix().files[".github/workflows/ci-cd.yml"])["jobs"]
    languages = {FRAMEWORKS[name]["language"] for name in FRAMEWORKS.names}
    assert {j.removeprefix("lint-") for j in jobs if j.startswith("lint-")} == languages


def test_probes_of_django_bear_a_name_that_it_allows() -> None:
    one = _alone("django", None)
    deployment = one.files["k8s/base/one/deployment.yaml"]
    hosts = set(re.findall(r"name: Host, value: (\S+) ", deployment))
    assert len(re.findall("httpHeaders", deployment)) == 3
    for services in (one.project["services"], one.project["environments"][0]["services"]):
        assert hosts <= set(services[0]["env"]["ALLOWED_HOSTS"].split(","))
    assert "app.example.com" in one.project["environments"][0]["services"][0]["env"]["ALLOWED_HOSTS"]
    assert "httpHeaders" not in _alone("flask", None).files["k8s/base/one/deployment.yaml"]


def test_sveltekit_knows_the_address_that_visitors_see() -> None:
    one = _alone("sveltekit", None)
    assert one.project["environments"][0]["services"][0]["env"]["ORIGIN"] == "https://app.example.com"
    local = one.project["local"]
    assert local["services"][0]["env"]["ORIGIN"] == f"http://localhost:{local['gateway_port']}"


def test_public_variables_of_nuxt_are_plain_variables_of_the_container() -> None:
    one = _alone("nuxt", None)
    assert "NUXT_PUBLIC_API_URL" not in one.files["infrastructure/docker/Dockerfile.one"]
    assert "NUXT_PUBLIC_API_URL" in one.compose()["services"]["one"]["environment"]
    assert not [path for path in one.files if "/static/" in path]
