"""A URL or proxy sends to a port on which the named service does not listen."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from trimtab.audit.facts.model import Facts, KubeService, Place, Service
from trimtab.audit.facts.ports import claims
from trimtab.audit.facts.products import DATASTORES, DEFAULT_PORT, SIDE_PORTS
from trimtab.audit.facts.prometheus import TARGET
from trimtab.audit.facts.query import compose_paths
from trimtab.audit.facts.text import DEFAULT_PORTS, to_port
from trimtab.audit.finding import Finding, Rule

# Directives of files that stand beside the containers: nginx's, and the targets that Prometheus scrapes.
_OUTSIDE = ("proxy_pass", "upstream", TARGET)


def check(facts: Facts) -> Iterator[Finding]:  # noqa: C901, PLR0912
    """One finding per service and wrong port."""
    by_name: dict[str, list[Service]] = defaultdict(list)
    for service in facts.services:
        for container in service.containers:
            if container.origin == "compose":
                for name in set(container.names):
                    if service not in by_name[name]:
                        by_name[name].append(service)
    cluster: dict[str, list[KubeService]] = defaultdict(list)
    for kube in facts.kube_services:
        cluster[kube.name].append(kube)
    objects = {one.place.path for one in facts.objects}
    wrong: dict[tuple[str, int], list[tuple[Place, str]]] = defaultdict(list)
    right: dict[tuple[str, int], list[tuple[Place, str]]] = {}
    for upstream in facts.upstreams:
        port = upstream.port or DEFAULT_PORTS.get(upstream.scheme)
        host = upstream.host.split(".")[0]
        in_cluster = (
            upstream.place.path not in compose_paths(facts)
            and host in cluster
            and (upstream.name not in _OUTSIDE or (upstream.name == TARGET and upstream.place.path in objects))
        )
        if (
            upstream.name == TARGET
            and not in_cluster
            and not any(service.root is not None for service in by_name.get(host, ()))
        ):
            continue  # what is pulled has its metrics on a port of their own
        if upstream.owner == host:
            continue  # a cluster's members name themselves, on ports that are nobody else's business
        if port is None or (upstream.port is None and upstream.scheme not in ("http", "ws", "grpc")):
            continue
        if in_cluster:
            ports = [one for kube in cluster[host] for one in kube.ports]
            if ports and port not in {one.number for one in ports} and not any(kube.external for kube in cluster[host]):
                wrong[(host, port)].append((upstream.place, str(port)))
                right[(host, port)] = [(one.place, str(one.number)) for one in ports]
            continue
        if len(by_name.get(host, ())) == 1 and (upstream.owner or upstream.name in _OUTSIDE):
            known = _listening(by_name[host][0], facts) or _published(by_name[host][0], port)
            if (
                known
                and port not in known
                and port not in SIDE_PORTS.get(by_name[host][0].role, ())
                and port not in {one.number for kube in cluster.get(host, ()) for one in kube.ports}
            ):
                wrong[(host, port)].append((upstream.place, str(port)))
                right[(host, port)] = [(place, str(number)) for number, places in known.items() for place in places]
    scraped = {one.place for one in facts.upstreams if one.name == TARGET}
    manifests = {one.place.path for one in facts.containers if one.origin == "kubernetes"}
    for (host, port), places in sorted(wrong.items()):
        # What the cluster's containers open says little of what compose's listen on, if nothing else says it.
        apart = {place.path for place, _ in right[(host, port)]} <= manifests and host not in cluster
        apart |= all(place in scraped for place, _ in places)  # metrics may have a port that no other file tells
        yield RULE.finding(
            f"{host} is addressed on port {port}, but listens on {', '.join(dict.fromkeys(value for _, value in right[(host, port)]))}",  # noqa: E501
            [*places, *right[(host, port)]],
            severity="medium" if apart else None,
            confidence="medium" if apart else "high",
        )


def _published(service: Service, port: int) -> dict[int, list[Place]]:
    """The container's ports of a published image, when the port asked for is one that only the host has."""
    here = [one for container in service.containers if container.origin == "compose" for one in container.ports]
    if str(port) not in {one.host for one in here} or port in {one.number for one in here}:
        return {}
    return {one.number: [one.place] for one in here if one.number and one.host == str(port)}


def _listening(service: Service, facts: Facts) -> dict[int, list[Place]]:  # noqa: C901
    """Every port that a service may listen on, with where that is said; empty when nothing is known."""
    known: dict[int, list[Place]] = defaultdict(list)
    if service.role in DATASTORES:
        for container in service.containers:
            for number in {DEFAULT_PORT.get(service.role)} - {None}:
                if "--port" not in container.command and " -p " not in container.command:
                    known[number or 0].append(container.place)
            for word, value in zip(container.command.split(), container.command.split()[1:], strict=False):
                if word in ("--port", "-p") and to_port(value):
                    known[to_port(value) or 0].append(container.command_place or container.place)
            for port in container.ports:
                if port.number:
                    known[port.number].append(port.place)
        return known
    if service.root is None and not any(container.ports for container in service.containers):
        return known
    if service.root is None and any(container.image and not container.build for container in service.containers):
        return {}  # a published image listens on more ports than are opened for it
    for claim in claims(service, facts):
        known[claim.port].append(claim.place)
    return known


RULE = Rule(
    module=__name__,
    severity="high",
    area="Docker Configuration",
    title="A service is addressed on a port on which it does not listen",
    what="Follows URLs in variables, nginx upstreams and Prometheus targets to the service that they name, and "
    "compares the port with every port that any file states for it.",
    why="The connection is refused; a proxy answers 502.",
    example="""nginx.conf:         proxy_pass http://backend:3000;
docker-compose.yml: backend: PORT: 2000""",
    remedy="Use the port on which the service listens inside its container, not the published one.",
    check=check,
)
