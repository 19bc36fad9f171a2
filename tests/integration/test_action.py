"""The composite action: linted, and each of its scripts run as GitHub's runner runs it.

The first step installs from PyPI or the checkout: here a stand-in of `python3 -m venv` records what would be installed,
and `tests/live/test_delivery.py` does it in earnest.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT
from tests.lint import program

ACTION = yaml.safe_load((ROOT / "action.yml").read_text())
STEPS = {step["name"]: step for step in ACTION["runs"]["steps"]}
PLATFORM = ROOT / "tests" / "repos" / "platform" / "tree"
# What makes a virtual environment: its pip records, its trimtab is this checkout's.
PYTHON = """#!/bin/sh
mkdir -p "$3/bin"
printf '#!/bin/sh\necho "$@" >> "%s/pip"\n' "$RUNNER_TEMP" > "$3/bin/pip"
printf '#!/bin/sh\nexec "%s" -m trimtab "$@"\n' "$TEST_PYTHON" > "$3/bin/trimtab"
chmod +x "$3/bin/pip" "$3/bin/trimtab"
"""


@dataclass
class Job:
    """One use of the action, with its inputs, on a runner of its own."""

    folder: Path
    inputs: Mapping[str, str]

    def value(self, text: str) -> str:
        """A text with its expressions filled in, as the runner does before it starts anything."""
        known = {f"inputs.{name}": str(given["default"]) for name, given in ACTION["inputs"].items()}
        known |= {f"inputs.{name}": value for name, value in self.inputs.items()}
        known["github.action_path"] = str(ROOT)
        return re.sub(r"\$\{\{ ([\w.-]+) \}\}", lambda match: known[match[1]], text)

    def wanted(self, step: dict[str, object]) -> bool:
        if "if" not in step:
            return True
        name, value = re.fullmatch(r"inputs\.(\w+) == '(\w+)'", str(step["if"])).groups()
        return self.value(f"${{{{ inputs.{name} }}}}") == value

    def run(self) -> tuple[int, str]:
        """Each step in turn, until one fails: the exit code, and what was printed."""
        temp, bin_, summary = self.folder / "temp", self.folder / "bin", self.folder / "summary.md"
        for made in (temp, bin_):
            made.mkdir(exist_ok=True)
        (bin_ / "python3").write_text(PYTHON)
        (bin_ / "python3").chmod(0o755)
        printed = ""
        for step in STEPS.values():
            assert "${{" not in step["run"]
            if not self.wanted(step):
                continue
            env = {
                **os.environ,
                "PATH": f"{bin_}:{os.environ['PATH']}",
                "PYTHONPATH": str(ROOT / "generator"),
                "TEST_PYTHON": sys.executable,
                "RUNNER_TEMP": str(temp),
                "GITHUB_STEP_SUMMARY": str(summary),
                **{name: self.value(value) for name, value in step.get("env", {}).items()},
            }
            script = self.folder / "script.sh"
            script.write_text(step["run"])
            where = self.folder / "work" / self.value(step.get("working-directory", "."))
            words = ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)]
            done = subprocess.run(words, cwd=where, env=env, capture_output=True, text=True, check=False)
            printed += done.stdout + done.stderr
            if done.returncode:
                return done.returncode, printed
        return 0, printed


@pytest.fixture
def job(tmp_path):
    def made(**inputs: str) -> Job:
        (tmp_path / "work").mkdir(exist_ok=True)
        return Job(tmp_path, {name.replace("_", "-"): value for name, value in inputs.items()})

    return made


def test_audit_annotates_summarises_and_fails(job, tmp_path):
    code, printed = job(directory=str(PLATFORM)).run()
    assert code == 1
    assert printed.startswith("::error file=backend/src/main.rs,line=10,title=critical%3A port-mismatch::")
    assert "- Critical: 3 findings" in (tmp_path / "summary.md").read_text()
    assert (tmp_path / "temp" / "pip").read_text() == f"install --quiet {ROOT}\n"


def test_audit_takes_its_inputs(job, tmp_path):
    base = tmp_path / "work"
    base.mkdir()
    (base / "a b").mkdir()
    (base / "a b" / "docker-compose.yml").write_text("services: {a: {image: 'acme/a:latest'}}\n")
    code, printed = job(
        directory="a b", fail_on="critical", min_confidence="low", sarif="out dir.sarif", version="9.9"
    ).run()
    assert code == 0, printed
    assert printed.startswith("::notice ") or printed.startswith("::warning ")
    assert json.loads((base / "out dir.sarif").read_text())["version"] == "2.1.0"
    assert (tmp_path / "temp" / "pip").read_text() == "install --quiet trimtab==9.9\n"
    (base / "baseline.json").write_text(
        subprocess.run(
            [sys.executable, "-m", "trimtab", "audit", base / "a b", "--format", "json"],
            capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(ROOT / "generator")},
        ).stdout
    )  # fmt: skip
    code, printed = job(directory="a b", fail_on="low", min_confidence="low", baseline="baseline.json").run()
    assert (code, printed) == (0, "")


def test_check_finds_drift(job, tmp_path, trimtab):
    work = tmp_path / "work"
    work.mkdir()
    settings = ROOT / "tests" / "examples" / "minimal" / "trimtab.yml"
    if not settings.exists():
        settings = min((ROOT / "tests" / "examples").glob("*/trimtab.yml"), key=lambda file: file.stat().st_size)
    assert trimtab("init", work / "app", "--settings", settings).code == 0
    assert job(command="check", directory="app").run()[0] == 0
    compose = work / "app" / "docker-compose.yml"
    compose.write_text(compose.read_text() + "# by hand\n")
    code, printed = job(command="check", directory="app").run()
    assert code == 1
    assert "docker-compose.yml" in printed


def test_an_unknown_command_is_no_success(job, tmp_path):
    assert job(command="audti").run() == (2, "::error::Trimtab: the input 'command' is neither check nor audit\n")
    assert not (tmp_path / "temp" / "pip").exists()


def test_values_are_not_run(job, tmp_path):
    hostile = "$(touch ran); `touch ran`; \"; touch ran; '"
    job(directory=hostile, version=hostile, fail_on=hostile, baseline=hostile, sarif=hostile).run()
    assert not list(tmp_path.rglob("ran"))


@pytest.mark.parametrize(
    "words",
    [
        ["check-jsonschema", "--builtin-schema", "vendor.github-actions", "action.yml"],
        ["zizmor", "--offline", "--persona", "pedantic", "--no-progress", "action.yml"],
    ],
    ids=lambda words: words[0],
)
def test_linters_are_content(words):
    done = subprocess.run([program(words[0]), *words[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
