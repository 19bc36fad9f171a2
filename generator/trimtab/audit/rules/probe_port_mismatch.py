"""A Kubernetes probe asks a port that other files do not give the service."""

from __future__ import annotations

from collections.abc import Iterator

from trimtab.audit.facts.model import Facts, Place
from trimtab.audit.facts.naming import comparable
from trimtab.audit.facts.ports import claims, unit_of
from trimtab.audit.finding import Finding, Rule


def check(facts: Facts) -> Iterator[Finding]:  # noqa: C901
    """One finding per service."""
    builds = any(service.root is not None or service.dockerfiles for service in facts.services)
    for service in facts.services:
        # What a published image listens on beside the ports that a manifest lists is not known here.
        ours = service.root is not None or bool(service.dockerfiles) or not builds
        stated = claims(service, facts)
        probes: list[tuple[Place, int]] = []
        others: list[tuple[Place, str]] = []
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
                units = {claim.unit for claim in elsewhere if claim.port != probe.port} - {
                    claim.unit for claim in elsewhere if claim.port == probe.port
                }
                wrong = [claim for claim in elsewhere if claim.unit in units]
                if ours and opened and probe.port not in opened:
                    wrong += [claim for claim in inside if claim.port != probe.port]
                if wrong:
                    probes.append((probe.place, probe.port))
                    others += [(claim.place, str(claim.port)) for claim in wrong]
        if probes:
            asked = sorted({port for _, port in probes})
            stated_elsewhere = sorted({value for _, value in others})
            yield RULE.finding(
                f"Probes of {service.name} ask port {', '.join(map(str, asked))}; other places say {', '.join(stated_elsewhere)}",  # noqa: E501
                [*((place, str(port)) for place, port in probes), *others],
                service=service.name,
                evidence="; ".join(service.evidence),
            )


RULE = Rule(
    module=__name__,
    kind="4.1",
    severity="high",
    area="Kubernetes",
    title="A probe asks another port than the service listens on",
    what="""Compares the ports of liveness, readiness and startup probes with the container's own ports and
with every other place that
states the service's port.""",
    why="The pod never becomes ready, or is restarted for ever, although the service is well.",
    example="""k8s/backend.yaml:   livenessProbe: { httpGet: { path: /health, port: 3001 } }
docker-compose.yml: PORT: 2000""",
    remedy="Name the container's port and let the probes use the name.",
    check=check,
)
