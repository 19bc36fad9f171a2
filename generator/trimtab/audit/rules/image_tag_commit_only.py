"""Images are pushed under the commit alone."""

from __future__ import annotations

import re
from collections.abc import Iterator

from trimtab.audit.facts.model import Facts, Place, Push, Workflow
from trimtab.audit.finding import Finding, Rule

_COMMIT = re.compile(r"sha\b|SHA\b|COMMIT|rev-parse|git_hash|GIT_HASH")
_OF_STEP = re.compile(r"\$\{\{\s*steps\.")
_RELEASE = re.compile(
    r"latest|version|VERSION|semver|ref_name|REF_NAME|github\.ref\b|GITHUB_REF|tag_name|TAG_NAME|COMMIT_TAG|release|v?\d{1,9}\.\d|COMMIT_REF"
)


def check(facts: Facts) -> Iterator[Finding]:
    """One finding per file that pushes."""
    workflows = {workflow.path: workflow for workflow in facts.workflows}
    by_path: dict[str, list[Push]] = {}
    for push in facts.pushes:
        by_path.setdefault(push.place.path, []).append(push)
    for path, pushes in sorted(by_path.items()):
        places: list[tuple[Place, str]] = []
        released = False
        for push in pushes:
            computed = _metadata(workflows.get(path), push.job) if push.computed else []
            tags = [*(tag for tag in push.tags if not (computed and _OF_STEP.search(tag))), *computed]
            named = [tag.rsplit("/", 1)[-1].partition(":")[2] or tag for tag in tags]
            if any(_RELEASE.search(tag) for tag in named):
                released = True
            elif named and all(_COMMIT.search(tag) for tag in named):
                places.extend((push.place, tag) for tag in named)
        if places and not released:
            yield RULE.finding(f"{path} pushes images under the commit only", places)


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
    what="Looks at the tags of every image push: a file whose pushes name no version, release or "
    "`latest`, only the commit, is reported.",
    why="Nobody can tell which image is a release, and a rollback to a version means searching for its commit.",
    example="tags: ghcr.io/acme/backend:${{ github.sha }}",
    remedy="Keep the commit tag and add the release's version, and `latest` on a release, as "
    "docker/metadata-action does.",
    check=check,
)
