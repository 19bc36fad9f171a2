"""Fixtures that every test may use. The caches of the program go to a folder of the test run."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

pytest_plugins = ["tests.proof.record", "pytester"]

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = sorted(p.parent for p in (ROOT / "tests" / "examples").glob("*/trimtab.yml"))

# Tests make commits; they must not depend on who runs them, and git must not ask.
os.environ.update(
    GIT_AUTHOR_NAME="Test",
    GIT_AUTHOR_EMAIL="test@example.com",
    GIT_COMMITTER_NAME="Test",
    GIT_COMMITTER_EMAIL="test@example.com",
    GIT_CONFIG_GLOBAL=os.devnull,
)
# Linters are installed beside the interpreter; tests call them by name, whether or not the environment is activated.
os.environ["PATH"] = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))


@pytest.fixture(scope="session", autouse=True)
def cache_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache of the test run's own, so that no test sees what an earlier run left."""
    folder = tmp_path_factory.mktemp("cache")
    os.environ["XDG_CACHE_HOME"] = str(folder)
    return folder


@dataclass(frozen=True)
class Ran:
    """What a run of the program came to."""

    code: int
    out: str
    err: str


@pytest.fixture
def trimtab(tmp_path: Path) -> Callable[..., Ran]:
    """Run the program in a process of its own, in the test's folder."""

    def run(*arguments: object, cwd: Path | None = None, stdin: str = "") -> Ran:
        done = subprocess.run(
            [sys.executable, "-m", "trimtab", *map(str, arguments)],
            cwd=cwd or tmp_path,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": str(ROOT / "generator"), "COLUMNS": "80"},
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Ran(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def git() -> Callable[..., str]:
    """Run git in a folder; a failure fails the test."""

    def run(folder: Path, *arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return run


@pytest.fixture(scope="session")
def template_repo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A git repository that holds the template as it is in the working tree, tagged v1.0.0. Copy it to change it."""
    folder = tmp_path_factory.mktemp("template") / "trimtab"
    make_template_repo(folder)
    return folder


def make_template_repo(folder: Path) -> None:
    """Commit `copier.yml` and `template/` of the working tree into a new repository."""
    import shutil

    folder.mkdir(parents=True)
    shutil.copy(ROOT / "copier.yml", folder)
    shutil.copytree(ROOT / "template", folder / "template")
    for command in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "v1"], ["tag", "v1.0.0"]):
        subprocess.run(["git", *command], cwd=folder, check=True, capture_output=True)


def settings_of(example: str) -> dict[str, Any]:
    """The settings of an example, as data."""
    data: dict[str, Any] = yaml.safe_load((ROOT / "tests" / "examples" / example / "trimtab.yml").read_text())
    return data
