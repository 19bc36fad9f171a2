"""The tags under which images are pushed, as a metadata step computes them or a command writes them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from trimtab.audit.facts.model import Job, Place, Step, Workflow

OF_STEP = re.compile(r"\$\{\{\s*steps\.([\w-]+)")  # a tag that a step computes
_RULE = re.compile(r"(?:^|,)\s*([a-z]+)=([^,]*)")
_WHOLE = re.compile(r"\$\{\{\s*github\.sha\s*\}\}|\$\{GITHUB_SHA\}|\$GITHUB_SHA\b")
_GIVEN = re.compile(r"(?P<key>[^\s\"'=:]{0,100})(?P<sign>[:=])(?P<prefix>[\w.-]{0,60})$")
_IMAGE = re.compile(r"image|tag", re.IGNORECASE)
SHORT_COMMIT = 7


@dataclass(frozen=True, slots=True)
class CommitTag:
    """A tag that holds the commit: what stands before it, and whether all of it does."""

    prefix: str
    whole: bool


def metadata_of(job: Job, step_id: str = "") -> Step | None:
    """The step of a job that computes tags, if it has one: that with the id, else the first."""
    steps = [step for step in job.steps if step.uses.startswith("docker/metadata-action")]
    return next((step for step in steps if step_id and step.id == step_id), steps[0] if steps else None)


def rules_of(step: Step, path: str) -> list[tuple[str, Place]]:
    """The tag rules of a metadata step, each with its line; those that it has by default where it names none."""
    text = step.options.get("tags", "")
    line = step.option_lines.get("tags", step.place.line)
    first = line + 1 if "\n" in text.strip("\n") or text.endswith("\n") else line
    found = [
        (written.strip(), Place(path, first + number))
        for number, written in enumerate(text.split("\n"))
        if written.strip() and not written.strip().startswith("#")
    ]
    return found or [("type=ref,event=branch", step.place), ("type=ref,event=tag", step.place)]


def commit_tag(rule: str) -> CommitTag | None:
    """The tag that a rule of the metadata step makes of the commit; None for a rule of another kind."""
    parts = dict(_RULE.findall(rule))
    kind = parts.get("type", "")
    if kind == "sha":
        return CommitTag(parts.get("prefix", "sha-"), parts.get("format") == "long")
    value = parts.get("value", rule if not kind else "")
    whole = _WHOLE.search(value)
    if kind in ("raw", "") and whole and whole.end() == len(value.strip()):
        return CommitTag(parts.get("prefix", "") + value[: whole.start()].strip(), whole=True)
    return None


def deployed_commits(text: str) -> Iterator[tuple[CommitTag, str]]:
    """The tags with the whole commit that a command gives to an image it deploys, each with its text."""
    for match in _WHOLE.finditer(text):
        before = _GIVEN.search(text[max(0, match.start() - 120) : match.start()])
        if before and (before["sign"] == ":" or _IMAGE.search(before["key"])):
            yield CommitTag(before["prefix"], whole=True), before["prefix"] + match[0]


def on_versions(workflow: Workflow) -> bool:
    """Whether a version can start a workflow: a tag, a release, or somebody who names one."""
    if workflow.system != "github":
        return True
    return any(
        event in ("release", "workflow_dispatch", "workflow_call", "create", "repository_dispatch")
        or (event == "push" and (not limits or any(limit.startswith("tag:") for limit in limits)))
        for event, limits in workflow.triggers.items()
    )
