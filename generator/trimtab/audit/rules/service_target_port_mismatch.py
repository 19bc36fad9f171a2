"""A Service or ingress sends to a port that its target does not have."""

from __future__ import annotations

from collections.abc import Iterator

from trimtab.audit.facts import helm
from trimtab.audit.facts.model import Facts, KubeService, Workload
from trimtab.audit.facts.products import SIDE_PORTS, datastore_of, is_third_party
from trimtab.audit.facts.text import to_port
from trimtab.audit.finding import Finding, Rule


def check(facts: Facts) -> Iterator[Finding]:
    """One finding per Service port or route."""
    selectors = {one.name: one.selector for one in facts.kube_services if one.selector and not one.patch}
    for service in facts.kube_services:
        selector = service.selector or (selectors.get(service.name, {}) if service.patch else {})
        if not selector or service.name.startswith(helm.LOOP):
            continue
        matched = [
            one
            for one in facts.workloads
            if not one.patch and all(one.pod_labels.get(key) == value for key, value in selector.items())
        ]
        if matched:
            names = {one.name for one in matched}
            yield from _ports(
                service,
                [
                    *matched,
                    *(
                        one
                        for one in facts.workloads
                        if one.patch and one.name in names and one.environment == service.environment != ""
                    ),
                ],
            )
    by_name: dict[str, list[KubeService]] = {}
    for service in facts.kube_services:
        by_name.setdefault(service.name, []).append(service)
    for route in facts.ingress_routes:
        candidates = [one for one in by_name.get(route.service, []) if one.ports]
        if not candidates or not route.port or "tpl-" in route.port or route.service.startswith(helm.LOOP):
            continue
        if not any(route.port in (str(port.number), port.name) for service in candidates for port in service.ports):
            have = [(port.place, str(port.number)) for service in candidates for port in service.ports]
            yield RULE.finding(
                f"The ingress sends to port {route.port} of Service {route.service}, which does not have it",
                [(route.port_place or route.place, route.port), *have],
            )


def _ports(service: KubeService, matched: list[Workload]) -> Iterator[Finding]:
    opened = [
        port
        for workload in matched
        for container in workload.containers
        if not container.init
        for port in container.ports
    ]
    numbers, names = {port.number for port in opened}, {port.name for port in opened if port.name}
    if not opened or None in numbers:
        return
    # What a published image listens on need not be listed; where the Service has other ports right, it is no slip.
    published = all(
        one.image is not None and is_third_party(one.image.repository)
        for workload in matched
        for one in workload.containers
    ) and any(to_port(port.target) in numbers for port in service.ports)
    images = [one.image.repository for workload in matched for one in workload.containers if one.image]
    aside = frozenset().union(*(SIDE_PORTS.get(datastore_of(image), frozenset()) for image in images))
    for port in service.ports:
        target = to_port(port.target)
        if published and target in aside:
            continue
        wrong = (
            target not in numbers
            if target is not None
            else bool(port.target) and port.target not in names and "tpl-" not in port.target
        )
        if wrong:
            namesake = any(one.name == port.name and one.number != target for one in opened if port.name)
            sure = target is None or namesake or (len(opened) < 3 and not published)
            yield RULE.finding(
                f"Service {service.name} sends to {port.target}, which its pods do not open",
                [
                    (port.place, port.target),
                    *((one.place, one.name if target is None else str(one.number)) for one in opened),
                ],
                severity="high" if sure else "medium",
                confidence="high" if sure else "medium",
            )


RULE = Rule(
    module=__name__,
    severity="high",
    area="Kubernetes",
    title="A Service or ingress sends to a port that its target does not have",
    what="Follows each Service to the pods that it selects and each ingress to its Service, and compares the ports.",
    why="Connections are refused although pods and Service look well.",
    example="""kind: Service:    targetPort: 3000
kind: Deployment: containerPort: 8080""",
    remedy="Name the container's port once and use the name as `targetPort`.",
    check=check,
)
