"""What the audit knows of frameworks, and the template's folders: one does not contradict the other."""

from __future__ import annotations

import pytest
import yaml

from tests.conftest import ROOT
from tests.unit.audit.test_adopt import propose
from trimtab.audit.adopt.stacks import LIBRARIES
from trimtab.audit.facts.frameworks import (
    BUILD_TIME_PREFIXES,
    ECOSYSTEM,
    FRONTENDS,
    PUBLIC_PREFIXES,
    STATIC_FRONTENDS,
    frameworks_of,
)
from trimtab.frameworks import Frameworks

FRAMEWORKS = Frameworks(ROOT)
_ECOSYSTEMS = {"rust": "cargo", "java": "jvm"}  # the others have the name of their language
# Told from its twin by a setting, and from plain libraries by nothing.
_NO_DEPENDENCY = {"react-router-spa", "go"}
each = pytest.mark.parametrize("name", FRAMEWORKS.names)


@each
def test_a_framework_of_the_template_is_one_that_the_audit_recognises(name: str) -> None:
    data = FRAMEWORKS[name]
    ecosystem = _ECOSYSTEMS.get(data["language"], data["language"])
    if name in _NO_DEPENDENCY:
        assert name not in ECOSYSTEM or name == "react-router-spa"
        return
    assert ECOSYSTEM[name] == ecosystem
    named = [signal["dependency"].lower() for signal in data["detect"] if "dependency" in signal]
    found = [one for dependency in named for one in frameworks_of(ecosystem, frozenset({dependency}))]
    assert name in [LIBRARIES.get(one, one) for one in found]


@each
def test_its_kind_and_its_public_prefix_are_the_same(name: str) -> None:
    data = FRAMEWORKS[name]
    assert (name in FRONTENDS) == (data["kind"] == "frontend")
    assert (name in STATIC_FRONTENDS) == bool(data.get("static"))
    prefix = (data.get("public") or {}).get("prefix")
    if prefix and prefix != "PUBLIC_":  # too plain a word for the audit to take it for a framework's
        assert name in PUBLIC_PREFIXES[prefix]
        assert (prefix in BUILD_TIME_PREFIXES) or data["public"]["runtime"]


PACKAGE = '{{"name": "app", "scripts": {{"start": "node server.js"}}, "dependencies": {{"{}": "1"}}}}'
SOURCES = {
    "rails": {"Gemfile": "source 'https://rubygems.org'\ngem 'rails', '~> 8.1'\ngem 'pg'\n", "config.ru": "run App\n"},
    "laravel": {"composer.json": '{"name": "a/b", "require": {"laravel/framework": "^12"}}', "artisan": "<?php\n"},
    "aspnet": {"Api.csproj": '<Project Sdk="Microsoft.NET.Sdk.Web"></Project>', "Program.cs": "app.Run();\n"},
    "phoenix": {
        "mix.exs": 'def project, do: [app: :shop]\ndefp deps, do: [{:phoenix, "~> 1.8"}]\n',
        "config/config.exs": "import Config\n",
    },
    "rocket": {
        "Cargo.toml": '[package]\nname = "api"\nversion = "0.1.0"\n[dependencies]\nrocket = "0.5"\n',
        "src/main.rs": "#[launch]\nfn rocket() -> _ { rocket::build() }\n",
    },
    "fastify": {"package.json": PACKAGE.format("fastify"), "server.js": "app.listen({ port: 3000 })\n"},
    "angular": {"package.json": PACKAGE.format("@angular/core"), "angular.json": "{}"},
    "astro": {"package.json": PACKAGE.format("astro"), "src/pages/index.astro": "<p>hi</p>\n"},
    "astro-node": {
        "package.json": PACKAGE.format('astro": "5", "@astrojs/node'), "src/pages/index.astro": "<p>hi</p>\n",
    },
    "react-router": {"package.json": PACKAGE.format("@react-router/dev"), "app/root.tsx": "export default () => 1;\n"},
    "react-router-spa": {
        "package.json": PACKAGE.format("@react-router/dev"),
        "app/root.tsx": "export default () => 1;\n",
        "react-router.config.ts": "export default {\n  ssr: false,\n};\n",
    },
    "tanstack-start": {
        "package.json": PACKAGE.format("@tanstack/react-start"), "src/pages/index.tsx": "export default 1;\n",
    },
    "cra": {"package.json": PACKAGE.format("react-scripts"), "public/index.html": "<div id=root></div>\n"},
}  # fmt: skip


@pytest.mark.parametrize("name", SOURCES)
def test_sources_without_any_deployment_file_are_recognised(name: str) -> None:
    text = propose({f"shop/{path}": text for path, text in SOURCES[name].items()}).text
    services = yaml.safe_load(text)["services"]
    assert [(s["framework"], s.get("path", n)) for n, s in services.items()] == [(name, "shop")]
