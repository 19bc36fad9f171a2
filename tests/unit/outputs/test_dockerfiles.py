"""Dockerfiles: one per service, of its own framework, unprivileged, for old engines too (findings 1.1, 1.2, 6.2)."""

from __future__ import annotations

import fnmatch
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.unit.outputs.platforms import SETTINGS, Platform, platform
from trimtab.engine import Template

# What only the Dockerfiles of one language say.
_TOKENS = {
    "rust": ("cargo", "rust:"),
    "python": ("uv sync", "python:"),
    "node": ("node:", "package.json", "packages install"),
    "go": ("golang:", " go build -trimpath"),
    "java": ("eclipse-temurin:", "java -Djarmode"),
    "ruby": ("ruby:", "bundle install"),
    "php": ("frankenphp:", "composer install"),
    "dotnet": ("dotnet/sdk:", "usr/local/bin/project restore"),
    "elixir": ("hexpm/elixir:", "mix deps.get"),
}
_CASES = [(name, s["name"]) for name in sorted(SETTINGS) for s in platform(name).project["services"]]


class Case:
    """One service, its Dockerfile, and its stages: name -> (base, lines)."""

    def __init__(self, one: Platform, service: dict[str, Any]) -> None:
        self.one, self.service = one, service
        self.text = one.files[service["dockerfile"]]
        self.stages: dict[str, tuple[str, str]] = {}
        for base, name, body in re.findall(r"^FROM (\S+) AS (\S+)\n(.*?)(?=^FROM |\Z)", self.text, re.M | re.S):
            self.stages[name] = (base, body)

    def last(self, stage: str, instruction: str) -> str | None:
        """The last such instruction of a stage, or of the stages it begins with."""
        base, body = self.stages[stage]
        found = re.findall(rf"^{instruction} (.*)$", body, re.M)
        if found:
            return str(found[-1])
        return self.last(base, instruction) if base in self.stages else None


@pytest.fixture(params=_CASES, ids="-".join)
def case(request: pytest.FixtureRequest) -> Case:
    one = platform(request.param[0])
    (service,) = [s for s in one.project["services"] if s["name"] == request.param[1]]
    return Case(one, service)


def test_there_is_one_per_service_and_none_elsewhere() -> None:
    for name in SETTINGS:
        one = platform(name)
        found = {p for p in one.files if "Dockerfile" in p and not p.endswith(".dockerignore")}
        assert found == {s["dockerfile"] for s in one.project["services"]}
        assert {f"{p}.dockerignore" for p in found} <= set(one.files)


def test_it_is_of_its_own_language(case: Case) -> None:
    for language, tokens in _TOKENS.items():
        present = [t for t in tokens if t in case.text]
        if language == case.service["language"]:
            assert present == list(tokens)
        elif language not in case.service["helpers"]:
            assert present == []


def test_stages_lead_from_the_lockfile_to_the_runtime(case: Case) -> None:
    order = list(case.stages)
    wanted = [
        "lockfile",
        "dependencies",
        "build",
        "dev",
        *(["migrate"] if case.service["migrations"] else []),
        "runtime",
    ]
    assert [s for s in order if s in wanted] == wanted
    assert order[-1] == "runtime"
    for name, (base, body) in case.stages.items():
        known = order[: order.index(name)]
        for source in [*re.findall(r"--from=(\S+)", body), *([base] if ":" not in base else [])]:
            assert source in known, (name, source)


def test_bases_are_the_pinned_ones(case: Case) -> None:
    pins = set(case.one.pins["images"].values())
    for base, _ in case.stages.values():
        if base not in case.stages:
            assert base in pins
            assert not base.endswith(":latest")


def test_nobody_is_root_at_run_time(case: Case) -> None:
    uid = case.service["uid"]
    for stage in ("runtime", "migrate"):
        if stage in case.stages:
            assert case.last(stage, "USER") == f"{uid}:{uid}"
    dev = case.last("dev", "USER")
    assert dev and re.fullmatch(r"[1-9]\d*:[1-9]\d*", dev)


def test_commands_have_exec_form(case: Case) -> None:
    for instruction in ("CMD", "ENTRYPOINT"):
        for command in re.findall(rf"^ *{instruction} (.*)$", case.text, re.M):
            assert command.startswith("[")
    assert case.last("runtime", "CMD") or case.last("runtime", "ENTRYPOINT")
    assert case.last("runtime", "STOPSIGNAL")


def test_the_port_is_that_of_the_settings(case: Case) -> None:
    port = str(case.service["port"])
    assert set(re.findall(r"^EXPOSE (.*)$", case.text, re.M)) == {port}
    assert set(re.findall(r"127\.0\.0\.1[:/](\d+)", case.text)) == {port}
    assert set(re.findall(r"\bPORT=(\d+)", case.text)) <= {port}


def test_old_engines_can_read_it(case: Case) -> None:
    assert not re.search(r"^#\s*(syntax|escape)\s*=", case.text, re.M | re.I)
    assert "<<" not in case.text
    assert "--link" not in case.text and "--parents" not in case.text and "--exclude" not in case.text
    assert "--start-interval" not in case.text


def test_dependencies_are_installed_before_the_source_comes(case: Case) -> None:
    folder = "./" if case.service["path"] == "." else f"{case.service['path']}/"
    assert f"COPY {folder} ./" not in case.stages["dependencies"][1]
    assert "--mount=type=cache" in case.stages["dependencies"][1]
    assert f"COPY {folder} ./" in case.stages["build"][1]


def test_labels_hold_no_clock_and_no_machine(case: Case) -> None:
    labels = case.stages["runtime"][1].split("LABEL ")[1]
    assert "org.opencontainers.image.title" in labels
    assert "created" not in labels
    assert 'revision="$REVISION"' in labels


def test_the_build_sees_only_what_it_needs(case: Case) -> None:
    rules = [
        r for r in case.one.files[case.service["dockerfile"] + ".dockerignore"].splitlines() if r[:1] not in ("#", "")
    ]
    if case.service["path"] != ".":
        assert rules[0] == "*"
        assert f"!{case.service['path']}" in rules
    for secret in ("**/.env", "**/.env.*", "**/.git"):
        assert secret in rules
    for source in re.findall(r"^COPY (?!--)(\S+) ", case.text, re.M):
        top = source.rstrip("/")
        if top in (".", "") or case.service["path"] == ".":
            continue
        assert any(top == r[1:] or top.startswith(r[1:] + "/") for r in rules if r.startswith("!")), source


def test_a_service_at_the_root_still_sees_the_shared_files() -> None:
    rules = platform("only-backend").files["infrastructure/docker/Dockerfile.api.dockerignore"].splitlines()
    assert rules.index("infrastructure") < rules.index("!infrastructure/database")


def test_files_that_are_copied_exist(case: Case) -> None:
    for source in re.findall(r"^COPY (?!--)(infrastructure/\S+) ", case.text, re.M):
        assert fnmatch.filter(case.one.files, source.rstrip("/") + ("/*" if source.endswith("/") else "")), source


def test_public_values_reach_the_bundler_as_they_are() -> None:
    text = platform("only-frontend").files["infrastructure/docker/Dockerfile.web"]
    lines = [line for line in text.splitlines() if line.startswith("ARG VITE")]
    assert lines == [
        """ARG VITE_X='it'"'"'s <b> "q" $HOME \\ #x `id` {{ 7 }} é'""",
        "ARG VITE_N='5'",
    ]
    assert 'ENV BROWSER_VARIABLES="VITE_X VITE_N VITE_ONLY_PRODUCTION"' in text


def test_a_public_name_that_sounds_secret_is_explained_to_hadolint(tmp_path: Path) -> None:
    names = ("VITE_PASSWORD_RESET_API", "VITE_RESET_TOKEN_API", "VITE_SECRET_SANTA_API", "VITE_TITLE")
    data = {
        "version": 1,
        "name": "shop",
        "registry": "ghcr.io/acme",
        "services": {"web": {"framework": "vite", "public_env": dict.fromkeys(names, "/x")}},
        "environments": {"production": {"host": "shop.example.com"}},
    }
    text = Template(ROOT).render(data, {})["infrastructure/docker/Dockerfile.web"].content.decode()
    assert text.count("# hadolint ignore=DL3064\n") == 3
    (tmp_path / "Dockerfile").write_text(text)
    done = subprocess.run(["hadolint", "Dockerfile"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_a_frontend_is_served_under_its_route() -> None:
    one = platform("mixed")
    assert "run build --base=/admin/" in one.files["infrastructure/docker/Dockerfile.admin"]
    assert "/usr/share/nginx/html/admin/" in one.files["infrastructure/docker/Dockerfile.admin"]
    config = one.files["infrastructure/docker/static/admin.nginx.conf"]
    assert "try_files $uri /admin/index.html;" in config
    assert "location = /admin/env.js" in config
