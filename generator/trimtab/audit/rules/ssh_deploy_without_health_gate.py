"""A deploy over SSH does not check that the service came up."""

from __future__ import annotations

from collections.abc import Iterator

from trimtab.audit.facts.deploys import ssh_deploys
from trimtab.audit.facts.model import Facts, Place
from trimtab.audit.finding import Finding, Rule


def check(facts: Facts) -> Iterator[Finding]:
    """One finding per workflow."""
    by_path: dict[str, list[tuple[Place, str]]] = {}
    for deploy in ssh_deploys(facts):
        if not deploy.gated:
            by_path.setdefault(deploy.path, []).append((deploy.place, f"{deploy.job}: {deploy.how}"))
    for path, places in sorted(by_path.items()):
        yield RULE.finding(f"{path} deploys over SSH without a health gate", places)


RULE = Rule(
    module=__name__,
    kind="3.4",
    severity="medium",
    area="CI/CD Pipeline",
    title="A deploy over SSH has no health gate",
    what="Looks for steps that deploy on another machine over SSH and are followed by no health "
    "request, `--wait` or rollout status.",
    why="The job is green although the new version does not answer, and nothing brings the old one back.",
    example="uses: appleboy/ssh-action → docker-compose up -d",
    remedy="Ask the service's health path after the deploy, fail the job when it does not answer, and roll back.",
    check=check,
)
