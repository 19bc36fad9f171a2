"""Deploys do not check that the expected indexes are there."""

from __future__ import annotations

from collections.abc import Iterator

from trimtab.audit.facts.commands import INDEX_CHECK
from trimtab.audit.facts.model import Facts, Job, Place
from trimtab.audit.facts.query import deploy_jobs, is_called
from trimtab.audit.finding import Finding, Rule


def check(facts: Facts) -> Iterator[Finding]:
    """One finding for the repository, when it deploys, has index SQL, and never looks at the indexes."""
    jobs = list(deploy_jobs(facts))
    jobs = [(workflow, job) for workflow, job in jobs if not _infrastructure(job)] or jobs
    deploys = [(job.place, f"deploy: {workflow.path.rsplit('/', 1)[-1]} {job.id}") for workflow, job in jobs]
    indexes = [(Place(path, 1), "creates indexes") for path, what in sorted(facts.sql.items()) if what == "index"]
    known = bool(indexes)
    indexes += [(one.place, f"{one.tool} migrations") for one in facts.migrations if not indexes]
    if not deploys or not indexes:
        return
    looks = [command for command in facts.commands if INDEX_CHECK.search(command.text)]
    if any(
        command.context in ("workflow", "makefile", "kubernetes")
        or (command.context == "script" and is_called(command.place.path, facts))
        for command in looks
    ):
        return
    yield RULE.finding(
        "No step after a deploy checks that the indexes exist",
        [*deploys, *indexes[:10]],
        confidence="high" if known else "medium",
    )


def _infrastructure(job: Job) -> bool:
    """Whether a job makes machines and databases, rather than putting a version of the application on them."""
    return any("terraform apply" in step.run for step in job.steps)


RULE = Rule(
    module=__name__,
    kind="6.3",
    severity="low",
    area="Deployment Automation",
    title="No step after a deploy checks the indexes",
    what="Looks for deploy jobs in a repository whose SQL creates indexes and where no command reads "
    "the database's index catalogue.",
    why="A missing or invalid index shows only as slow queries, long after the deploy that lost it.",
    example="deploy: [ssh, docker compose up -d]   # no query on pg_indexes",
    remedy="After each deploy, query `pg_index` for the expected names (valid and ready) and fail "
    "the job when one is missing.",
    check=check,
)
