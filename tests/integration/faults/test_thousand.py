"""A settings file with 1,000 services: every command that reads or writes the whole tree, in time and in full."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import yaml

from tests.conftest import Ran

SERVICES = 1000
KINDS = ("fastapi", "express", "go", "vite")


def text() -> str:
    lines = ["version: 1", "name: vast", "registry: ghcr.io/acme", "services:"]
    for number in range(SERVICES):
        kind = KINDS[number % len(KINDS)]
        uses = "" if kind == "vite" else ", uses: [postgres]"
        lines.append(f"  s{number:04d}: {{ framework: {kind}, route: /s{number:04d}{uses} }}")
    lines += ["datastores: { postgres: {} }", "environments: { production: { host: vast.example.com } }"]
    return "\n".join(lines) + "\n"


def test_a_thousand_services(tmp_path: Path, trimtab: Callable[..., Ran]) -> None:
    settings, root = tmp_path / "vast.yml", tmp_path / "vast"
    settings.write_text(text())
    assert trimtab("init", root, "--settings", settings).code == 0
    compose = yaml.safe_load((root / "docker-compose.yml").read_text())
    assert {f"s{number:04d}" for number in range(SERVICES)} <= {*compose["services"]}
    published = [port for service in compose["services"].values() for port in service.get("ports", [])]
    assert len(published) == len({str(port) for port in published})

    steered = root / "trimtab.yml"
    steered.write_text(
        steered.read_text().replace("s0001: { framework: express", "s0001: { framework: express, port: 4321")
    )
    assert trimtab("check", root).code == 1
    assert trimtab("sync", root).code == 0
    (port,) = [
        one["containerPort"]
        for document in yaml.safe_load_all((root / "k8s/base/s0001/deployment.yaml").read_text())
        for one in document["spec"]["template"]["spec"]["containers"][0]["ports"]
        if one["name"] == "http"
    ]
    assert port == 4321
    assert trimtab("check", root).code == 0
