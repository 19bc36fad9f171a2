"""Tests run in CI and their reports are thrown away."""

from __future__ import annotations

import re
from collections.abc import Iterator

from trimtab.audit.facts.model import Facts, Job
from trimtab.audit.finding import Finding, Rule


def check(facts: Facts) -> Iterator[Finding]:
    """One finding per workflow."""
    for workflow in facts.workflows:
        without = [job for job in workflow.jobs if "test" in job.kinds and "report" not in job.kinds]
        kept = [job for job in workflow.jobs if "test" in job.kinds and "report" in job.kinds]
        figures = [job for job in kept if _only_figures(job)]
        if figures and not without:
            yield RULE.finding(
                f"{workflow.path} keeps the coverage of {len(figures)} test job{'s' if len(figures) > 1 else ''}, "
                "and no reports",
                [(job.place, f"coverage alone: {job.id}") for job in figures],
                confidence="medium",
            )
        if without:
            places = [(job.place, f"no upload: {job.id}") for job in without] + [
                (job.place, f"upload: {job.id}") for job in kept
            ]
            yield RULE.finding(
                f"{workflow.path} keeps no reports of {len(without)} test job{'s' if len(without) > 1 else ''}",
                places,
            )


def _only_figures(job: Job) -> bool:
    """Whether all that a job hands on is its coverage, to a service that keeps no test's result."""
    sent = [step.uses for step in job.steps if re.search(r"codecov|coveralls", step.uses)]
    others = [
        step
        for step in job.steps
        if re.search(r"upload|report|junit|publish|sonar|test-summary|allure", step.uses) and step.uses not in sent
    ]
    return bool(sent) and not others and not any("test-results" in one for one in sent)


RULE = Rule(
    module=__name__,
    kind="3.5",
    severity="low",
    area="CI/CD Pipeline",
    title="Test jobs keep no reports",
    what="Looks for jobs that run tests and upload neither artifacts nor coverage, and for those that upload nothing "
    "but coverage.",
    why="When a test fails only in CI, nothing but the log is left to find out why.",
    example="run: cargo test   # no upload-artifact",
    remedy="Upload the reports with `if: always()` and a retention, in JUnit form where the runner writes it.",
    check=check,
)
