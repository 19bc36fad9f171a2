"""Env files: one name per value, one URL scheme, no secret (findings 2.1 to 2.4)."""

from __future__ import annotations

import re

import pytest

from tests.conftest import ROOT
from tests.unit.outputs.platforms import SETTINGS, Platform, platform
from trimtab.frameworks import Frameworks

_LINE = re.compile(r"^([A-Z_][A-Z0-9_]*)=(.*)$", re.MULTILINE)
_LISTED = re.compile(r"^# ([A-Z_][A-Z0-9_]*)=", re.MULTILINE)


@pytest.fixture(params=sorted(SETTINGS))
def one(request: pytest.FixtureRequest) -> Platform:
    return platform(request.param)


def files(one: Platform) -> dict[str, tuple[str, list[dict[str, object]], list[dict[str, object]]]]:
    """Each env file: its text, and the services and datastores of its environment."""
    local = one.project["local"]
    found = {".env.example": (one.files[".env.example"], local["services"], local["datastores"])}
    for e in one.project["environments"]:
        path = f"env/{e['name']}.env.example"
        found[path] = (one.files[path], e["services"], e["datastores"])
    return found


def test_every_variable_of_every_service_stands_in_each_file(one: Platform) -> None:
    for path, (text, services, stores) in files(one).items():
        names = [m.group(1) for m in _LINE.finditer(text)]
        assert len(names) == len(set(names)), path
        listed = {m.group(1) for m in _LISTED.finditer(text)}
        wanted = {n for s in services for n in [*s["env"], *s["public_env"], *s["secrets"], s["port_variable"]]}  # type: ignore[misc]
        assert wanted <= set(names) | listed, path
        extra = set(names) - wanted
        datastore = {
            "POSTGRES_USER",
            "POSTGRES_DB",
            *(d["url_variable"] for d in stores),
            *(d["password_variable"] for d in stores),
        }
        assert {n for n in extra if not n.endswith("_HOST_PORT")} <= datastore, path


def test_every_variable_has_a_comment(one: Platform) -> None:
    for path, (text, _, _) in files(one).items():
        for block in re.split(r"\n\n+", text):
            if _LINE.search(block):
                assert block.startswith("# "), (path, block)


def test_secrets_are_empty(one: Platform) -> None:
    for path, (text, services, stores) in files(one).items():
        values = dict(_LINE.findall(text))
        secret = [n for s in services for n in s["own_secrets"]]  # type: ignore[attr-defined]
        secret += [d["password_variable"] for d in stores if not d["external"]]
        assert [n for n in secret if values[n]] == [], path


def test_urls_agree_with_the_datastores(one: Platform) -> None:
    for path, (text, _, stores) in files(one).items():
        values = dict(_LINE.findall(text))
        for d in stores:
            url = values[d["url_variable"]]
            if d["external"]:
                assert url == "", path
            elif d["kind"] == "postgres":
                assert url == f"postgresql://{d['user']}:${{POSTGRES_PASSWORD}}@postgres:{d['port']}/{d['database']}"
            else:
                assert url == f"redis://:${{REDIS_PASSWORD}}@redis:{d['port']}/0"
        assert "postgres://" not in text


def test_a_public_prefix_belongs_to_a_framework_that_is_there(one: Platform) -> None:
    known = Frameworks(ROOT)
    prefixes = {known[s["framework"]].get("public", {}).get("prefix") for s in one.project["services"]}
    for prefix in ("VITE_", "NEXT_PUBLIC_", "REACT_APP_", "NG_APP_"):
        if prefix not in prefixes:
            assert not [p for p, text in one.files.items() if prefix in text and "README" not in p and "docs/" not in p]


def test_ports_are_those_of_the_services(one: Platform) -> None:
    for text, services, _ in files(one).values():
        values = dict(_LINE.findall(text))
        for s in services:
            assert values[str(s["port_variable"])] == str(s["port"])


def test_real_values_are_kept_out_of_git(one: Platform) -> None:
    rules = [line for line in one.files["env/.gitignore"].splitlines() if not line.startswith("#")]
    assert rules == ["*.env", "!*.env.example"]
