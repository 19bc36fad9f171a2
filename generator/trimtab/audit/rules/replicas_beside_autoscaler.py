"""A workload states its replicas although an autoscaler sets them."""

from __future__ import annotations

from collections.abc import Iterator

from trimtab.audit.facts.model import Autoscaler, Facts
from trimtab.audit.facts.query import first_per_value
from trimtab.audit.finding import Finding, Rule


def check(facts: Facts) -> Iterator[Finding]:
    """One finding per workload."""
    targets: dict[str, list[Autoscaler]] = {}
    for scaler in facts.autoscalers:
        if scaler.target and not scaler.off:
            targets.setdefault(scaler.target[1], []).append(scaler)
    for name, scalers in sorted(targets.items()):
        environments = {one.environment for one in scalers}
        fixed = [
            one
            for one in facts.workloads
            # A chart's values may turn the autoscaler on and the replicas off together.
            if one.name == name and one.replicas and "tpl-" not in name and one.environment in environments
        ]
        if fixed:
            yield RULE.finding(
                f"{fixed[0].kind} {name} sets replicas beside {scalers[0].kind} {scalers[0].name}",
                first_per_value(
                    [
                        *((one.replicas, "replicas") for one in fixed if one.replicas),
                        *((one.place, one.kind) for one in scalers),
                    ]
                ),
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
