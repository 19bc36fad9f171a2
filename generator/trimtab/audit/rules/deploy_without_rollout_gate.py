"""A deploy to a cluster does not wait for its result."""

from __future__ import annotations

import re
from collections.abc import Iterator

from trimtab.audit.facts.deploys import has_gate
from trimtab.audit.facts.model import Facts
from trimtab.audit.facts.query import deploy_jobs
from trimtab.audit.finding import Finding, Rule

_CLUSTER = re.compile(
    r"\baws\s+ecs\s+update-service\b|\bkubectl\s+(?:\S+\s+){0,30}?(?:apply|set\s+image|rollout\s+restart)\b|\bhelm\s+(?:\S+\s+){0,30}?(?:upgrade|install)\b"
)


def check(facts: Facts) -> Iterator[Finding]:
    """One finding per workflow."""
    for workflow in facts.workflows:
        places = []
        for owner, job in deploy_jobs(facts):
            if owner is workflow and not has_gate(job, workflow):
                places += [(step.place, job.id) for step in job.steps if _CLUSTER.search(step.run)][:1]
        if places:
            yield RULE.finding(f"{workflow.path} deploys to a cluster and does not wait for the rollout", places)


RULE = Rule(
    module=__name__,
    severity="medium",
    area="Deployment Automation",
    title="A deploy to a cluster does not wait for the rollout",
    what="Looks for jobs that run `kubectl apply`, `kubectl set image`, `helm upgrade` or `aws ecs update-service` "
    "without `rollout status`, `wait`, `--wait` or `aws ecs wait`.",
    why="The job is green as soon as the manifests are accepted, whether or not the new pods ever become ready.",
    example="run: kubectl apply -k k8s/overlays/production",
    remedy="Follow it by `kubectl rollout status --timeout=…` for each Deployment, or use `helm "
    "upgrade --wait --atomic` or `aws ecs wait services-stable`.",
    check=check,
)
