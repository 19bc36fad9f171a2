"""Platforms for the workflow and the documentation: those of the other outputs, and one for each way of delivery."""

from __future__ import annotations

import functools
from typing import Any

import yaml

from tests.conftest import ROOT
from tests.unit.outputs.platforms import SETTINGS
from trimtab.engine import Template, Tree

_TEXTS = {
    "backend-only": """
        version: 1
        name: solo
        registry: ghcr.io/acme
        services: { api: { framework: actix, uses: [postgres], migrations: diesel } }
        datastores: { postgres: {} }
        delivery: { mode: kubectl, strategy: canary, hooks: [before-deploy] }
        environments: { production: { host: app.example.com, approval: required } }
    """,
    "flux-six": """
        version: 1
        name: six
        registry: docker.io/acme
        services:
          a: { framework: fastapi, uses: [postgres], migrations: alembic }
          b: { framework: express, uses: [postgres, redis], migrations: prisma, route: /b }
          c: { framework: actix, route: /c }
          d: { framework: next }
          e: { framework: vite, route: /e }
          f: { framework: fastapi, route: false }
        datastores: { postgres: {}, redis: {} }
        delivery: { mode: gitops, engine: flux, strategy: blue-green, hooks: [before-deploy, after-deploy] }
        environments:
          dev: { host: dev.example.com }
          staging: { host: staging.example.com }
          canary: { host: c.example.com, approval: required }
          production: { host: app.example.com, approval: required }
    """,
    "no-datastores": """
        version: 1
        name: plain
        registry: ghcr.io/acme
        services: { api: { framework: express }, web: { framework: next } }
        delivery: { mode: kubectl, strategy: blue-green, ingress: ingress, secrets: sealed-secrets }
        environments: { staging: { host: s.example.com }, production: { host: p.example.com } }
    """,
}
_ALL: dict[str, dict[str, Any]] = SETTINGS | {name: yaml.safe_load(text) for name, text in _TEXTS.items()}
# The same platforms with GitLab's pipeline.
for _name in ("platform", "flux-six", "backend-only"):
    _ALL[f"{_name}-gitlab"] = _ALL[_name] | {"delivery": _ALL[_name]["delivery"] | {"ci": "gitlab"}}
NAMES = [*_ALL]
GITLAB = [name for name in NAMES if _ALL[name].get("delivery", {}).get("ci") == "gitlab"]
GITHUB = [name for name in NAMES if name not in GITLAB]


def settings(name: str) -> dict[str, Any]:
    return _ALL[name]


@functools.cache
def tree(name: str) -> Tree:
    return Template(ROOT).render(settings(name), {})


@functools.cache
def project(name: str) -> dict[str, Any]:
    found: dict[str, Any] = Template(ROOT).context(settings(name), {})["project"]
    return found


def text(name: str, path: str) -> str:
    return tree(name)[path].content.decode()
