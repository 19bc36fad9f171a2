"""A deploy to a cluster does not wait for its result."""

from __future__ import annotations

import re
from collections.abc import Iterator

from trimtab.audit.facts.commands import is_remote_shell, kinds_of, logical_lines
from trimtab.audit.facts.deploys import has_gate
from trimtab.audit.facts.model import Facts, Step
from trimtab.audit.facts.query import deploy_jobs
from trimtab.audit.finding import Finding, Rule

_CLUSTER = re.compile(
    r"\baws\s+ecs\s+update-service\b|\bkubectl\s+(?:\S+\s+){0,30}?(?:apply|set\s+image|rollout\s+restart)\b|\bhelm\s+(?:\S+\s+){0,30}?(?:upgrade|install)\b"
)
_COMPOSE = re.compile(r"\bdocker[ -]compose\s.{0,300}?\sup\s")


def check(facts: Facts) -> Iterator[Finding]:
    """One finding per workflow."""
    for workflow in facts.workflows:
        ungated = [job for owner, job in deploy_jobs(facts) if owner is workflow and not has_gate(job, workflow)]
        for applies, what in (
            (_to_cluster, "deploys to a cluster and does not wait for the rollout"),
            (_by_compose, "starts containers and does not wait until they are healthy"),
        ):
            places = []
            for job in ungated:
                places += [(step.place, job.id) for step in job.steps if applies(step)][:1]
            if places:
                yield RULE.finding(f"{workflow.path} {what}", places)


def _to_cluster(step: Step) -> bool:
    return _CLUSTER.search(step.run) is not None


def _by_compose(step: Step) -> bool:
    """Whether a step starts containers in the background, on the machine that it runs on."""
    return any(
        _COMPOSE.search(line) and "deploy" in kinds_of(line) and not is_remote_shell(line)
        for line, _ in logical_lines(step.run)
    )


RULE = Rule(
    module=__name__,
    severity="medium",
    area="Deployment Automation",
    title="A deploy to a cluster does not wait for the rollout",
    what="Looks for jobs that run `kubectl apply`, `kubectl set image`, `helm upgrade` or `aws ecs update-service` "
    "without `rollout status`, `wait`, `--wait` or `aws ecs wait`, and for jobs that deploy by `docker compose up -d` "
    "without `--wait` or a check.",
    why="The job is green as soon as the manifests are accepted or the containers started, whether or not they ever "
    "become ready.",
    example="run: kubectl apply -k k8s/overlays/production",
    remedy="Follow it by `kubectl rollout status --timeout=…` for each Deployment, or use `helm "
    "upgrade --wait --atomic`, `aws ecs wait services-stable` or `docker compose up -d --wait`.",
    check=check,
)
