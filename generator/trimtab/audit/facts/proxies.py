"""Configurations of proxies that images hold which run in a cluster: the hosts in them are looked up there."""

from __future__ import annotations

from collections.abc import Iterator

from trimtab.audit.facts.kubernetes import WORKLOADS
from trimtab.audit.facts.model import Dockerfile, Facts, Service
from trimtab.audit.facts.text import join
from trimtab.yamlpos import Map


def in_cluster(facts: Facts) -> frozenset[str]:
    """The paths of the configurations that are copied into images that the cluster runs; none that a volume or a
    ConfigMap may lie over.
    """
    objects = [one for one in facts.objects if one.kind == "ConfigMap"]
    laid = any(str(key).endswith((".conf", ".template")) for one in objects for key in one.body.map("data"))
    if not facts.kube_services or laid:
        return frozenset()
    mounted = {
        (item.kind, item.name)
        for item in facts.objects
        if item.kind in WORKLOADS and any("nginx" in path for path in _mount_paths(item.body))
    }
    kinds = {one.name: one.kind for one in facts.workloads}
    written = {one.place.path for one in facts.upstreams if not one.owner}
    found: set[str] = set()
    for service in facts.services:
        run = [one for one in service.containers if one.origin == "kubernetes" and not one.job and not one.partial]
        if run and not any((kinds.get(one.workload, ""), one.workload) in mounted for one in run):
            for dockerfile in service.dockerfiles:
                if dockerfile.environment not in ("local", "test"):
                    found.update(_copied(dockerfile, service, facts))
    return frozenset(found & written)


def _copied(dockerfile: Dockerfile, service: Service, facts: Facts) -> Iterator[str]:
    """What a Dockerfile copies, from the contexts that builds and pushes give, else from where its source is."""
    builds = [one.build for one in service.containers if one.build]
    homes = {one.context for one in builds if one.dockerfile == dockerfile.path and one.context is not None}
    homes |= {push.context for push in facts.pushes if push.dockerfile == dockerfile.path}
    for home in homes or {service.root or "", dockerfile.directory, ""}:
        yield from (path for source, _ in dockerfile.copies if (path := join(home, source.lstrip("/"))))


def _mount_paths(body: Map) -> Iterator[str]:
    spec = body.map("spec").map("template").map("spec")
    for container in spec.maps("containers"):
        yield from (str(one.text("mountPath") or "") for one in container.maps("volumeMounts"))
