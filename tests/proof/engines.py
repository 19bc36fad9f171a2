"""The engines that tests run on, and the versions of them on this machine."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_NUMBER = re.compile(r"v?(\d+(?:\.\d+)+)")
# Programs that tell their version.
_PROGRAMS = {
    "git": ("git", "--version"),
    "Docker": ("dockerd", "--version"),
    "Docker Compose": ("docker", "compose", "version"),
    "BuildKit (buildx)": ("docker", "buildx", "version"),
    "PostgreSQL": ("postgres", "--version"),
    "Redis": ("redis-server", "--version"),
    "nginx": ("nginx", "-v"),
    "kubectl": ("kubectl", "version", "--client"),
    "promtool": ("promtool", "--version"),
    "Node.js": ("node", "--version"),
    "npm": ("npm", "--version"),
    "kustomize": ("kustomize", "version"),
    "Ruby": ("ruby", "--version"),
    "Bundler": ("bundle", "--version"),
    "RSpec": ("rspec", "--version"),
    "bash": ("bash", "--version"),
    "hadolint": ("hadolint", "--version"),
    "actionlint": ("actionlint", "--version"),
    "zizmor": ("zizmor", "--version"),
    "shellcheck": ("shellcheck", "--version"),
    "checkov": ("checkov", "--version"),
}
# Python packages that are the engine.
_PACKAGES = {
    "Copier": "copier",
    "PyYAML": "pyyaml",
    "kubernetes-validate": "kubernetes-validate",
    "check-jsonschema": "check-jsonschema",
    "yamllint": "yamllint",
    "python-dotenv": "python-dotenv",
    "markdown-it": "markdown-it-py",
    "pglast": "pglast",
    "Alembic": "alembic",
    "Django": "django",
    "Hypothesis": "hypothesis",
}


def names() -> set[str]:
    """Every engine that a claim may name."""
    return {*_PROGRAMS, *_PACKAGES, "kubectl kustomize", "Python", "Linux"}


def versions() -> dict[str, str]:
    """The version of each engine that is on this machine."""
    found = {"Python": platform.python_version(), "Linux": platform.release()}
    for name, command in _PROGRAMS.items():
        if version := _asked(*command):
            found[name] = version
    if version := _asked("kubectl", "version", "--client", after="Kustomize Version"):
        found["kubectl kustomize"] = version
    for name, package in _PACKAGES.items():
        try:
            found[name] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return dict(sorted(found.items()))


def system() -> str:
    """The operating system, as it calls itself."""
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        return platform.system()


def _asked(program: str, *arguments: str, after: str = "") -> str:
    places = [
        Path(sys.executable).parent,
        ROOT / ".venv-checkov/bin",
        *sorted(Path("/usr/lib/postgresql").glob("*/bin")),
    ]
    path = next((str(p / program) for p in places if (p / program).exists()), shutil.which(program))
    if path is None:
        return ""
    done = subprocess.run([path, *arguments], capture_output=True, text=True, check=False, timeout=60)
    text = done.stdout + done.stderr
    match = _NUMBER.search(text[text.find(after) :] if after in text else "")
    return match.group(1) if match and not done.returncode else ""
