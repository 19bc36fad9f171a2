"""A small repository for every fault, and what it holds: files, folders, links, modes."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Ran

Program = Callable[..., Ran]
SETTINGS = """\
version: 1
name: shop
registry: ghcr.io/acme
services:
  api: { framework: express, port: 4000, uses: [postgres] }
datastores: { postgres: {} }
environments:
  local: {}
"""
CHANGED = SETTINGS.replace("4000", "4567")


def state(root: Path) -> dict[str, object]:
    """Everything below a folder but git's own, so that two moments can be compared."""
    found: dict[str, object] = {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if name == ".git" or name.startswith(".git/"):
            continue
        if path.is_symlink():
            found[name] = str(path.readlink())
        elif path.is_file():
            found[name] = (path.read_bytes(), path.stat().st_mode)
        else:
            found[name] = path.stat().st_mode
    return found


def commit(root: Path) -> None:
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-q", "--allow-empty", "-m", "all"]):
        subprocess.run(["git", *command], cwd=root, check=True, capture_output=True)


@pytest.fixture(scope="session")
def generated(tmp_path_factory: pytest.TempPathFactory, cache_home: Path) -> Path:
    """A generated repository, committed. Copy it."""
    from trimtab import pipeline

    root = tmp_path_factory.mktemp("generated") / "shop"
    pipeline.init(root, SETTINGS.encode(), "trimtab.yml")
    commit(root)
    return root


@pytest.fixture
def shop(generated: Path, tmp_path: Path) -> Path:
    """A generated repository of the test's own, whose settings have changed since: `sync` has work to do."""
    root = tmp_path / "shop"
    shutil.copytree(generated, root, symlinks=True)
    (root / "trimtab.yml").write_text(CHANGED)
    subprocess.run(["git", "commit", "-q", "-a", "-m", "port"], cwd=root, check=True)
    return root


def refused(ran: Ran, *words: str) -> None:
    """The command said no, in one line and a remedy."""
    assert ran.code == 2, (ran.code, ran.out, ran.err)
    assert ran.out == ""
    lines = ran.err.splitlines()
    assert len(lines) <= 2, ran.err
    assert all(line.startswith("  ") for line in lines[1:]), ran.err
    for word in words:
        assert word in ran.err, ran.err
