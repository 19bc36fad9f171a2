"""A deploy to a cluster does not wait for its result."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

from trimtab.audit.facts.commands import is_remote_shell, kinds_of, logical_lines
from trimtab.audit.facts.deploys import has_gate, idle_gates
from trimtab.audit.facts.model import Facts, Place, Step
from trimtab.audit.facts.query import deploy_jobs
from trimtab.audit.facts.text import join
from trimtab.audit.finding import Finding, Rule

_CLUSTER = re.compile(
    r"\baws\s+ecs\s+update-service\b|\bkubectl\s+(?:\S+\s+){0,30}?(?:apply|set\s+image|rollout\s+restart)\b|\bhelm\s+(?:\S+\s+){0,30}?(?:upgrade|install)\b"
)
_COMPOSE = re.compile(r"\bdocker[ -]compose\s(?:.{0,300}?\s)?up(?=\s|$)")

_APPLIED = re.compile(r"\s(?:-f|-k|--filename|--kustomize)[ =]([^\s;&|]+)")
_ROLLED = frozenset({"Deployment", "StatefulSet", "DaemonSet", "Rollout", "List"})


def check(facts: Facts) -> Iterator[Finding]:
    """One finding per file whose steps deploy: a workflow, or what jobs of several inherit."""
    for applies, what, awaited, result in (
        (_rolls, "deploys to a cluster", "does not wait for the rollout", "the rollout"),
        (_by_compose, "starts containers", "does not wait until they are healthy", "their checks"),
    ):
        places: dict[str, list[tuple[Place, str]]] = defaultdict(list)
        idle: dict[str, list[tuple[Place, str]]] = defaultdict(list)
        for workflow, job in deploy_jobs(facts):
            applied = next((step for step in job.steps if applies(step, facts)), None)
            if applied is None or has_gate(job, workflow):
                continue
            places[applied.place.path].append((applied.place, job.id))
            idle[applied.place.path] += [(step.place, f"{job.id}: continue-on-error") for step in idle_gates(job)]
        for path, found in places.items():
            how = f"goes on whatever comes of {result}" if idle[path] else awaited
            yield RULE.finding(f"{path} {what} and {how}", [*found, *idle[path]])


def _by_compose(step: Step, _: Facts) -> bool:
    """Whether a step starts containers in the background, on the machine that it runs on."""
    return any(
        _COMPOSE.search(line) and "deploy" in kinds_of(line) and not is_remote_shell(line)
        for line, _ in logical_lines(step.run)
    )


def _rolls(step: Step, facts: Facts) -> bool:
    """Whether a step may start a rollout: of manifests without workloads that run on, there is none to wait for."""
    lines = [line for line, _ in logical_lines(step.run) if _CLUSTER.search(line) and "--dry-run" not in line]
    if not all(re.search(r"\bapply\b", line) for line in lines):
        return True
    paths = [join(step.directory, path) for line in lines for path in _APPLIED.findall(line)]
    kinds = {path: {one.kind for one in facts.objects if one.place.path == path} for path in paths}
    return bool(lines) and (not paths or any(not found or found & _ROLLED for found in kinds.values()))


RULE = Rule(
    module=__name__,
    severity="medium",
    area="Deployment Automation",
    title="A deploy to a cluster does not wait for the rollout",
    what="Looks for jobs that run `kubectl apply`, `kubectl set image`, `helm upgrade` or `aws ecs update-service` "
    "without `rollout status`, `wait`, `--wait` or `aws ecs wait`, and for jobs that deploy by `docker compose up -d` "
    "without `--wait` or a check, or with it only in a step with `continue-on-error`.",
    why="The job is green as soon as the manifests are accepted or the containers started, whether or not they ever "
    "become ready.",
    example="run: kubectl apply -k k8s/overlays/production",
    remedy="Follow it by `kubectl rollout status --timeout=…` for each Deployment, or use `helm "
    "upgrade --wait --atomic`, `aws ecs wait services-stable` or `docker compose up -d --wait`.",
    check=check,
)
