"""The workflow, its scripts and the pages are clean for the checkers that a team would run, whatever the settings."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.outputs import workflow_platforms as platforms
from tests.unit.outputs.runner import Runner

WORKFLOW = ".github/workflows/ci-cd.yml"
# Checkers are installed beside the interpreter that runs the tests, or on PATH.
PATH = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
COMMANDS = {
    "actionlint": ["actionlint", WORKFLOW],
    "check-jsonschema": ["check-jsonschema", "--builtin-schema", "vendor.github-workflows", WORKFLOW],
    "zizmor": ["zizmor", "--offline", "--persona", "pedantic", "--no-progress", WORKFLOW],
    "yamllint": ["yamllint", "--strict", WORKFLOW],
}


def run(root: Path, *command: str) -> None:
    if not shutil.which(command[0], path=PATH):
        pytest.skip(f"{command[0]} is not installed")
    done = subprocess.run(
        command, cwd=root, env=os.environ | {"PATH": PATH}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    made: dict[str, Path] = {}
    for name in platforms.NAMES:
        made[name] = Runner(tmp_path_factory.mktemp("lint"), name).root
        for hook in platforms.project(name)["delivery"]["hooks"]:  # the owner's, which the workflow calls
            action = made[name] / ".github/actions" / hook / "action.yml"
            action.parent.mkdir(parents=True)
            action.write_text(
                f"name: {hook}\ndescription: Ours\ninputs:\n  environment:\n    description: Where\n"
                "runs:\n  using: composite\n  steps:\n    - run: 'true'\n      shell: bash\n"
            )
        subprocess.run(["git", "init", "-q"], cwd=made[name], check=True)
    return made


@pytest.mark.parametrize("checker", COMMANDS)
@pytest.mark.parametrize("name", platforms.GITHUB)
def test_the_workflow_is_clean(folders: dict[str, Path], name: str, checker: str) -> None:
    run(folders[name], *COMMANDS[checker])


@pytest.mark.parametrize("name", platforms.NAMES)
def test_the_scripts_are_clean(folders: dict[str, Path], name: str) -> None:
    scripts = sorted(str(p) for p in (folders[name] / "infrastructure/ci").glob("*.sh"))
    run(folders[name], "shellcheck", *scripts)


@pytest.mark.parametrize("name", platforms.GITHUB)
def test_every_rule_that_is_switched_off_says_why(name: str) -> None:
    for line in platforms.text(name, WORKFLOW).splitlines():
        if "ignore[" in line:
            assert len(line.split("]", 1)[1].split()) >= 3, line
