"""Health checks of one service differ between files."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

from trimtab.audit.facts.model import Container, Facts, Place, Probe, Service
from trimtab.audit.facts.naming import comparable
from trimtab.audit.finding import Finding, Rule

# Parts of one health endpoint, as Spring Boot and others serve them.
_PART = re.compile(r"(?<=/health)/(?:liveness|readiness|startup|live|ready|started)$")


def check(facts: Facts) -> Iterator[Finding]:
    """One finding per service."""
    for service in facts.services:
        units = list(_units(service))
        bad: set[str] = set()
        built = {
            (f"{one.place.path}#{one.name}", one.build.dockerfile)
            for one in service.containers
            if one.build is not None
        }
        for index, (one, environment, probes) in enumerate(units):
            for other, other_environment, more in units[index + 1 :]:
                # What developers run is compared with the image that they build for it, if with nothing else.
                same = comparable(environment, other_environment) or (one, other) in built
                if same and _differ(probes, more):
                    bad |= {one, other}
        places = [(place, value) for name, _, probes in units if name in bad for place, value in _shown(probes)]
        if len({value for _, value in places}) > 1:
            values = list(dict.fromkeys(value for _, value in places))
            yield RULE.finding(
                f"The health checks of {service.name} differ between files: {', '.join(values)}",
                places,
                service=service.name,
                evidence="; ".join(service.evidence),
            )


def _units(service: Service) -> Iterator[tuple[str, str, list[tuple[Probe, int | str | None]]]]:
    """Each file's HTTP health checks, with named ports resolved."""
    grouped: dict[tuple[str, str], list[tuple[Probe, int | str | None]]] = defaultdict(list)
    for container in service.containers:
        for probe in container.probes:
            if probe.path is not None:
                key = f"{container.place.path}#{container.workload or container.name}"
                grouped[(key, container.environment)].append((probe, _resolved(probe, container)))
    for dockerfile in service.dockerfiles:
        for probe in dockerfile.probes:
            if probe.path is not None:
                grouped[(dockerfile.path, dockerfile.environment)].append((probe, probe.port))
    for (name, environment), probes in grouped.items():
        yield name, environment, probes


def _resolved(probe: Probe, container: Container) -> int | str | None:
    if isinstance(probe.port, str):
        return next((port.number for port in container.ports if port.name == probe.port), None)
    return probe.port


def _differ(one: list[tuple[Probe, int | str | None]], other: list[tuple[Probe, int | str | None]]) -> bool:
    """Whether two files have no path in common, or no port."""
    paths = (
        {_PART.sub("", probe.path.rstrip("/")) for probe, _ in one if probe.path},
        {_PART.sub("", probe.path.rstrip("/")) for probe, _ in other if probe.path},
    )
    ports = {port for _, port in one if port}, {port for _, port in other if port}
    return not paths[0] & paths[1] or (bool(ports[0] and ports[1]) and not ports[0] & ports[1])


def _shown(probes: list[tuple[Probe, int | str | None]]) -> list[tuple[Place, str]]:
    return [(probe.place, f":{port}{probe.path}" if port else str(probe.path)) for probe, port in probes]


RULE = Rule(
    module=__name__,
    kind="6.2",
    severity="medium",
    area="Deployment Automation",
    title="Health checks of one service differ between files",
    what="Compares the paths and ports that compose, Dockerfile and Kubernetes health checks of one "
    "service ask; paths that differ "
    "within one workload (liveness, readiness) are by design.",
    why="What is healthy in one environment is not in another, so a problem is seen too late or where there is none.",
    example="""docker-compose.yml: test: wget --spider http://localhost:2000/health
k8s/backend.yaml:   httpGet: { path: /healthz, port: 3001 }""",
    remedy="Serve one health path on one port and let every check ask it.",
    check=check,
)
