"""A workflow job can never run."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

from trimtab.audit.facts import conditions
from trimtab.audit.facts.model import Facts, Job, Place, Workflow
from trimtab.audit.finding import Finding, Rule

MAX_RUNS = 50
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
            never = list(_never(workflow, job))
            yield from never or _skipped(workflow, job, ids)
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


def _skipped(workflow: Workflow, job: Job, ids: dict[str, Job]) -> Iterator[Finding]:
    """A finding for a job that needs another one, which no event that the job runs on starts as well."""
    if not job.condition or conditions.ignores_needs(job.condition) or workflow.system != "github":
        return
    if "workflow_call" in workflow.triggers:  # the caller's event and inputs are not known here
        return
    for name, place in job.needs:
        other = ids.get(name)
        if other is None or not other.condition or conditions.ignores_needs(other.condition):
            continue
        runs = list(_runs(workflow, (job.condition, other.condition)))
        able = [one for one in runs if conditions.holds(job.condition, one) is not False]
        for start, sort in _sorts(job, able):
            if sort and all(conditions.holds(other.condition, one) is False for one in sort):
                yield RULE.finding(
                    f"{workflow.path}: {job.id} needs {name}, which is skipped "
                    + (f"on {start}, where {job.id} should run" if start else f"whenever {job.id} could run"),
                    [
                        (place, name),
                        (job.condition_place or job.place, job.condition),
                        (other.condition_place or other.place, other.condition),
                    ],
                    severity="medium" if start else "high",
                )
                return


def _sorts(job: Job, able: list[conditions.Run]) -> Iterator[tuple[str, list[conditions.Run]]]:
    """The runs in which a job may run: all of them, then by each branch or kind of tag that its condition names."""
    yield "", able
    for name, value in conditions.literals(job.condition):
        if name in ("github.ref", "github.ref_name"):
            sure = [one for one in able if conditions.holds(job.condition, one) and one.event != "workflow_dispatch"]
            yield value, [one for one in sure if (one.value(name) or "").startswith(value)]


def _runs(workflow: Workflow, told: tuple[str, ...]) -> Iterator[conditions.Run]:
    """The ways in which a workflow may start, for each branch, tag and input that conditions tell apart."""
    pairs = [pair for condition in told for pair in conditions.literals(condition)]
    refs = {value if value.startswith("refs/") else f"refs/heads/{value}" for name, value in pairs if "ref" in name}
    refs = {f"{ref}1" if ref.startswith("refs/tags") else ref for ref in refs} | {"refs/heads/another"}
    refs |= {f"refs/heads/{item}" for item in workflow.triggers.get("push", ()) if re.fullmatch(r"[\w/-]+", item)}
    names = {name.rsplit(".", 1)[-1] for name, _ in pairs if "inputs." in name}
    choices = [
        sorted({value for name, value in pairs if name.endswith(f".{one}")} | {"another"}) for one in sorted(names)
    ]
    given = [dict(zip(sorted(names), one, strict=True)) for one in itertools.product(*choices)][:MAX_RUNS]
    for event, limits in workflow.triggers.items():
        if event.startswith("pull_request"):
            yield conditions.Run(event, "refs/pull/1/merge")
            continue
        for ref in sorted(refs)[:MAX_RUNS]:
            branch = ref.removeprefix("refs/heads/")
            if event == "push" and not (_can_be(event, limits, branch) if branch != ref else _tags(limits)):
                continue
            for inputs in given if event == "workflow_dispatch" else ({},):
                yield conditions.Run(event, ref, inputs)


def _tags(limits: tuple[str, ...]) -> bool:
    return not limits or any(item.startswith("tag:") for item in limits)


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
    "and looks for `needs` that name no job, form a circle, or name a job "
    "that is skipped on every event on which the one that needs it would run.",
    why="A deploy or check that everybody relies on is skipped every time, and a skipped job looks like a passed one.",
    example="""on: { push: { branches: [main] } }
jobs: { deploy-staging: { if: github.ref == 'refs/heads/develop' } }""",
    remedy="Add the branch or event to the triggers, or correct the condition.",
    check=check,
)
