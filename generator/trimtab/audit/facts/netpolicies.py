"""What Kubernetes' NetworkPolicies let through between pods. Where a policy cannot be judged, it is taken to allow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from trimtab.audit.facts.model import Facts, KubeObject, Place, Workload
from trimtab.yamlpos import Map


@dataclass(frozen=True, slots=True)
class Pod:
    """The pods of a workload, as policies see them."""

    name: str
    namespace: str
    labels: Mapping[str, str]
    ports: Mapping[str, int]  # the names of containers' ports
    place: Place


def pod_of(workload: Workload) -> Pod:
    """The pods that a workload starts."""
    containers = workload.containers
    named = {
        port.name: port.number for one in containers for port in one.ports if port.name and port.number is not None
    }
    return Pod(workload.name, containers[0].namespace if containers else "", workload.pod_labels, named, workload.place)


class Policies:
    """The NetworkPolicies that stand in a repository as they are applied."""

    def __init__(self, facts: Facts) -> None:
        """Only plain policies are kept; `judged` tells whether that is all there are."""
        kinds = {one.kind for one in facts.objects}
        self.policies = [one for one in facts.objects if one.kind == "NetworkPolicy" and not one.patch]
        self.judged = (
            bool(self.policies)
            and not any(kind.endswith("NetworkPolicy") and kind != "NetworkPolicy" for kind in kinds)
            and not any(one.kind == "NetworkPolicy" and one.patch for one in facts.objects)
            and not any("tpl-" in f"{one.name}{one.namespace}{one.body}" for one in self.policies)
        )
        self.namespaces = {one.name: one.labels for one in facts.objects if one.kind == "Namespace"}

    def blocking(self, client: Pod, server: Pod, port: int | None) -> list[tuple[KubeObject, str]]:
        """The policies that keep a client's pods from a server's port, each with the direction; none where they may."""
        return [
            *((one, "Egress") for one in self._against(client, server, port, "Egress")),
            *((one, "Ingress") for one in self._against(server, client, port, "Ingress")),
        ]

    def _against(self, here: Pod, other: Pod, port: int | None, direction: str) -> list[KubeObject]:
        """The policies for `here` in one direction, if there are any and none of them allows the other side."""
        owner = here if direction == "Ingress" else other  # whose port it is
        rules, peers = ("ingress", "from") if direction == "Ingress" else ("egress", "to")
        chosen = [
            one
            for one in self.policies
            if one.namespace == here.namespace
            and direction in _directions(one.body.map("spec"))
            and _selects(one.body.map("spec", "podSelector"), here.labels)
        ]
        for policy in chosen:
            for rule in policy.body.map("spec").maps(rules):
                within = not rule.seq(peers) or any(
                    self._peer(peer, other, policy.namespace) for peer in rule.maps(peers)
                )
                if within and _through(rule, port, owner):
                    return []
            if any(not isinstance(rule, Map) for rule in policy.body.map("spec").seq(rules)):
                return []
        return chosen

    def _peer(self, peer: Map, pod: Pod, own: str) -> bool:
        if "ipBlock" in peer:
            return True
        if "namespaceSelector" in peer:
            selector = peer.map("namespaceSelector")
            labels = {**self.namespaces.get(pod.namespace, {}), "kubernetes.io/metadata.name": pod.namespace}
            known = pod.namespace in self.namespaces or set(selector.map("matchLabels")) <= {
                "kubernetes.io/metadata.name"
            }
            if known and not _selects(selector, labels):
                return False
        elif pod.namespace != own:
            return False
        return "podSelector" not in peer or _selects(peer.map("podSelector"), pod.labels)


def _directions(spec: Map) -> set[str]:
    stated = {str(one) for one in spec.seq("policyTypes").texts()}
    return stated or ({"Ingress", "Egress"} if "egress" in spec else {"Ingress"})


def _selects(selector: Map, labels: Mapping[str, str]) -> bool:
    """Whether a selector may choose what has the labels; expressions are taken to hold."""
    return all(labels.get(key) == str(value) for key, value in selector.map("matchLabels").items())


def _through(rule: Map, port: int | None, server: Pod) -> bool:
    """Whether a rule lets a TCP port of the server's pods through."""
    if not rule.seq("ports") or port is None:
        return True
    for entry in rule.maps("ports"):
        if str(entry.text("protocol") or "TCP") != "TCP":
            continue
        text = str(entry.text("port") or "")
        if not text:
            return True
        first = int(text) if text.isdigit() else server.ports.get(text)
        end = str(entry.text("endPort") or "")
        if first is None or first == port or (end.isdigit() and first <= port <= int(end)):
            return True
    return False
