"""Every script of every emitted workflow is run by the tests of this folder, or says here why it cannot be."""

from __future__ import annotations

import re

import pytest
import yaml

from tests.live.workflow.conftest import Followed, Site
from tests.live.workflow.simulated import Run
from tests.unit.outputs import workflow_platforms as platforms
from tests.unit.outputs.github import steps

pytestmark = [pytest.mark.live, pytest.mark.long]
# (job, what its script begins with): why it is not run here. Each is run with recorded programs in tests/unit/outputs.
EXCEPTIONS = {
    ("lint-go", "infrastructure/ci/go.sh lint"): "golangci-lint and govulncheck come from the Go module proxy",
    ("test-go", "infrastructure/ci/go.sh test"): "gotestsum comes from the Go module proxy",
    ("lint-java", "infrastructure/ci/java.sh lint"): "Maven Central is out of reach, and Debian has no Spring Boot",
    ("test-java", "infrastructure/ci/java.sh test"): "Maven Central is out of reach, and Debian has no Spring Boot",
}


def normal(job: str, script: str) -> tuple[str, str]:
    """Environments have a job each, with the same steps; the version of Redis is a setting."""
    name = "deploy" if job.startswith("deploy-") else job
    return name, re.sub(r"redis:\S+ ", "redis ", " ".join(script.split()))


def emitted() -> dict[tuple[str, str], str]:
    """Every `run:` of every platform that the tests of the workflow know, and one platform that has it."""
    found, file = {}, ".github/workflows/ci-cd.yml"
    for name in [name for name in platforms.NAMES if file in platforms.tree(name)]:
        for job, step in steps(yaml.safe_load(platforms.text(name, file))):
            if "run" in step:
                found[normal(job, step["run"])] = name
    return found


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
