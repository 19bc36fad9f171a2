"""A simulated runner: a checkout with the emitted scripts, real git and jq, and recorders in place of the rest."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.unit.outputs import workflow_platforms as platforms

_FAKE = """#!/usr/bin/env bash
# Writes down how it was called, then does what the test asked for.
jq --null-input --compact-output --arg name {name} '{{name: $name, args: $ARGS.positional}}' --args -- "$@" >> {log}
{body}
"""
SHA = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Runner:
    """One job: its folder, its environment, and every call of a program that is not really there."""

    home: Path
    platform: str
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for folder in (self.bin, self.temp, self.root):
            folder.mkdir(parents=True, exist_ok=True)
        for path, file in platforms.tree(self.platform).items():
            target = self.root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.content)
            if file.executable:
                target.chmod(target.stat().st_mode | stat.S_IXUSR)

    @property
    def root(self) -> Path:
        return self.home / "checkout"

    @property
    def bin(self) -> Path:
        return self.home / "bin"

    @property
    def temp(self) -> Path:
        return self.home / "temp"

    def fake(self, name: str, body: str = "") -> None:
        """Put a program on PATH that is recorded and then runs `body` (bash)."""
        target = self.bin / name
        target.write_text(_FAKE.format(name=name, log=self.home / "calls.jsonl", body=body))
        target.chmod(0o755)

    def calls(self, name: str) -> list[list[str]]:
        """The arguments of each call of a fake program, in order."""
        log = self.home / "calls.jsonl"
        lines = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
        return [line["args"] for line in lines if line["name"] == name]

    def run(self, script: str, *arguments: str, check: bool = True, **more: str) -> subprocess.CompletedProcess[str]:
        environment = {
            "PATH": f"{self.bin}:{os.environ['PATH']}",
            "HOME": str(self.home),
            **(self._gitlab() if self.platform in platforms.GITLAB else self._github()),
            "POLL_SECONDS": "0",
            "GIT_CONFIG_GLOBAL": os.devnull,
            **self.environment,
            **more,
        }
        done = subprocess.run(
            [str(self.root / "infrastructure/ci" / script), *arguments],
            cwd=self.root,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def _github(self) -> dict[str, str]:
        return {
            "RUNNER_TEMP": str(self.temp),
            "GITHUB_OUTPUT": str(self.home / "output"),
            "GITHUB_ENV": str(self.home / "env"),
            "GITHUB_STEP_SUMMARY": str(self.home / "summary.md"),
            "GITHUB_REPOSITORY": "acme/shop",
            "GITHUB_SHA": SHA,
            "GITHUB_RUN_ID": "1",
        }

    def _gitlab(self) -> dict[str, str]:
        """Predefined variables, as https://docs.gitlab.com/ci/variables/predefined_variables/ names them."""
        return {
            "RUN_TEMP": str(self.temp),
            "CI_API_V4_URL": "https://gitlab.com/api/v4",
            "CI_COMMIT_REF_NAME": "main",
            "CI_COMMIT_SHA": SHA,
            "CI_JOB_TOKEN": "job-token",
            "CI_PIPELINE_ID": "1",
            "CI_PROJECT_ID": "7",
            "CI_PROJECT_PATH": "acme/shop",
            "CI_PROJECT_URL": "https://gitlab.com/acme/shop",
            "CI_REGISTRY": "registry.gitlab.com",
            "CI_REGISTRY_PASSWORD": "job-token",
            "CI_REGISTRY_USER": "gitlab-ci-token",
            "CI_SERVER_HOST": "gitlab.com",
            "CI_SERVER_SHELL_SSH_HOST": "gitlab.com",
            "CI_SERVER_SHELL_SSH_PORT": "22",
            "CI_SERVER_URL": "https://gitlab.com",
        }

    def outputs(self) -> dict[str, str]:
        lines = (self.home / "output").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines)

    def summary(self) -> str:
        file = (self.root / "reports" if self.platform in platforms.GITLAB else self.home) / "summary.md"
        return file.read_text() if file.exists() else ""

    def report(self, name: str) -> str:
        return (self.root / "reports" / name).read_text()

    def facts(self) -> dict[str, Any]:
        data: dict[str, Any] = json.loads((self.root / "infrastructure/ci/platform.json").read_text())
        return data

    def git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=self.root, capture_output=True, text=True, check=True, env=os.environ | _AUTHOR
        )
        return done.stdout.strip()

    def commit(self, message: str = "work") -> str:
        if not (self.root / ".git").exists():
            self.git("init", "-q", "-b", "main")
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    def digests(self, first: int = 1) -> dict[str, str]:
        """Write the digest of every image, as `build` does; by image. They count from `first`."""
        found = {}
        for number, image in enumerate(self.facts()["images"], first):
            found[image["image"]] = f"sha256:{number:064x}"
            self.run("digests.sh", "record", image["name"], image["image"], found[image["image"]])
        return found


_AUTHOR = {
    "GIT_AUTHOR_NAME": "Test",
    "GIT_AUTHOR_EMAIL": "test@example.com",
    "GIT_COMMITTER_NAME": "Test",
    "GIT_COMMITTER_EMAIL": "test@example.com",
    "GIT_CONFIG_GLOBAL": os.devnull,
}
REAL = {name: shutil.which(name) for name in ("git", "jq", "kubectl", "shellcheck")}
