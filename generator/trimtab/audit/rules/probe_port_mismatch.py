"""A Kubernetes probe asks a port that other files do not give the service."""

from __future__ import annotations

from collections.abc import Iterator

from trimtab.audit.facts.model import Container, Facts, Place, Probe, Service
from trimtab.audit.facts.naming import comparable
from trimtab.audit.facts.ports import claims, unit_of
from trimtab.audit.finding import Finding, Rule


def check(facts: Facts) -> Iterator[Finding]:  # noqa: C901
    """One finding per service."""
    yield from _health_checks(facts)
    builds = any(service.root is not None or service.dockerfiles for service in facts.services)
    for service in facts.services:
        # What a published image listens on beside the ports that a manifest lists is not known here.
        ours = service.root is not None or bool(service.dockerfiles) or not builds
        stated = claims(service, facts)
        probes: list[tuple[Place, int]] = []
        others: list[tuple[Place, str]] = []
        deployed = False  # whether more than an example disagrees, which may be for running by hand
        for container in service.containers:
            if container.origin != "kubernetes" or container.job:
                continue
            opened = {port.number for port in container.ports if port.number}
            named = {port.name for port in container.ports if port.name}
            unit = unit_of(container)
            for probe in container.probes:
                if isinstance(probe.port, str):
                    if (
                        container.ports
                        and probe.port not in named
                        and not container.partial
                        and "tpl-" not in probe.port
                        and "$" not in probe.port  # filled in before it is applied
                    ):
                        yield RULE.finding(
                            f"A probe of {service.name} names the port {probe.port}, which its container does not have",
                            [
                                (probe.place, probe.port),
                                *((port.place, port.name or str(port.number)) for port in container.ports),
                            ],
                            service=service.name,
                        )
                    continue
                if probe.port is None:
                    continue
                elsewhere = [
                    claim
                    for claim in stated
                    if claim.unit != unit and comparable(claim.environment, container.environment)
                ]
                inside = [claim for claim in stated if claim.unit == unit]
                if container.partial:  # a patch leaves the ports of what it patches as they are
                    opened |= {port.number for base in _bases(container, service) for port in base.ports if port.number}
                units = {claim.unit for claim in elsewhere if claim.port != probe.port} - {
                    claim.unit for claim in elsewhere if claim.port == probe.port
                }
                wrong = [claim for claim in elsewhere if claim.unit in units]
                if ours and opened and probe.port not in opened:
                    wrong += [claim for claim in inside if claim.port != probe.port]
                if wrong:
                    probes.append((probe.place, probe.port))
                    deployed = deployed or any(claim.environment != "example" for claim in wrong)
                    others += [(claim.place, str(claim.port)) for claim in wrong]
        found = list(_patched(service)) if not probes else []
        deployed = deployed or bool(found)
        probes += [(place, port) for place, port, patched in found if patched]
        others += [(place, str(port)) for place, port, patched in found if not patched]
        if probes:
            asked = sorted({port for _, port in probes})
            stated_elsewhere = sorted({value for _, value in others})
            yield RULE.finding(
                f"Probes of {service.name} ask port {', '.join(map(str, asked))}; other places say {', '.join(stated_elsewhere)}",  # noqa: E501
                [*((place, str(port)) for place, port in probes), *others],
                service=service.name,
                severity="high" if deployed else "medium",
                confidence="high" if deployed else "medium",
                evidence="; ".join(service.evidence),
            )


def _bases(container: Container, service: Service) -> list[Container]:
    """The containers that a patch is laid upon."""
    return [
        one
        for one in service.containers
        if not one.partial
        and (one.origin, one.workload, one.name) == ("kubernetes", container.workload, container.name)
    ]


def _patched(service: Service) -> Iterator[tuple[Place, int, bool]]:
    """Where a patch lets a probe ask the same path on another port than the probe that it replaces: (place, port,
    whether it is the patch's).
    """
    for container in service.containers:
        for base in _bases(container, service) if container.partial and container.origin == "kubernetes" else ():
            numbers = {port.name: port.number for port in (*base.ports, *container.ports) if port.name}
            own = {probe.kind: (probe, _number(probe, numbers)) for probe in base.probes}
            for probe in container.probes:
                before, asked = own.get(probe.kind, (None, None))
                number = _number(probe, numbers)
                if before is None or before.path != probe.path or not asked or not number or asked == number:
                    continue
                yield probe.place, number, True
                yield before.place, asked, False


def _number(probe: Probe, numbers: dict[str, int | None]) -> int | None:
    return numbers.get(probe.port) if isinstance(probe.port, str) else probe.port


def _health_checks(facts: Facts) -> Iterator[Finding]:
    """Health checks of images and of compose, which ask the container itself."""
    for service in facts.services:
        if service.root is None:
            continue
        stated = [claim for claim in claims(service, facts) if claim.what in ("listen", "declared")]
        known = {claim.port for claim in stated} | {bind.port for bind in service.binds}
        probes = [probe for one in service.dockerfiles for probe in one.probes]
        probes += [probe for one in service.containers if one.origin == "compose" for probe in one.probes]
        wrong = {
            (probe.place, str(probe.port))
            for probe in probes
            if isinstance(probe.port, int) and probe.port not in known
        }
        if wrong and any(claim.what == "listen" for claim in stated):
            yield RULE.finding(
                f"A health check of {service.name} asks port {', '.join(sorted({port for _, port in wrong}))}, "
                "which no file says it listens on",
                [*sorted(wrong), *((claim.place, str(claim.port)) for claim in stated)],
                confidence="medium",  # a second port may be the framework's own
                service=service.name,
            )


RULE = Rule(
    module=__name__,
    kind="4.1",
    severity="high",
    area="Kubernetes",
    title="A probe asks another port than the service listens on",
    what="""Compares the ports of liveness, readiness and startup probes, of HEALTHCHECK and of compose's health checks
with the container's own ports and with every other place that states the service's port.""",
    why="The pod never becomes ready, or is restarted for ever, although the service is well.",
    example="""k8s/backend.yaml:   livenessProbe: { httpGet: { path: /health, port: 3001 } }
docker-compose.yml: PORT: 2000""",
    remedy="Name the container's port and let the probes use the name.",
    check=check,
)
