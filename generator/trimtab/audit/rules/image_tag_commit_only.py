"""Images are pushed under the commit alone."""

from __future__ import annotations

import re
from collections.abc import Iterator

from trimtab.audit.facts.imagetags import OF_STEP, metadata_of, on_versions, rules_of
from trimtab.audit.facts.model import Facts, Place, Push, Workflow
from trimtab.audit.finding import Finding, Rule

_COMMIT = re.compile(r"sha\b|SHA\b|COMMIT|rev-parse|git_hash|GIT_HASH")
_RELEASE = re.compile(
    r"\bdate\b|version|VERSION|semver|pep440|tag_name|TAG_NAME|COMMIT_TAG|release|v?\d{1,9}\.\d|event=tag"
)
_REF = re.compile(r"ref_name|REF_NAME|github\.ref\b|GITHUB_REF|COMMIT_REF")  # a version only where a tag starts it
_LATEST = re.compile(r"(?:^|[-_.=])latest\b")
_MOVING = re.compile(
    r"^(?:type=raw,value=)?(?:stable|main|master|edge|nightly|dev|develop|development|staging|prod|production)\b|"
    r"event=(?:branch|pr)\b|^type=(?:edge|schedule)"
)
_UNKNOWN = re.compile(r"\$(?!\{\{\s*github\.repository\s*\}\}$|\{?CI_REGISTRY_IMAGE\}?$)|\{\{\.|[<>]")
_Tag = tuple[Push, str, Place]


def check(facts: Facts) -> Iterator[Finding]:
    """One finding per file that pushes."""
    workflows = {workflow.path: workflow for workflow in facts.workflows}
    by_path: dict[str, list[Push]] = {}
    for push in facts.pushes:
        by_path.setdefault(push.place.path, []).append(push)
    tagged = {
        path: [(push, tag, place) for push in pushes for tag, place in _tags(push, workflows.get(path))]
        for path, pushes in by_path.items()
    }
    released = {
        path for path, tags in tagged.items() if not all(_nameless(tag, workflows.get(path)) for _, tag, _ in tags)
    }
    elsewhere = {name for path in released for name in _versioned(tagged[path], workflows.get(path))}
    for path, everything in sorted(tagged.items()):
        tags = _beside_versions(everything, workflows.get(path)) if path in released else everything
        places = [(place, tag) for push, tag, place in tags if not _REF.search(tag) and not _images(push) <= elsewhere]
        if places:
            moving = [tag for _, tag in places if not _COMMIT.search(tag)]
            ways = ["the commit"] if len(moving) < len(places) else []
            ways += ["latest" if all(map(_LATEST.search, moving)) else "names that move"] if moving else []
            yield RULE.finding(
                f"{path} pushes images under {' and '.join(ways)} only",
                list(dict.fromkeys(places)),
                confidence="medium" if moving else "high",
            )


def _versioned(tags: list[_Tag], workflow: Workflow | None) -> set[str]:
    """The images that tags give a version to."""
    return {name for push, tag, _ in tags if not _nameless(tag, workflow) for name in _images(push)}


def _beside_versions(tags: list[_Tag], workflow: Workflow | None) -> list[_Tag]:
    """The tags of images that a file pushes under the commit, while it gives versions to others; none where a name is
    computed, so that it may be any image's.
    """
    versioned = _versioned(tags, workflow)
    if not versioned or any(_UNKNOWN.search(name) for push, _, _ in tags for name in _images(push) or {"$"}):
        return []
    committed = {name for push, tag, _ in tags if _COMMIT.search(tag) for name in _images(push)} - versioned
    return [one for one in tags if _images(one[0]) <= committed]


def _nameless(tag: str, workflow: Workflow | None) -> bool:
    """Whether a tag tells no version: it is the commit, or a name that moves with every build, as a branch's does."""
    branch = _REF.search(tag) and workflow is not None and not on_versions(workflow)
    return bool(_COMMIT.search(tag) or _LATEST.search(tag) or _MOVING.search(tag) or branch) and not _RELEASE.search(
        tag
    )


def _images(push: Push) -> set[str]:
    """The images that a push names, without registry and tag."""
    last = [name.split("@")[0].rsplit("/", 1)[-1] for name in (*push.images, *push.tags)]
    return {name.partition(":")[0] for name in last if not OF_STEP.search(name)} - {""}


def _tags(push: Push, workflow: Workflow | None) -> list[tuple[str, Place]]:
    """The tags of a push without their repositories, those that a metadata step computes by its rules; a word that fits
    a version where they are computed in a way that is not known. A step may give the registry alone.
    """
    job = next((job for job in workflow.jobs if job.id == push.job), None) if workflow else None
    lines = dict(zip(push.tags, push.lines, strict=False))
    found: list[tuple[str, Place]] = []
    for tag in push.tags:
        last = tag.rsplit("/", 1)[-1]
        written = last.partition(":")[2] or (tag if "$" in last else "latest")
        by = OF_STEP.search(written) if push.computed else None
        if by is None:
            found.append((written, Place(push.place.path, lines.get(tag, push.place.line))))
        else:
            step = metadata_of(job, by[1]) if job else None
            found += rules_of(step, push.place.path) if step else [("computed version", push.place)]
    return found or [("computed version", push.place)]


RULE = Rule(
    module=__name__,
    kind="3.3",
    severity="medium",
    area="CI/CD Pipeline",
    title="Images are tagged with the commit only",
    what="Looks at the tags of every image push: a file whose pushes name no version or release, only the commit or "
    "names that move, such as `latest` and branches, is reported, unless another file pushes the image's versions, and "
    "so is an image pushed under the commit alone beside others with versions. A branch or tag by name counts where "
    "tags start the workflow.",
    why="Nobody can tell which image is a release, and a rollback to a version means searching for its commit.",
    example="tags: ghcr.io/acme/backend:${{ github.sha }}",
    remedy="Keep the commit tag and add the release's version, and `latest` on a release, as "
    "docker/metadata-action does.",
    check=check,
)
