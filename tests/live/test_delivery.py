"""Trimtab as others install it: by pre-commit from a clone of this repository, and by the action's first step.

Both build the wheel and install it with its dependencies from PyPI.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT

pytestmark = [pytest.mark.live, pytest.mark.long]
DRIFTED = "services:\n  api:\n    build: .\n    ports: ['8080:3000']\n"
DOCKERFILE = 'FROM node:22\nEXPOSE 4000\nENV PORT=4000\nCMD ["node", "server.js"]\n'
SERVER = "const port = process.env.PORT || 4000;\napp.listen(port);\n"


def call(*words: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words, cwd=cwd, capture_output=True, text=True, check=False, timeout=600, env={**os.environ, **env}
    )


def missing(reason: str) -> None:
    if os.environ.get("TRIMTAB_LIVE_REQUIRED"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a user's pre-commit would clone: this checkout's files, committed."""
    folder = tmp_path_factory.mktemp("clone")
    listed = call("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT)
    if listed.returncode:
        missing("this checkout is no git repository")
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file() and not name.startswith("tests/"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "as it is"]):
        done = call("git", *words, cwd=folder)
        assert done.returncode == 0, done.stderr
    return folder


def test_the_pre_commit_hooks(clone, tmp_path, trimtab):
    program = Path(sys.executable).parent / "pre-commit"
    if not program.exists():
        missing("pre-commit is not installed")
    user = tmp_path / "user"
    assert trimtab("init", user, "--defaults").code == 0
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "generated"]):
        assert call("git", *words, cwd=user).returncode == 0
    home = {"PRE_COMMIT_HOME": str(tmp_path / "home"), "XDG_CACHE_HOME": str(tmp_path / "cache")}

    def run() -> subprocess.CompletedProcess[str]:
        return call(str(program), "try-repo", str(clone), "--all-files", "--verbose", cwd=user, **home)

    clean = run()
    assert clean.returncode == 0, clean.stdout + clean.stderr
    assert clean.stdout.count("Passed") == 2
    workflow = user / ".github" / "workflows" / "ci-cd.yml"
    workflow.write_text(workflow.read_text() + "# by hand\n")
    for name, text in {"docker-compose.yml": DRIFTED, "Dockerfile": DOCKERFILE, "server.js": SERVER}.items():
        (user / "other" / name).parent.mkdir(exist_ok=True)
        (user / "other" / name).write_text(text)
    call("git", "add", "-A", cwd=user)
    drifted = run()
    assert drifted.returncode == 1
    assert drifted.stdout.count("Failed") == 2, drifted.stdout
    assert "ci-cd.yml" in drifted.stdout
    assert "port-mismatch" in drifted.stdout


def test_the_actions_install_step(clone, tmp_path):
    action = yaml.safe_load((ROOT / "action.yml").read_text())
    script = tmp_path / "script.sh"
    script.write_text(action["runs"]["steps"][0]["run"])
    env = {"COMMAND": "audit", "VERSION": "", "ACTION_PATH": str(clone), "RUNNER_TEMP": str(tmp_path)}
    done = call("bash", "--noprofile", "--norc", "-eo", "pipefail", str(script), cwd=tmp_path, **env)
    assert done.returncode == 0, done.stderr
    shown = call(str(tmp_path / "trimtab" / "bin" / "trimtab"), "rules", cwd=tmp_path, PYTHONPATH="")
    assert shown.returncode == 0, shown.stderr
    assert "port-mismatch" in shown.stdout
