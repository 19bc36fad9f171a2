"""A URL or proxy names a container that no file defines."""

from __future__ import annotations

import difflib
import re
from collections import defaultdict
from collections.abc import Iterator

from trimtab.audit.facts.hosts import ADDRESS
from trimtab.audit.facts.model import Facts, Place, Upstream
from trimtab.audit.facts.products import product_of_image
from trimtab.audit.facts.prometheus import TARGET
from trimtab.audit.facts.text import directory_of
from trimtab.audit.finding import Confidence, Finding, Rule
from trimtab.errors import some

_KNOWN = frozenset(
    {
        "localhost",
        "host",
        "gateway",
        "kubernetes",
        "metadata",
        "example",
        "hostname",
        "db_host",
        "host.docker.internal",
        "user",
        "username",
        "server",
        "your-host",
        "base",
        "unix",
        "127.0.0.1",
    }
)
_CLUSTER = "the cluster"
_INTERNAL = frozenset(
    {
        "postgres",
        "postgresql",
        "redis",
        "rediss",
        "mysql",
        "mariadb",
        "mongodb",
        "amqp",
        "kafka",
        "nats",
        "http",
        "grpc",
        ADDRESS,
    }
)


def check(facts: Facts) -> Iterator[Finding]:
    """One finding per host."""
    by_file = _names_by_directory(facts)
    everywhere = set().union(*by_file.values()) if by_file else set()
    if not everywhere:
        return
    compose_paths = {file.path for file in facts.compose}
    cluster = frozenset(one.name for one in facts.kube_services)
    wanted: dict[str, list[Upstream]] = defaultdict(list)
    for upstream in facts.upstreams:
        if upstream.owner or upstream.name in (
            "proxy_pass",
            "upstream",
            "fastcgi_pass",
            "grpc_pass",
            "uwsgi_pass",
            TARGET,
        ):
            host = _service_part(upstream.host)
            if (
                host
                and upstream.scheme in _INTERNAL
                and host not in _KNOWN
                and (
                    host not in everywhere
                    or _of_compose_only(host, upstream, cluster, facts)
                    or _called_there(host, upstream, facts)
                )
                and not _from_elsewhere(host, facts)
                and not re.search(r"ip_?address|your|change|example|placeholder", host)
            ):
                wanted[host].append(upstream)
    scraped = {host for host, uses in wanted.items() if all(use.name == TARGET for use in uses)}
    absent: dict[str, dict[str, list[tuple[Place, str]]]] = defaultdict(lambda: defaultdict(list))
    for hosts in [*_numbered(sorted(wanted.keys() - scraped)), *([host] for host in sorted(scraped))]:
        host, uses = hosts[0], [use for one in hosts for use in wanted[one]]
        released = sorted(name for name in cluster if name.endswith(f"-{host}"))
        released = released or [name for name in (_called_there(host, use, facts) for use in uses) if name]
        names = cluster if host in everywhere else everywhere
        near = released[:1] or difflib.get_close_matches(
            host, sorted(name for name in names if not name.endswith("-0")), n=1, cutoff=0.8
        )
        places: list[tuple[Place, str]] = [(use.place, _written(use)) for use in uses]
        places += [(place, name) for name, place in _definitions(facts) if near and name == near[0]]
        if host in scraped:
            said = f"{host} ({near[0]} is)" if near else host
            for path in {use.place.path for use in uses}:
                here = [(use.place, _written(use)) for use in uses if use.place.path == path]
                absent[path][said] = [*here, *places[len(uses) :]]
            continue
        outside = not near and all(_on_outside_network(use, facts) for use in uses)
        sure = bool(near) or (not outside and any(use.place.path in compose_paths for use in uses))
        confidence: Confidence = "high" if sure else "low" if outside else "medium"
        named = f"Host {host} is" if len(hosts) == 1 else f"Hosts {', '.join(hosts[:-1])} and {hosts[-1]} are"
        yield RULE.finding(
            f"{named} used, and no service or container is called that{f' ({near[0]} is)' if near else ''}",
            places,
            confidence=confidence,
            severity="high" if sure else "medium",
        )
    for path, missing in sorted(absent.items()):
        yield RULE.finding(
            f"{path} scrapes hosts that no service or container is called: {some(list(missing))}",
            [place for found in missing.values() for place in found],
            confidence="medium",
            severity="medium",
        )


def _written(use: Upstream) -> str:
    if use.scheme == ADDRESS:
        return use.host
    return f"{use.scheme}://{use.host}" if use.owner or not use.port else f"{use.host}:{use.port}"


def _numbered(hosts: list[str]) -> list[list[str]]:
    """The hosts, those together that differ by a number at their end: `api-1`, `api-2`."""
    groups: dict[str, list[str]] = defaultdict(list)
    for host in hosts:
        stem = re.sub(r"[-_]\d{1,3}$", "", host)
        groups[stem if stem != host else f"{host}/"].append(host)
    return list(groups.values())


def _called_there(host: str, upstream: Upstream, facts: Facts) -> str:
    """What the files that use a host call the very product that other files call `host`; "" when they have the name."""
    running = facts.once("containers by product", lambda: _running(facts))
    wanted = {product for name, product, _ in running if name == host} or {product_of_image(host)}
    scope = _scope(upstream.place.path, facts)
    here = {name: product for name, product, where in running if where == scope}
    reachable = {one.name for one in facts.kube_services} if scope == _CLUSTER else _declared(scope, facts)
    if not upstream.owner or scope == "" or host in reachable or "" in wanted:
        return ""
    return next((name for name, product in sorted(here.items()) if product in wanted and name in reachable), "")


def _scope(path: str, facts: Facts) -> str:
    """Where a file's names are known: in the cluster, or among the compose files of a folder."""
    if path in facts.once("compose paths", lambda: frozenset(file.path for file in facts.compose)):
        return f"compose {directory_of(path)}"
    manifests = facts.once("manifest paths", lambda: frozenset(one.place.path for one in facts.objects))
    return _CLUSTER if path in manifests and "/templates/" not in path else ""


def _declared(scope: str, facts: Facts) -> set[str]:
    """The names of every compose service of a folder, whatever it runs."""
    by_scope: dict[str, set[str]] = facts.once("compose names by scope", lambda: _by_scope(facts))
    return by_scope.get(scope, set())


def _by_scope(facts: Facts) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for one in facts.containers:
        if one.origin == "compose":
            found[f"compose {directory_of(one.place.path)}"].update((one.name, *one.aliases))
    return found


def _running(facts: Facts) -> list[tuple[str, str, str]]:
    """(name, product, scope) of every container of a known datastore; in a cluster the name is the workload's."""
    found = []
    for one in facts.containers:
        product = product_of_image(one.image.repository) if one.image else ""
        if product:
            names = [one.workload] if one.origin == "kubernetes" else [one.name, *one.aliases]
            scope = _CLUSTER if one.origin == "kubernetes" else f"compose {directory_of(one.place.path)}"
            found += [(name, product, scope) for name in names if name]
    return found


def _of_compose_only(host: str, upstream: Upstream, cluster: frozenset[str], facts: Facts) -> bool:
    """Whether a host in a cluster is what compose calls a service that has another name in the cluster."""
    if "/templates/" not in upstream.place.path or host in cluster or not upstream.owner:
        return False
    return any(name.endswith(f"-{host}") for name in cluster) and not any(host == one.name for one in facts.workloads)


def _from_elsewhere(host: str, facts: Facts) -> bool:
    """Whether a chart or an operator that is kept elsewhere may make the Service."""
    if any(name in host for name in facts.installed):
        return True
    known = [one.name for one in facts.kube_services]
    for release in facts.assumed.values():  # under another release, the chart's own Services have another beginning
        ends = {name.removeprefix(release) for name in known if name.startswith(release)} - {""}
        if any(host.endswith(end) and not host.startswith(release) for end in ends):
            return True
    return False


def _on_outside_network(upstream: Upstream, facts: Facts) -> bool:
    """Whether the container that uses the host is also on a network that other projects share."""
    joined: set[tuple[str, str]] = facts.once("containers on outside networks", lambda: _joined_outside(facts))
    return (upstream.place.path, upstream.owner) in joined


def _joined_outside(facts: Facts) -> set[tuple[str, str]]:
    return {
        (file.path, one.name)
        for file in facts.compose
        if file.outside
        for one in file.services
        if file.outside & set(one.networks or ("default",))
    }


def _service_part(host: str) -> str:
    """The service's name in a host that is internal: a bare name, or the first part of a cluster address."""
    if host.endswith((".svc", ".svc.cluster.local")) or ".svc." in host:
        return host.split(".", maxsplit=1)[0]
    return (
        host
        if "." not in host and ":" not in host and "$" not in host and "tpl-" not in host and not host.isdigit()
        else ""
    )


def _names_by_directory(facts: Facts) -> dict[str, set[str]]:
    names: dict[str, set[str]] = defaultdict(set)
    for name, place in _definitions(facts):
        names[directory_of(place.path)].add(name)
    return names


def _definitions(facts: Facts) -> Iterator[tuple[str, Place]]:
    for container in facts.containers:
        if container.origin == "compose":
            yield container.name, container.place
            for alias in container.aliases:
                yield alias, container.place
    for service in facts.kube_services:
        yield service.name, service.place
    for workload in facts.workloads:
        if workload.kind == "StatefulSet":
            yield f"{workload.name}-0", workload.place
        for container in workload.containers:
            yield container.name, container.place


RULE = Rule(
    module=__name__,
    severity="high",
    area="References and Versions",
    title="A host is used that no service has",
    what="Takes the hosts of URLs in containers' variables, those of variables such as REDIS_HOST, and those of nginx "
    "upstreams and Prometheus targets, where they are internal names, and looks for a compose "
    "service, alias, container or Kubernetes Service of that name.",
    why="The name does not resolve, so the connection fails when it is first used.",
    example="""REDIS_URL: redis://cache:6379
services: { redis: { image: redis:7 } }""",
    remedy="Use the name of the service as the files define it.",
    check=check,
)
