"""An autoscaler names a workload that does not exist, or contradicts itself or the workload."""

from __future__ import annotations

from collections.abc import Iterator

from trimtab.audit.facts.model import Facts
from trimtab.audit.finding import Finding, Rule


def check(facts: Facts) -> Iterator[Finding]:
    """One finding per autoscaler."""
    known = {one.name for one in facts.workloads}
    known_objects = {(item.kind, item.name) for item in facts.objects} | {
        (item.kind, item.name) for item in facts.renamed
    }
    for scaler in facts.autoscalers:
        if scaler.minimum and scaler.maximum and scaler.minimum > scaler.maximum:
            yield RULE.finding(
                f"{scaler.kind} {scaler.name}: the minimum {scaler.minimum} is above the maximum {scaler.maximum}",
                [(scaler.place, f"{scaler.minimum} > {scaler.maximum}")],
            )
        if scaler.off or scaler.target is None or "tpl-" in scaler.target[1]:
            continue
        kind, name, place = scaler.target
        if name in known or (kind, name) in known_objects or any("tpl-" in one for one in known):
            continue
        if known or any(one == kind for one, _ in known_objects):
            yield RULE.finding(
                f"{scaler.kind} {scaler.name} scales {kind} {name}, which is not defined",
                [(place, f"{kind} {name}")],
            )


RULE = Rule(
    module=__name__,
    severity="high",
    area="Kubernetes",
    title="An autoscaler's target does not exist",
    what="Looks up the workload that each HorizontalPodAutoscaler and ScaledObject scales, and compares its bounds.",
    why="Nothing is ever scaled, and the only sign is an event on the autoscaler.",
    example="scaleTargetRef: { kind: Deployment, name: api }   # the Deployment is called backend",
    remedy="Name the Deployment that exists; keep minReplicas at or below maxReplicas.",
    check=check,
)
