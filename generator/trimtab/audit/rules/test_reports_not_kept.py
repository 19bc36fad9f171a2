"""Tests run in CI and their reports are thrown away."""

from __future__ import annotations

from collections.abc import Iterator

from trimtab.audit.facts.model import Facts
from trimtab.audit.finding import Finding, Rule


def check(facts: Facts) -> Iterator[Finding]:
    """One finding per workflow."""
    for workflow in facts.workflows:
        without = [job for job in workflow.jobs if "test" in job.kinds and "report" not in job.kinds]
        kept = [job for job in workflow.jobs if "test" in job.kinds and "report" in job.kinds]
        if without:
            places = [(job.place, f"no upload: {job.id}") for job in without] + [
                (job.place, f"upload: {job.id}") for job in kept
            ]
            yield RULE.finding(
                f"{workflow.path} keeps no reports of {len(without)} test job{'s' if len(without) > 1 else ''}",
                places,
            )


RULE = Rule(
    module=__name__,
    kind="3.5",
    severity="low",
    area="CI/CD Pipeline",
    title="Test jobs keep no reports",
    what="Looks for jobs that run tests and upload neither artifacts nor coverage.",
    why="When a test fails only in CI, nothing but the log is left to find out why.",
    example="run: cargo test   # no upload-artifact",
    remedy="Upload the reports with `if: always()` and a retention, in JUnit form where the runner writes it.",
    check=check,
)
