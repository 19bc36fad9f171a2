"""Every script of every emitted workflow is run by the tests of this folder, or says here why it cannot be.

An exception is a script of one language; tests/unit/outputs/test_language_checks.py runs each with recorded programs.
"""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from tests.live.workflow.conftest import Followed, Site
from tests.live.workflow.simulated import Run
from tests.unit.outputs import workflow_platforms as platforms
from tests.unit.outputs.checks import CHECKS
from tests.unit.outputs.github import steps

pytestmark = [pytest.mark.live, pytest.mark.long]
# (job, what its script begins with): why it is not run here.
EXCEPTIONS = {
    ("lint-dotnet", "infrastructure/ci/dotnet.sh lint"): "Debian has no .NET, and its packages come from NuGet",
    ("test-dotnet", "infrastructure/ci/dotnet.sh test"): "Debian has no .NET, and its packages come from NuGet",
    ("lint-elixir", "infrastructure/ci/elixir.sh lint"): "Hex itself and every dependency come from hex.pm",
    ("test-elixir", "infrastructure/ci/elixir.sh test"): "Hex itself and every dependency come from hex.pm",
    ("lint-go", "infrastructure/ci/go.sh lint"): "golangci-lint and govulncheck come from the Go module proxy",
    ("test-go", "infrastructure/ci/go.sh test"): "gotestsum comes from the Go module proxy",
    ("lint-java", "infrastructure/ci/java.sh lint"): "Maven Central is out of reach, and Debian has no Spring Boot",
    ("test-java", "infrastructure/ci/java.sh test"): "Maven Central is out of reach, and Debian has no Spring Boot",
    ("lint-php", "infrastructure/ci/php.sh lint"): "composer audit asks Packagist",
    ("test-php", "infrastructure/ci/php.sh test"): "Laravel comes from Packagist",
    ("lint-ruby", "infrastructure/ci/ruby.sh lint"): "bundler-audit comes from RubyGems",
    ("test-ruby", "infrastructure/ci/ruby.sh test"): "tests/live/test_language_checks.py runs it, on gems of Debian's",
}


def normal(job: str, script: str) -> tuple[str, str]:
    """Environments have a job each, and languages have two, with the same steps; the version of Redis is a setting.

    What a script of a language's job does is its language's own affair where it names the language.
    """
    kind, _, language = job.partition("-")
    shared = kind == "deploy" or (kind in {"lint", "test"} and language not in script)
    return kind if shared else job, re.sub(r"redis:\S+ ", "redis ", " ".join(script.split()))


def scripts() -> list[tuple[str, str, dict[str, Any]]]:
    """Every step with a `run:`: the platform that the tests of the workflow know, the job, the step."""
    file = ".github/workflows/ci-cd.yml"
    return [
        (name, job, step)
        for name in platforms.NAMES
        if file in platforms.tree(name)
        for job, step in steps(yaml.safe_load(platforms.text(name, file)))
        if "run" in step
    ]


def emitted() -> dict[tuple[str, str], str]:
    """Every script, and one platform that has it."""
    return {normal(job, step["run"]): name for name, job, step in scripts()}


@pytest.fixture
def ran(site: Site, released: Run, reviewed: Run, followed: Followed, reverted: Run) -> set[tuple[str, str]]:
    """The steps that all runs of this folder have run."""
    return {normal(*step) for step in [*site.executed, *followed.site.executed]}


def test_every_step_was_run(ran: set[tuple[str, str]]) -> None:
    missing = {
        step: platform
        for step, platform in emitted().items()
        if step not in ran and not any(step[0] == job and step[1].startswith(text) for job, text in EXCEPTIONS)
    }
    assert missing == {}


def test_every_exception_is_still_one() -> None:
    wanted = [*emitted()]
    for job, text in EXCEPTIONS:
        assert any(step[0] == job and step[1].startswith(text) for step in wanted), (job, text)
        assert job.partition("-")[2] in CHECKS, f"{job} is not run with recorded programs either"


def test_a_step_that_languages_share_is_one_step() -> None:
    """The same condition and the same environment too: what one job's run shows holds for the others."""
    shared: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for _, job, step in scripts():
        key = normal(job, step["run"])
        if key[0] != job and key[0] in {"lint", "test"}:
            shared.setdefault(key, []).append({**step, "run": key[1]})
    assert len(shared) == 2, [*shared]
    for key, found in shared.items():
        assert all(step == found[0] for step in found), key
