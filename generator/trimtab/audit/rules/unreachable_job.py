"""A workflow job can never run."""

from __future__ import annotations

import re
from collections.abc import Iterator

from trimtab.audit.facts.model import Facts, Job, Place, Workflow
from trimtab.audit.finding import Finding, Rule

_BRANCH = re.compile(r"github\.ref\s*==\s*'refs/heads/([^']+)'|github\.ref_name\s*==\s*'([^']+)'")
_EVENT = re.compile(r"github\.event_name\s*==\s*'([^']+)'")


def check(facts: Facts) -> Iterator[Finding]:
    """One finding per job."""
    for workflow in facts.workflows:
        ids = {job.id: job for job in workflow.jobs}
        for name, what, missing, place in workflow.broken:
            at = ids[name].place if name in ids else place
            yield RULE.finding(
                f"{workflow.path}: {name} {what} {missing}, which is not defined", [(place, missing), (at, name)]
            )
        for job in workflow.jobs:
            for name, place in job.needs:
                if name not in ids and workflow.system == "github":
                    yield RULE.finding(
                        f"{workflow.path}: {job.id} needs {name}, which is no job",
                        [(place, name), (job.place, job.id)],
                    )
            yield from _never(workflow, job)
        yield from _cycles(workflow, ids)


def _never(workflow: Workflow, job: Job) -> Iterator[Finding]:
    condition, place = job.condition, job.condition_place
    if (
        not condition
        or place is None
        or "||" in condition
        or "!" in condition
        or not workflow.triggers
        or "workflow_call" in workflow.triggers
    ):
        return
    branches = [one or other for one, other in _BRANCH.findall(condition)]
    for branch in branches:
        if not any(_can_be(event, limits, branch) for event, limits in workflow.triggers.items()):
            limits = ", ".join(sorted({item for values in workflow.triggers.values() for item in values}))
            yield RULE.finding(
                f"{workflow.path}: {job.id} runs on {branch} only, on which the workflow never starts",
                [(place, branch), (Place(workflow.path, 1), limits)],
            )
            return
    for event in _EVENT.findall(condition):
        if event not in workflow.triggers:
            yield RULE.finding(
                f"{workflow.path}: {job.id} runs on {event} only, by which the workflow is never started",
                [(place, event), (Place(workflow.path, 1), ", ".join(workflow.triggers))],
            )
            return


def _can_be(event: str, limits: tuple[str, ...], branch: str) -> bool:
    """Whether an event of the workflow can carry this branch as `github.ref`."""
    if event in ("pull_request", "release", "issues", "issue_comment", "create"):
        return event == "create"
    if event != "push":
        return True
    if not limits:
        return True
    named = [item for item in limits if not item.startswith(("tag:", "!"))]
    excluded = [item for item in limits if item.startswith("!")]
    if excluded:
        return f"!{branch}" not in excluded
    return any(item == branch or "*" in item or "[" in item or "?" in item for item in named)


def _cycles(workflow: Workflow, ids: dict[str, Job]) -> Iterator[Finding]:
    state: dict[str, int] = {}
    for start in ids:  # noqa: PLC0206
        stack = [(start, iter(ids[start].needs))]
        if state.get(start):
            continue
        state[start] = 1
        while stack:
            name, needs = stack[-1]
            following = next(needs, None)
            if following is None:
                state[name] = 2
                stack.pop()
            elif following[0] in ids and state.get(following[0]) == 1:
                yield RULE.finding(
                    f"{workflow.path}: {name} and {following[0]} need each other",
                    [(following[1], following[0]), (ids[following[0]].place, name)],
                )
                return
            elif following[0] in ids and not state.get(following[0]):
                state[following[0]] = 1
                stack.append((following[0], iter(ids[following[0]].needs)))


RULE = Rule(
    module=__name__,
    severity="high",
    area="CI/CD Pipeline",
    title="A workflow job can never run",
    what="Compares the conditions of jobs with the events and branches that start their workflow, "
    "and looks for `needs` that name no job or form a circle.",
    why="A deploy or check that everybody relies on is skipped every time, and a skipped job looks like a passed one.",
    example="""on: { push: { branches: [main] } }
jobs: { deploy-staging: { if: github.ref == 'refs/heads/develop' } }""",
    remedy="Add the branch or event to the triggers, or correct the condition.",
    check=check,
)
