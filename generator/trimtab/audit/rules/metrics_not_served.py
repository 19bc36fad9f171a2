"""Prometheus is told to scrape a service whose source serves no metrics."""

from __future__ import annotations

import re
from collections.abc import Iterator

from trimtab.audit.facts.model import Facts, Place, Service, Workload
from trimtab.audit.facts.prometheus import TARGET
from trimtab.audit.finding import Finding, Rule

# Dependencies with which a service has metrics without a word in its own source.
_LIBRARIES = re.compile(
    r"prom|micrometer|actuator|metric|opentelemetry|otel|telemetry|instrumentator|statsd|dropwizard|exporter|"
    r"quarkus|dapr|envoy|istio|appsignal|newrelic|datadog|yabeda|grafana",
    re.IGNORECASE,
)


def check(facts: Facts) -> Iterator[Finding]:
    """One finding per service."""
    for service in facts.services:
        if service.root is None or not _known(service) or _serves(service, facts):
            continue
        places = [*_annotated(service, facts), *_monitored(service, facts), *_scraped(service, facts)]
        if places:
            yield RULE.finding(
                f"{service.name} is scraped, and nothing in its source serves metrics",
                places,
                service=service.name,
                confidence="medium",
            )


def _known(service: Service) -> bool:
    """Whether the service's own source and dependencies are here, so that a missing library says something."""
    return service.package is not None and bool(service.framework)


def _serves(service: Service, facts: Facts) -> bool:
    root = f"{service.root}/" if service.root else ""
    packages = [one for one in facts.packages if f"{one.directory}/".startswith(root) or not one.directory]
    if any(_LIBRARIES.search(name) for one in packages for name in one.dependencies):
        return True
    if any(one.value.rstrip("/").endswith(("metrics", "status")) for one in facts.settings if one.name == "location"):
        return True
    inner = {one.root for one in facts.services if one.root and one.root != service.root and one.root.startswith(root)}
    return any(
        place.path.startswith(root) and not any(place.path.startswith(f"{one}/") for one in inner)
        for place in facts.metrics
    )


def _annotated(service: Service, facts: Facts) -> Iterator[tuple[Place, str]]:
    """The annotations of the service's pods that ask for a scrape, where no other container can answer it."""
    for workload in _workloads(service, facts):
        item = next((one for one in facts.objects if one.place == workload.place), None)
        if item is None or len(workload.containers) > 1:
            continue
        notes = item.body.map("spec", "template", "metadata", "annotations")
        if notes.text("prometheus.io/scrape") == "true":
            key = "prometheus.io/path" if "prometheus.io/path" in notes else "prometheus.io/scrape"
            path = notes.text("prometheus.io/path") or "/metrics"
            yield Place(item.place.path, notes.line_of(key)), f"scraped at {path}"


def _monitored(service: Service, facts: Facts) -> Iterator[tuple[Place, str]]:
    """The ServiceMonitors that select a Service of these pods."""
    pods = [one for one in _workloads(service, facts) if len(one.containers) == 1]
    for item in facts.objects:
        if item.kind != "ServiceMonitor":
            continue
        labels = item.body.map("spec", "selector", "matchLabels")
        for one in facts.objects:
            chosen = one.kind == "Service" and labels and all(one.labels.get(key) == labels[key] for key in labels)
            wanted = one.body.map("spec", "selector") if chosen else {}
            if wanted and any(all(pod.pod_labels.get(key) == wanted[key] for key in wanted) for pod in pods):
                yield item.place, f"ServiceMonitor {item.name}"
                break


def _scraped(service: Service, facts: Facts) -> Iterator[tuple[Place, str]]:
    """The targets of Prometheus' own configuration."""
    names = {one.name for one in service.containers if one.origin == "compose"}
    for one in facts.upstreams:
        if one.name == TARGET and one.host in names:
            yield one.place, f"{one.host}:{one.port}" if one.port else one.host


def _workloads(service: Service, facts: Facts) -> list[Workload]:
    own = {one.place for one in service.containers if one.origin == "kubernetes"}
    return [
        one for one in facts.workloads if not one.patch and any(container.place in own for container in one.containers)
    ]


RULE = Rule(
    module=__name__,
    severity="medium",
    area="References and Versions",
    title="A service is scraped and serves no metrics",
    what="Looks for annotations (`prometheus.io/scrape`), ServiceMonitors and scrape jobs that ask a service of the "
    "repository for metrics, where neither its source nor its proxy has a path of that kind and none of its "
    "dependencies brings one.",
    why="The target is down for ever: its alerts fire or are silenced, and its dashboards are empty.",
    example="""api.yaml: annotations: { prometheus.io/scrape: "true", prometheus.io/port: "8080" }
api/:     fastapi, and no prometheus client""",
    remedy="Serve the metrics with the client library of the language, or take the scrape out.",
    check=check,
)
