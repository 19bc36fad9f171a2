"""An autoscaler waits for a metric that nothing gives."""

from __future__ import annotations

from collections.abc import Iterator

from trimtab.audit.facts.model import Facts
from trimtab.audit.facts.prometheus import TARGET
from trimtab.audit.finding import Finding, Rule


def check(facts: Facts) -> Iterator[Finding]:
    """One finding per autoscaler."""
    for owner in sorted({one.owner for one in facts.unserved}):
        uses = [one for one in facts.unserved if one.owner == owner]
        names = ", ".join(dict.fromkeys(one.name for one in uses))
        yield RULE.finding(
            f"{owner}: no source and no adapter's rule here gives {names}",
            [(one.place, one.name) for one in uses],
            severity="medium" if _monitored(facts) else "low",
            confidence="medium",
        )


def _monitored(facts: Facts) -> bool:
    """Whether the repository holds the configuration of Prometheus, and so would hold the adapter's."""
    return (
        any(one.name == TARGET for one in facts.upstreams)
        or any(one.kind in ("ServiceMonitor", "PodMonitor", "PrometheusRule") for one in facts.objects)
        or any(one.image is not None and one.image.base == "prometheus" for one in facts.containers)
    )


RULE = Rule(
    module=__name__,
    kind="4.2",
    severity="medium",
    area="Kubernetes",
    title="An autoscaler waits for a metric that nothing gives",
    what="Looks up the metrics of pods and objects by which HorizontalPodAutoscalers scale: in the source, by the "
    "series that they are made of, and in manifests, charts and values, where an adapter's rule would name them.",
    why="The autoscaler reports FailedGetPodsMetric and does not scale by it, however great the load.",
    example="""metrics: [{ type: Pods, pods: { metric: { name: orders_per_second } } }]
api/: no series orders_total, and no rule of the Prometheus adapter""",
    remedy="Export the series, and give the adapter a rule that makes the metric of it.",
    check=check,
)
