"""Every text of the settings, by their JSON Schema: metacharacters are refused at the line, or the text is a free one.

The free texts are the values of `env` and `public_env`; test_hostile_values.py follows 10,000 of them.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT
from trimtab.frameworks import Frameworks
from trimtab.settings.json_schema import settings_schema
from trimtab.settings.load import SettingsError, parse_settings

Path = tuple[str | int, ...]
FREE = ("env", "public_env")
EVIL = (
    *("$(touch owned)", "`touch owned`", "${HOME}", "a;b", "a b", "a|b", "a&b", "a'b", 'a"b', "a\\b", "a\nb", "a\n"),
    *(
        "{{ 7*7 }}",
        "{% raw %}",
        "${{ github.token }}",
        "<script>",
        "a: b",
        "a #b",
        "- a",
        "*a",
        "!!python/object:os",
        "%41",
    ),
    *(
        "../owned",
        "a/../../owned",
        "/etc/passwd\0",
        "..",
        "",
        " ",
        "é",
        "\u202e",
        "-rf",
        "--",
        "'; DROP TABLE users; --",
    ),
)
EVERYTHING = """\
version: 1
name: shop
registry: ghcr.io/acme
services:
  api:
    framework: fastapi
    path: services/api
    port: 4000
    route: [/api, /v1]
    health: { live: /live, ready: /ready }
    metrics: /metrics
    uses: [postgres, redis]
    migrations: { tool: alembic, path: alembic, expect_indexes: [users.by_name] }
    env: { NOTE: free }
    secrets: [JWT_SECRET]
    resources: { cpu: 250m, memory: 256Mi }
    autoscaling: { min: 1, max: 3, cpu: 70, metrics: [{ name: requests, from: requests_total, target: 250m }] }
  jobs: { framework: express, health: /health, route: /jobs, migrations: prisma, uses: [postgres] }
  web: { framework: vite, public_env: { VITE_NOTE: free } }
datastores:
  postgres: { version: "18", storage: 20Gi, resources: { cpu: 250m, memory: 256Mi } }
  redis: { version: "8.10", storage: 1Gi, resources: { cpu: 100m, memory: 128Mi } }
delivery:
  ci: github
  mode: gitops
  engine: argocd
  repository: https://github.com/acme/shop
  strategy: canary
  abort_when: { error_rate: 1%, p95_latency: 500ms }
  secrets: sops
  ingress: gateway
  hooks: [before-deploy]
  metrics: keda
environments:
  local: {}
  production:
    host: shop.example.com
    tls: letsencrypt
    approval: required
    namespace: shop-prod
    postgres: external
    redis: in-cluster
    patches: [mine.yaml]
    services:
      api:
        env: { NOTE: other }
        resources: { cpu: 500m, memory: 512Mi }
        autoscaling: { max: 5, metrics: [{ name: requests, from: requests_total, target: 500m }] }
      web: { public_env: { VITE_NOTE: other } }
"""
DATA: dict[str, Any] = yaml.safe_load(EVERYTHING)


def texts_of(schema: dict[str, Any], at: Path = ()) -> Iterator[Path]:
    """The place of every text in the schema; `*` is any key or item, and `*key` is the key itself."""
    if "$ref" in schema:
        yield from texts_of(settings_schema()["$defs"][schema["$ref"].rsplit("/", 1)[1]], at)
    for branch in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        yield from texts_of(branch, at)
    kinds = schema.get("type", ())
    if "string" in ([kinds] if isinstance(kinds, str) else kinds) or isinstance(schema.get("const"), str):
        yield at
    for name, inner in schema.get("properties", {}).items():
        yield from texts_of(inner, (*at, name))
    maps = [schema["additionalProperties"]] if isinstance(schema.get("additionalProperties"), dict) else []
    for inner in (*maps, *schema.get("patternProperties", {}).values()):
        yield (*at, "*key")
        yield from texts_of(inner, (*at, "*"))
    if isinstance(schema.get("items"), dict):
        yield from texts_of(schema["items"], (*at, "*"))


def leaves(value: Any, at: Path = ()) -> Iterator[Path]:
    """The place of every text in the data, keys of maps that the user names included (as `*key:name`)."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if at and at[-1] in ("services", "environments", *FREE):
                yield (*at, f"*key:{key}")
            yield from leaves(inner, (*at, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from leaves(inner, (*at, index))
    elif isinstance(value, str):
        yield at


def general(path: Path) -> Path:
    """A place in the data as its place in the schema."""
    found: list[str | int] = []
    for number, part in enumerate(path):
        before = path[number - 1] if number else ""
        if isinstance(part, str) and part.startswith("*key:"):
            found.append("*key")
        elif isinstance(part, int) or before in ("services", "environments", *FREE):
            found.append("*")
        else:
            found.append(part)
    return tuple(found)


def test_the_settings_above_hold_every_text_of_the_schema() -> None:
    parse_settings(EVERYTHING.encode(), Frameworks(ROOT))
    assert {general(p) for p in leaves(DATA)} == set(texts_of(settings_schema()))


def put(path: Path, text: str) -> dict[str, Any]:
    data = copy.deepcopy(DATA)
    here: Any = data
    for part in path[:-1]:
        here = here[part]
    last = path[-1]
    if isinstance(last, str) and last.startswith("*key:"):
        here[text] = here.pop(last.removeprefix("*key:"))
    else:
        here[last] = text
    return data


NOT_FREE = [p for p in leaves(DATA) if len(p) < 2 or p[-2] not in FREE or str(p[-1]).startswith("*key")]


@pytest.mark.parametrize("path", NOT_FREE, ids=str)
def test_a_text_that_is_not_free_holds_no_metacharacter(path: Path) -> None:
    frameworks = Frameworks(ROOT)
    taken = []
    for evil in EVIL:
        raw = yaml.safe_dump(put(path, evil), sort_keys=False, allow_unicode=True).encode()
        try:
            parse_settings(raw, frameworks)
            taken.append(evil)
        except SettingsError as error:
            assert all(line.startswith("trimtab.yml:") for line in error.lines), error.lines
    assert taken == []
