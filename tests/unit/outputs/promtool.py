"""Prometheus' own checker: on PATH, or unpacked from Debian's package, which starts no service."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

from tests.conftest import ROOT

_FOLDER = ROOT / ".promtool"


@cache
def _program() -> str:
    unpacked = _FOLDER / "usr" / "bin" / "promtool"
    if found := shutil.which("promtool"):
        return found
    if not unpacked.exists() and shutil.which("apt-get") and shutil.which("dpkg"):
        _FOLDER.mkdir(exist_ok=True)
        subprocess.run(["apt-get", "download", "prometheus"], cwd=_FOLDER, capture_output=True, check=False)
        for package in _FOLDER.glob("prometheus_*.deb"):
            subprocess.run(["dpkg", "-x", str(package), str(_FOLDER)], check=True)
            package.unlink()
    if unpacked.exists():
        return str(unpacked)
    if os.environ.get("CI"):
        pytest.fail("promtool is not installed (Debian: prometheus)")
    pytest.skip("promtool is not installed (Debian: prometheus)")


def promtool(*arguments: str | Path) -> str:
    """Run it; what it printed. A failure fails the test."""
    done = subprocess.run([_program(), *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
