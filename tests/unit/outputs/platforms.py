"""Platforms that tests of the outputs render: the examples, and settings that reach each branch of the templates."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any

import yaml

from tests.conftest import EXAMPLES, ROOT
from trimtab.engine import Template

TEMPLATE = Template(ROOT)

_MORE = """
only-backend:
  version: 1
  name: one
  registry: ghcr.io/acme
  services:
    api: { framework: actix, path: ., uses: [postgres], migrations: sqlx }
  datastores: { postgres: { version: "18-alpine" } }
  environments: { local: {} }
only-frontend:
  version: 1
  name: front
  registry: ghcr.io/acme
  services:
    web:
      framework: vite
      route: [/app, /, /old]
      health: /app
      public_env: { VITE_X: "it's <b> \\"q\\" $HOME \\\\ #x `id` {{ 7 }} é", VITE_N: 5 }
    bare: { framework: vite, route: /bare, port: 80 }
  environments:
    staging: { host: b.example.com }
    production:
      host: a.example.com
      services:
        web: { public_env: { VITE_ONLY_PRODUCTION: x } }
        bare: { public_env: { VITE_ONLY_PRODUCTION: y } }
two-next:
  version: 1
  name: nx
  registry: localhost:5000
  services:
    web:
      framework: next
      path: apps/web
      port: 4000
      uses: [postgres, redis]
      migrations: prisma
      public_env: { NEXT_PUBLIC_X: "it's \\"q\\" $HOME \\\\" }
    w-2: { framework: next, route: false, uses: [web, postgres], migrations: sql }
  datastores:
    postgres: { version: "16.4", resources: { cpu: "1.5", memory: 2Gi } }
    redis: { version: 8.10-alpine }
  environments:
    local: { services: { web: { resources: { cpu: "0.5" } } } }
    staging: { host: s.example.com }
six:
  version: 1
  name: six
  registry: ghcr.io/acme/deep/er
  services:
    a:
      framework: fastapi
      uses: [postgres, b]
      migrations: sql
      env: { EVIL: "a$b ${C} $$d `id` $(x) #y 'z' \\"w\\" \\\\ {{ x }} %s", EMPTY: "", ONE: 1, TWO: true }
    b: { framework: express, uses: [a, redis], secrets: [API_TOKEN, B_MODE] }
    c:
      framework: actix
      uses: [postgres]
      migrations: diesel
      route: [/c, /c/d]
      env: { B_MODE: plain, A_PORT: 1, B_HOST_PORT: 2, POSTGRES_HOST_PORT: 3, GATEWAY_HOST_PORT: 4, OWN: 5 }
    d: { framework: vite, route: / }
    e: { framework: next, route: /e }
    f: { framework: vite, route: false }
  datastores: { postgres: {}, redis: {} }
  environments: { production: { host: a.example.com } }
"""

SETTINGS: dict[str, dict[str, Any]] = {p.name: yaml.safe_load((p / "trimtab.yml").read_text()) for p in EXAMPLES}
SETTINGS |= yaml.safe_load(_MORE)


@dataclass(frozen=True)
class Platform:
    """What one settings file renders to: the text of each file, and the project that it was rendered from."""

    name: str
    settings: dict[str, Any]
    files: dict[str, str] = field(repr=False)
    project: dict[str, Any] = field(repr=False)
    pins: dict[str, Any] = field(repr=False)

    def compose(self, path: str = "docker-compose.yml") -> dict[str, Any]:
        data: dict[str, Any] = yaml.safe_load(self.files[path])
        return data


def rendered(name: str, settings: dict[str, Any]) -> Platform:
    tree = TEMPLATE.render(settings, {})
    files = {path: file.content.decode() for path, file in tree.items()}
    context = TEMPLATE.context(settings, {})
    return Platform(name, settings, files, context["project"], context["pins"])


@cache
def platform(name: str) -> Platform:
    return rendered(name, SETTINGS[name])
