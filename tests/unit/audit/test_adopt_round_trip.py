"""Adopting a tree that Trimtab generated gives back settings that render the same tree, byte for byte."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings

from tests import strategies
from tests.conftest import EXAMPLES, ROOT, settings_of
from tests.unit.test_random_settings import MANY, as_text
from trimtab.audit.adopt.propose import Proposal, propose_repo
from trimtab.engine import Template
from trimtab.frameworks import Frameworks
from trimtab.repo import Repo
from trimtab.settings.load import parse_settings
from trimtab.tree import ANSWERS_FILE, SETTINGS_FILE, Tree

# The input and its record: what is adopted is everything else.
OWN = {SETTINGS_FILE, ANSWERS_FILE}
FRAMEWORKS = Frameworks(ROOT)
TEMPLATE = Template(ROOT)


def adopted(tree: Tree) -> Proposal:
    return propose_repo(Repo.from_texts({p: f.content for p, f in tree.items() if p not in OWN}), FRAMEWORKS, "folder")


def differences(data: dict[str, Any]) -> list[str]:
    tree = TEMPLATE.render(data, {})
    proposal = adopted(tree)
    again = TEMPLATE.render(parse_settings(proposal.raw, FRAMEWORKS).data, {})
    return sorted(p for p in {*tree, *again} - OWN if tree.get(p) != again.get(p))


@pytest.mark.parametrize("example", [folder.name for folder in EXAMPLES])
def test_an_example_comes_back(example: str) -> None:
    assert differences(settings_of(example)) == []


@hypothesis_settings(MANY, max_examples=20)  # more were tried by hand: docs/adopt.md tells how many
# Adopting proposes a variable of one environment for all of them, and does not look for what local alone changes.
@given(strategies.settings(variables=False))
def test_any_platform_comes_back(data: dict[str, Any]) -> None:
    assert differences(parse_settings(as_text(data), FRAMEWORKS).data) == []


@pytest.mark.parametrize("value", ["${{b<", "a${HOME}b", "$$", "~`\\c]-é}"])
def test_a_value_comes_back_as_it_was_written(value: str) -> None:
    data = {
        "version": 1,
        "name": "shop",
        "registry": "ghcr.io/acme",
        "services": {"api": {"framework": "express", "env": {"NOTE": value}}},
        "environments": {"production": {"host": "shop.example.com"}},
    }
    assert differences(parse_settings(as_text(data), FRAMEWORKS).data) == []


@pytest.mark.parametrize("uses", [["postgres", "redis"], ["redis", "postgres"]])
@pytest.mark.parametrize("external", [["postgres"], ["redis"], ["postgres", "redis"]])
@pytest.mark.parametrize("keeper", ["external-secrets", "sealed-secrets", "sops"])
def test_an_external_datastore_keeps_its_place_in_uses(uses: list[str], external: list[str], keeper: str) -> None:
    data = {
        "version": 1,
        "name": "shop",
        "registry": "ghcr.io/acme",
        "services": {"one": {"framework": "actix", "uses": uses}},
        "datastores": {"postgres": {}, "redis": {}},
        "delivery": {"secrets": keeper},
        "environments": {"staging": {"host": "shop.example.com", **dict.fromkeys(external, "external")}},
    }
    assert differences(parse_settings(as_text(data), FRAMEWORKS).data) == []


@pytest.mark.parametrize("example", [folder.name for folder in EXAMPLES])
def test_nothing_of_an_example_is_left_out_and_each_value_has_its_place(example: str) -> None:
    proposal = adopted(TEMPLATE.render(settings_of(example), {}))
    assert proposal.left_out == ()
    ports = [line for line in proposal.text.splitlines() if line.strip().startswith("port:")]
    assert ports
    assert all("#" in line and ".yaml:" in line for line in ports)


@pytest.mark.parametrize("framework", FRAMEWORKS.names)
def test_every_framework_is_known_again_by_its_dockerfile(framework: str) -> None:
    known = FRAMEWORKS[framework]
    backend = known["kind"] == "backend"
    service: dict[str, Any] = {"framework": framework, "uses": ["postgres", "redis"] if backend else []}
    if backend and known.get("migrations"):
        service["migrations"] = {"tool": known["migrations"][-1], "expect_indexes": ["users.idx_users_email"]}
    if known.get("public"):
        service["public_env"] = {f"{known['public']['prefix']}TITLE": "a title"}
    data = {
        "version": 1,
        "name": "shop",
        "registry": "ghcr.io/acme",
        "services": {"one": service},
        "datastores": {"postgres": {}, "redis": {}},
        "environments": {"production": {"host": "shop.example.com"}},
    }
    assert differences(data) == []
