"""Compose (or docker run) is deployed on a machine over SSH."""

from __future__ import annotations

from collections.abc import Iterator

from trimtab.audit.facts.deploys import ssh_deploys
from trimtab.audit.facts.model import Facts, Place
from trimtab.audit.finding import Finding, Rule


def check(facts: Facts) -> Iterator[Finding]:
    """One finding per workflow."""
    by_path: dict[str, list[tuple[Place, str]]] = {}
    for deploy in ssh_deploys(facts):
        if deploy.compose:
            by_path.setdefault(deploy.path, []).append((deploy.place, f"{deploy.job}: docker over {deploy.how}"))
    for path, places in sorted(by_path.items()):
        yield RULE.finding(f"{path} deploys containers on a machine over SSH", places)


RULE = Rule(
    module=__name__,
    kind="6.1",
    severity="high",
    area="Deployment Automation",
    title="Containers are deployed on a machine over SSH",
    what="Looks for workflow steps that log in to a machine and run compose or docker there.",
    why="The state of that machine is written nowhere, the restart drops traffic, and a rollback is done by hand.",
    example="""uses: appleboy/ssh-action
with: { script: docker-compose pull && docker-compose up -d }""",
    remedy="Deploy versioned images from declarative manifests (GitOps, or `kubectl apply` with "
    "`rollout status` as the gate).",
    check=check,
)
