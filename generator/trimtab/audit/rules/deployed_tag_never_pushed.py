"""A deploy runs a tag under which nothing is pushed."""

from __future__ import annotations

from collections.abc import Iterator

from trimtab.audit.facts.imagetags import (
    OF_STEP,
    SHORT_COMMIT,
    CommitTag,
    commit_tag,
    deployed_commits,
    metadata_of,
    rules_of,
)
from trimtab.audit.facts.model import Facts, Place, Workflow
from trimtab.audit.facts.query import commands_of
from trimtab.audit.finding import Finding, Rule


def check(facts: Facts) -> Iterator[Finding]:
    """One finding per workflow that pushes one form of the commit and deploys another."""
    for workflow in facts.workflows:
        pushed = _pushed(workflow, facts)
        deployed = _deployed(workflow, facts)
        missing = [one for one in deployed if not any(one[0] == tag for tag, _, _ in pushed)]
        if pushed and missing:
            forms = " and ".join(dict.fromkeys(_shown(tag) for tag, _, _ in pushed))
            yield RULE.finding(
                f"{workflow.path} deploys the tag {_shown(missing[0][0])}, but pushes {forms}",
                [
                    *((place, written) for _, written, place in missing),
                    *((place, written) for _, written, place in pushed),
                ],
            )


def _pushed(workflow: Workflow, facts: Facts) -> list[tuple[CommitTag, str, Place]]:
    """The tags with the commit that a workflow pushes; none where one push's tags are not all known."""
    found: list[tuple[CommitTag, str, Place]] = []
    for push in facts.pushes:
        if push.place.path != workflow.path:
            continue
        job = next((job for job in workflow.jobs if job.id == push.job), None)
        by = next((step_id[1] for tag in push.tags if (step_id := OF_STEP.search(tag))), "")
        step = metadata_of(job, by) if job else None
        if not push.computed or step is None:
            return []
        for written, place in rules_of(step, workflow.path):
            tag = commit_tag(written)
            if tag is not None:
                found.append((tag, written, place))
            elif "$" in written and "type=ref" not in written and "type=semver" not in written:
                return []
    return found


def _deployed(workflow: Workflow, facts: Facts) -> list[tuple[CommitTag, str, Place]]:
    """The tags that the workflow's deploy jobs give to images in the commands that deploy."""
    return [
        (tag, written, command.place)
        for job in workflow.jobs
        if "deploy" in job.kinds
        for command in commands_of(facts, workflow, job)
        if not command.text.lstrip().startswith(("echo ", "printf "))
        for tag, written in deployed_commits(command.text)
    ]


def _shown(tag: CommitTag) -> str:
    return f"{tag.prefix}<whole commit>" if tag.whole else f"{tag.prefix}<{SHORT_COMMIT} digits of the commit>"


RULE = Rule(
    module=__name__,
    severity="high",
    area="Deployment Automation",
    title="A deploy runs a tag that nothing pushes",
    what="Compares the commit tags that docker/metadata-action computes (`type=sha` is seven digits behind `sha-`, "
    "unless `format` and `prefix` say otherwise) with those that deploy commands of the same workflow give to images.",
    why="The image is there, but not under the name that the cluster is told: every pod stays in ImagePullBackOff.",
    example="""tags: type=sha
run: kubectl set image deployment/api api=ghcr.io/acme/api:${{ github.sha }}""",
    remedy="Push the whole commit (`type=sha,format=long,prefix=`), or deploy the tag that the metadata step gives.",
    check=check,
)
