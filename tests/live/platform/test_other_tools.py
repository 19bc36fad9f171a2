"""The same Dockerfiles for repositories that use other package managers."""

from __future__ import annotations

import json
import shutil
import tomllib
from pathlib import Path

import pytest

from tests.live.engine import bases
from tests.live.platform.running import Running

pytestmark = pytest.mark.live


@pytest.fixture
def copied(laid: Running, tmp_path: Path) -> Running:
    folder = tmp_path / "platform"
    shutil.copytree(laid.folder, folder)
    return Running(laid.engine, folder)


def build(platform: Running, service: str) -> str:
    file = f"infrastructure/docker/Dockerfile.{service}"
    return platform.engine.docker("build", "--quiet", "--file", file, ".", cwd=platform.folder).stdout.strip()


def test_python_without_uv(copied: Running) -> None:
    folder = copied.folder / "api"
    packages = tomllib.loads((folder / "uv.lock").read_text())["package"]
    wanted = [f"{p['name']}=={p['version']}" for p in packages if p["name"] not in ("api", "colorama", "tzdata")]
    (folder / "requirements.txt").write_text("\n".join(wanted) + "\n")
    (folder / "uv.lock").unlink()
    (folder / "pyproject.toml").unlink()
    image = build(copied, "api")
    shown = copied.engine.docker("run", "--rm", image, "fastapi", "--version").stdout
    assert "version" in shown


def test_node_with_yarn(copied: Running) -> None:
    folder = copied.folder / "board"
    manifest = json.loads((folder / "package.json").read_text())
    del manifest["packageManager"]
    (folder / "package.json").write_text(json.dumps(manifest))
    (folder / "pnpm-lock.yaml").unlink()
    make = "npm install --silent --global yarn@1.22.22 && yarn install --silent --ignore-scripts && rm -r node_modules"
    copied.engine.docker("run", "--rm", "-v", f"{folder}:/app", "-w", "/app", bases.pins()["node"], "sh", "-c", make)
    assert "yarn lockfile v1" in (folder / "yarn.lock").read_text()
    image = build(copied, "board")
    listing = copied.engine.docker("run", "--rm", image, "sh", "-c", "ls node_modules; cat /usr/local/bin/start").stdout
    assert "express" in listing.split()
    assert "is-number" not in listing.split()
    assert "NODE_OPTIONS=--enable-source-maps exec node --no-warnings server.js" in listing
