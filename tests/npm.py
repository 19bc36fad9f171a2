"""Tools that only npm has, installed once per checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest


def installed(source: Path, folder: Path) -> Path:
    """`folder` with the packages of `source`/package.json. Without npm the test is skipped; in CI it fails."""
    npm = shutil.which("npm")
    wanted = (source / "package.json").read_text()
    if (folder / "done").exists() and (folder / "done").read_text() == wanted:
        return folder
    problem = "npm is not installed"
    if npm:
        folder.mkdir(exist_ok=True)
        shutil.copy(source / "package.json", folder)
        options = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"]
        done = subprocess.run([npm, "install", *options], cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            (folder / "done").write_text(wanted)
            return folder
        problem = f"npm install failed: {done.stderr[-500:]}"
    if os.environ.get("CI"):
        pytest.fail(problem)
    pytest.skip(problem)
