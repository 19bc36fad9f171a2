"""Where hosts lead: the containers of databases that answer to a name in compose or in a cluster."""

from __future__ import annotations

from collections.abc import Iterator

from trimtab.audit.facts.model import Container, Facts, Place
from trimtab.audit.facts.query import compose_paths
from trimtab.audit.facts.text import directory_of


def servers(host: str, at: Place, facts: Facts) -> list[Container]:
    """The containers that a host may name, seen from a file: those of the compose files of its folder or of the
    manifests if it is one of these, else all.
    """
    found = list(_called(host.split(".", maxsplit=1)[0], facts))
    if at.path in compose_paths(facts):
        home = directory_of(at.path)
        return [one for one in found if one.origin == "compose" and directory_of(one.place.path) == home]
    if any(one.place.path == at.path for one in facts.objects):
        return [one for one in found if one.origin == "kubernetes"]
    return found


def _called(name: str, facts: Facts) -> Iterator[Container]:
    for one in facts.containers:
        if one.origin == "compose" and name in one.names:
            yield one
    for service in facts.kube_services:
        if service.name == name and service.selector and not service.patch:
            for workload in facts.workloads:
                if not workload.patch and service.selector.items() <= workload.pod_labels.items():
                    yield from (one for one in workload.containers if not one.init)
