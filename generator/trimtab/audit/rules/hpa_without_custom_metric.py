"""An autoscaler looks at CPU and memory only."""

from __future__ import annotations

from collections.abc import Iterator

from trimtab.audit.facts.model import Facts
from trimtab.audit.finding import Finding, Rule


def check(facts: Facts) -> Iterator[Finding]:
    """One finding for all autoscalers that have no metric of the service's own."""
    plain = [
        one
        for one in facts.autoscalers
        if one.kind == "HorizontalPodAutoscaler"
        and one.metrics
        and all(metric.startswith(("Resource", "ContainerResource")) for metric in one.metrics)
    ]
    if plain:
        yield RULE.finding(
            f"{', '.join(dict.fromkeys(one.name for one in plain))}: scaling by CPU and memory alone",
            [
                (one.metrics_place, ", ".join(metric.partition(":")[2] or metric for metric in one.metrics))
                for one in plain
            ],
        )


RULE = Rule(
    module=__name__,
    kind="4.2",
    severity="medium",
    area="Kubernetes",
    title="An autoscaler looks at CPU and memory only",
    what="Looks for HorizontalPodAutoscalers without a Pods, Object or External metric.",
    why="A service that waits for a database or a queue is overloaded long before its CPU is.",
    example="metrics: [{ type: Resource, resource: { name: cpu } }]",
    remedy="Add a metric of the service (request rate, latency, queue depth) through the Prometheus adapter or KEDA.",
    check=check,
)
