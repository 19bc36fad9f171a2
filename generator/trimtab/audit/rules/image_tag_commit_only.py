"""Images are pushed under the commit alone."""

from __future__ import annotations

import re
from collections.abc import Iterator

from trimtab.audit.facts.model import Facts, Place, Push, Workflow
from trimtab.audit.finding import Finding, Rule

_COMMIT = re.compile(r"sha\b|SHA\b|COMMIT|rev-parse|git_hash|GIT_HASH")
_OF_STEP = re.compile(r"\$\{\{\s*steps\.")
_MOVING = re.compile(r"latest\b")
_RELEASE = re.compile(
    r"\bdate\b|version|VERSION|semver|ref_name|REF_NAME|github\.ref\b|GITHUB_REF|tag_name|TAG_NAME|COMMIT_TAG|release|v?\d{1,9}\.\d|COMMIT_REF"
)


def check(facts: Facts) -> Iterator[Finding]:
    """One finding per file that pushes."""
    workflows = {workflow.path: workflow for workflow in facts.workflows}
    by_path: dict[str, list[tuple[Push, list[str]]]] = {}
    for push in facts.pushes:
        written = [tag for tag in push.tags if not _OF_STEP.search(_tag(tag))]  # a step may give the registry alone
        hidden = push.computed and (len(written) < len(push.tags) or not any(map(_OF_STEP.search, push.tags)))
        tags = [*written, *(_metadata(workflows.get(push.place.path), push.job) if hidden else [])]
        by_path.setdefault(push.place.path, []).append((push, tags))
    versioned = {
        _image(tag) for pushes in by_path.values() for _, tags in pushes for tag in tags if _RELEASE.search(_tag(tag))
    }
    for path, pushes in sorted(by_path.items()):
        places: list[tuple[Place, str]] = []
        named = [_tag(tag) for _, tags in pushes for tag in tags]
        if any(_RELEASE.search(tag) for tag in named):
            continue
        for push, tags in pushes:
            if tags and all(_COMMIT.search(_tag(tag)) or _MOVING.search(_tag(tag)) for tag in tags):
                lines = dict(zip(push.tags, push.lines, strict=False))
                places.extend(
                    (Place(path, lines.get(tag, push.place.line)), _tag(tag))
                    for tag in tags
                    if _image(tag) not in versioned
                )
        if places:
            commit = any(_COMMIT.search(value) for _, value in places)
            moving = any(_MOVING.search(value) for _, value in places)
            under = (
                "the commit and latest only" if commit and moving else "the commit only" if commit else "latest only"
            )
            yield RULE.finding(f"{path} pushes images under {under}", places, confidence="medium" if moving else "high")


def _tag(text: str) -> str:
    return text.rsplit("/", 1)[-1].partition(":")[2] or text


def _image(text: str) -> str:
    head, sign, last = text.rpartition("/")
    return f"{head}{sign}{last.partition(':')[0]}"


def _metadata(workflow: Workflow | None, job_id: str) -> list[str]:
    """The tag rules of the metadata step that computes a push's tags; its defaults hold branches and
    releases.
    """
    for job in workflow.jobs if workflow else ():
        if job.id == job_id:
            for step in job.steps:
                if step.uses.startswith("docker/metadata-action"):
                    return [
                        line.strip()
                        for line in step.options.get("tags", "type=semver version").split("\n")
                        if line.strip()
                    ]
    return ["computed version"]


RULE = Rule(
    module=__name__,
    kind="3.3",
    severity="medium",
    area="CI/CD Pipeline",
    title="Images are tagged with the commit only",
    what="Looks at the tags of every image push: a file whose pushes name no version or release, only the commit or "
    "`latest`, is reported, unless another one pushes versions of the same images.",
    why="Nobody can tell which image is a release, and a rollback to a version means searching for its commit.",
    example="tags: ghcr.io/acme/backend:${{ github.sha }}",
    remedy="Keep the commit tag and add the release's version, and `latest` on a release, as "
    "docker/metadata-action does.",
    check=check,
)
