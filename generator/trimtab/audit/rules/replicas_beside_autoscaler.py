"""A workload states its replicas although an autoscaler sets them."""

from __future__ import annotations

from collections.abc import Iterator

from trimtab.audit.facts.model import Facts
from trimtab.audit.finding import Finding, Rule


def check(facts: Facts) -> Iterator[Finding]:
    """One finding per workload."""
    targets = {one.target[1]: one for one in facts.autoscalers if one.target and not one.off}
    for name, scaler in sorted(targets.items()):
        fixed = [
            one
            for one in facts.workloads
            # A chart's values may turn the autoscaler on and the replicas off together.
            if one.name == name and one.replicas and "tpl-" not in name and one.environment == scaler.environment
        ]
        if fixed:
            yield RULE.finding(
                f"{fixed[0].kind} {name} sets replicas beside {scaler.kind} {scaler.name}",
                [*((one.replicas, "replicas") for one in fixed if one.replicas), (scaler.place, scaler.kind)],
            )


RULE = Rule(
    module=__name__,
    severity="low",
    area="Kubernetes",
    title="Replicas are set beside an autoscaler",
    what="Looks for `replicas` in a workload that an autoscaler scales.",
    why="Each apply sets the number back, so a deploy under load removes pods that are needed.",
    example="kind: Deployment, replicas: 3   # and a HorizontalPodAutoscaler for it",
    remedy="Leave `replicas` out of the manifest.",
    check=check,
)
