"""NetworkPolicies let no workload reach a Service whose address is given to them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from trimtab.audit.facts.model import Container, Facts, KubeObject, KubeService, Place, Workload
from trimtab.audit.facts.netpolicies import Pod, Policies, pod_of
from trimtab.audit.facts.text import urls
from trimtab.audit.finding import Finding, Rule
from trimtab.errors import some

_ADDRESS = re.compile(r"([a-z][a-z0-9-]{0,62}(?:\.[a-z][a-z0-9-]{0,62}){0,4}):(\d{2,5})")


@dataclass(slots=True)
class _Asked:
    """A Service that variables name, and what the policies say to each workload that has such a variable."""

    service: KubeService
    uses: list[tuple[Place, str]] = field(default_factory=list)
    blocked: dict[Place, tuple[KubeObject, str]] = field(default_factory=dict)
    clients: list[str] = field(default_factory=list)
    reached: bool = False


def check(facts: Facts) -> Iterator[Finding]:
    """One finding per namespace of the clients: one set of policies is one cause."""
    policies = Policies(facts)
    if not policies.judged:
        return
    for namespace, asked in _asked(facts, policies).items():
        shut = [one for one in asked if one.clients and not one.reached]
        if shut:
            names = some([one.service.name for one in shut], 4)
            yield RULE.finding(
                f"NetworkPolicies let no workload{f' of {namespace}' if namespace else ''} reach {names}",
                [
                    *(use for one in shut for use in one.uses),
                    *(
                        (policy.place, f"{direction}: {policy.name}")
                        for one in shut
                        for policy, direction in one.blocked.values()
                    ),
                ],
                confidence="medium",
            )


def _asked(facts: Facts, policies: Policies) -> dict[str, list[_Asked]]:
    """By the clients' namespace, the Services that their variables name and that have pods here."""
    found: dict[tuple[str, str, str], _Asked] = {}
    pods = [(one, pod_of(one)) for one in facts.workloads if one.pod_labels and not one.patch]
    maps = {(one.name, one.namespace): one for one in facts.objects if one.kind == "ConfigMap" and not one.patch}
    spaces = _namespaces(facts)
    for workload, client in pods:
        for place, shown, host, port in _addresses(workload, client, maps):
            service = _service(host, client.namespace, facts, spaces)
            if service is None:
                continue
            there = spaces[service.place]
            servers = [
                pod
                for _, pod in pods
                if pod.namespace == there and service.selector.items() <= pod.labels.items() and pod.name != client.name
            ]
            if not servers or not service.selector:
                continue
            one = found.setdefault((client.namespace, there, service.name), _Asked(service))
            one.uses.append((place, shown))
            one.clients.append(client.name)
            against = [policies.blocking(client, server, _target(service, port, server)) for server in servers]
            if not all(against):
                one.reached = True
            for policy, direction in against[0]:
                one.blocked[policy.place] = (policy, direction)
    by_namespace: dict[str, list[_Asked]] = {}
    for (namespace, _, _), one in found.items():
        by_namespace.setdefault(namespace, []).append(one)
    return by_namespace


def _addresses(
    workload: Workload, client: Pod, maps: dict[tuple[str, str], KubeObject]
) -> Iterator[tuple[Place, str, str, int | None]]:
    """The URLs in a workload's variables: (place, as shown, host, port)."""
    for container in workload.containers:
        for place, name, value in _values(container, client, maps):
            for scheme, host, port, _ in urls(value):
                yield place, f"{name}: {scheme}://{host}{f':{port}' if port else ''}", host, port
            bare = _ADDRESS.fullmatch(value)
            if bare:
                yield place, f"{name}: {value}", bare[1], int(bare[2])


def _values(
    container: Container, client: Pod, maps: dict[tuple[str, str], KubeObject]
) -> Iterator[tuple[Place, str, str]]:
    for item in container.env:
        if item.value:
            yield item.place, item.name, item.value
    given = {item.name for item in container.env}
    for kind, name in container.env_from:
        source = maps.get((name, client.namespace)) if kind == "ConfigMap" else None
        if source is None:
            continue
        data = source.body.map("data")
        for key, value in data.items():
            if isinstance(value, str) and key not in given:
                yield Place(source.place.path, data.line_of(key)), key, value


def _namespaces(facts: Facts) -> dict[Place, str]:
    return {one.place: one.namespace for one in facts.objects if one.kind == "Service"}


def _service(host: str, own: str, facts: Facts, spaces: dict[Place, str]) -> KubeService | None:
    """The Service that a host names in the cluster, seen from a namespace."""
    parts = host.split(".")
    if len(parts) > 1 and not (len(parts) == 2 or parts[2] == "svc"):
        return None
    namespace = parts[1] if len(parts) > 1 else own
    for one in facts.kube_services:
        if one.name == parts[0] and not one.patch and not one.external and spaces.get(one.place) == namespace:
            return one
    return None


def _target(service: KubeService, port: int | None, server: Pod) -> int | None:
    """The port of the pods behind a port of their Service; None where that is not known."""
    ports = [one for one in service.ports if port is None or one.number == port]
    if len(ports) != 1:
        return None
    target = ports[0].target
    return int(target) if target.isdigit() else server.ports.get(target)


RULE = Rule(
    module=__name__,
    severity="high",
    area="Kubernetes",
    title="NetworkPolicies block an address that workloads are given",
    what="Takes the URLs in workloads' variables that name a Service of the manifests, and asks the NetworkPolicies of "
    "both sides whether any workload with the variable may reach the Service's pods at that port. Policies of other "
    "kinds, patches of policies, templates and address ranges are taken to allow.",
    why="The connection times out, though both services run and the name resolves; it works wherever the network "
    "plugin does not enforce policies, as on most development clusters.",
    example="""kind: NetworkPolicy, podSelector: {}, policyTypes: [Ingress, Egress]   # and no other for shop and stock
kind: Deployment, name: shop, env: [{ name: STOCK_URL, value: http://stock:8080 }]""",
    remedy="Allow the connection in the egress of the client and in the ingress of the Service's pods, or remove the "
    "variable.",
    check=check,
)
