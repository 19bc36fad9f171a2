"""A URL or proxy names a container that no file defines."""

from __future__ import annotations

import difflib
import re
from collections import defaultdict
from collections.abc import Iterator

from trimtab.audit.facts.grafana import DATA_SOURCE
from trimtab.audit.facts.hosts import ADDRESS
from trimtab.audit.facts.model import Facts, Place, Upstream
from trimtab.audit.facts.products import product_of_image
from trimtab.audit.facts.prometheus import TARGET
from trimtab.audit.facts.proxies import in_cluster
from trimtab.audit.facts.query import compose_paths
from trimtab.audit.facts.text import directory_of, urls
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
_STORES = {"amqp": "rabbitmq", "amqps": "rabbitmq", "rediss": "redis"}
_CLUSTER = "the cluster"
_STANDS_FOR = re.compile(r"ip_?address|your|change|example|placeholder")
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
    yield from _renamed(facts)
    yield from _scraped(facts)
    by_file = _names_by_directory(facts)
    everywhere = set().union(*by_file.values()) if by_file else set()
    if not everywhere:
        return
    baked = in_cluster(facts)
    renamed = {one.name for one in facts.renamed}
    cluster = frozenset(one.name for one in facts.kube_services)
    wanted: dict[str, list[Upstream]] = defaultdict(list)
    for upstream in facts.upstreams:
        if upstream.owner or upstream.name in (
            "proxy_pass",
            "upstream",
            "fastcgi_pass",
            "grpc_pass",
            "uwsgi_pass",
            DATA_SOURCE,
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
                    or (not upstream.owner and upstream.place.path in baked and host not in cluster | renamed)
                )
                and not _from_elsewhere(host, facts)
                and not _STANDS_FOR.search(host)
            ):
                wanted[host].append(upstream)
    yield from _in_env_files(facts, everywhere, frozenset(wanted))
    for hosts in _numbered(sorted(wanted)):
        host, uses = hosts[0], [use for one in hosts for use in wanted[one]]
        released = sorted(name for name in cluster if name.endswith(f"-{host}"))
        released = released or [name for name in (f"{host}-service", f"{host}-svc") if name in cluster]
        released = released or [name for name in (_called_there(host, use, facts) for use in uses) if name]
        elsewhere = host in everywhere
        names = cluster if elsewhere else everywhere
        near = released[:1] or difflib.get_close_matches(
            host, sorted(name for name in names if not name.endswith("-0")), n=1, cutoff=0.8
        )
        places: list[tuple[Place, str]] = [(use.place, _written(use)) for use in uses]
        defined = _definitions(facts, cluster_only=elsewhere and bool(near) and near[0] in cluster)
        places += [(place, name) for name, place in defined if near and name == near[0]]
        outside = not near and all(_on_outside_network(use, facts) for use in uses)
        sure = bool(near) or (not outside and any(use.place.path in compose_paths(facts) for use in uses))
        confidence: Confidence = "high" if sure else "low" if outside else "medium"
        paths = sorted({use.place.path for use in uses})
        named = f"Host {host} is" if len(hosts) == 1 else f"Hosts {', '.join(hosts[:-1])} and {hosts[-1]} are"
        where = ", and no service or container is called that"
        if elsewhere:
            more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
            where = f" in {paths[0]}{more}, and no service is called that there"
        if elsewhere and not {*paths} - baked:
            where = " in the cluster, where no Service is called that"
        yield RULE.finding(
            f"{named} used{where}{f' ({near[0]} is)' if near else ''}",
            places,
            confidence=confidence,
            severity="high" if sure else "medium",
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


def _scraped(facts: Facts) -> Iterator[Finding]:
    """One finding for each Prometheus configuration that scrapes hosts which nothing has: of compose's where a compose
    file mounts it, else of all.
    """
    runs = any(one.image and one.image.base.rsplit("/", 1)[-1] == "prometheus" for one in facts.containers)
    by_file: dict[str, list[Upstream]] = defaultdict(list)
    for upstream in facts.upstreams:
        if upstream.name == TARGET:
            by_file[upstream.place.path].append(upstream)
    compose = compose_paths(facts)
    mounted = {mount.source for one in facts.containers if one.origin == "compose" for mount in one.mounts}
    for path, targets in sorted(by_file.items()):
        by_compose = path in mounted or directory_of(path) in mounted - {""}
        defined = {name: place for name, place in _definitions(facts) if place.path in compose or not by_compose}
        lacking: dict[str, list[Upstream]] = defaultdict(list)
        for one in targets:
            host = _service_part(one.host)
            known = host in defined or host in _KNOWN or (not by_compose and _from_elsewhere(host, facts))
            if defined and host and not known and not _STANDS_FOR.search(host):
                lacking[host].append(one)
        if not lacking:
            continue
        places = [(one.place, f"{one.host}:{one.port}") for _, uses in sorted(lacking.items()) for one in uses]
        said = []
        for host in sorted(lacking):
            near = difflib.get_close_matches(host, sorted(defined), n=1, cutoff=0.8)
            said.append(f"{host} ({near[0]} is)" if near else host)
            places += [(defined[name], name) for name in near]
        own = runs or len(lacking) < len({one.host for one in targets}) or any("(" in one for one in said)
        yield RULE.finding(
            f"{path} scrapes hosts that no service or container is called: {some(said)}",
            places,
            severity="medium",
            confidence="medium" if own else "low",
        )


def _in_env_files(facts: Facts, everywhere: set[str], known: frozenset[str]) -> Iterator[Finding]:
    """Hosts of datastores' URLs in env files, where the files define that datastore under another name."""
    running: dict[str, dict[str, None]] = defaultdict(dict)
    for name, product, _ in facts.once("containers by product", lambda: _running(facts)):
        running[product][name] = None
    found: dict[tuple[str, str], list[tuple[Place, str]]] = defaultdict(list)
    for file in facts.env_files:
        for item in file.variables:
            for scheme, full, _, _ in urls(item.value or ""):
                host, product = _service_part(full), product_of_image(_STORES.get(scheme, scheme).partition("+")[0])
                if product in ("", "http") or product not in running or host in everywhere | known | _KNOWN:
                    continue
                if host and not _STANDS_FOR.search(host) and not host.endswith(("-host", "_host")):
                    found[(host, product)].append((item.place, f"{scheme}://{host}"))
    for (host, product), uses in sorted(found.items()):
        names = [name for name in running[product] if "$" not in name][:2]
        places = [(place, name) for name, place in _definitions(facts) if name in names]
        other = f"{' and '.join(names)} {'is' if len(names) < 2 else 'are'}"
        yield RULE.finding(
            f"Host {host} is used, and no service or container is called that ({other})",
            [*uses, *places],
            severity="medium",
            confidence="medium",
        )


def _renamed(facts: Facts) -> Iterator[Finding]:
    """Hosts that a kustomization leaves as they are while it gives the Service another name."""
    applied: dict[Place, set[str]] = defaultdict(set)
    for one in facts.renamed:
        applied[one.by].add(one.place.path)
    found: dict[str, dict[tuple[Place, str], None]] = defaultdict(dict)
    for one in facts.renamed:
        if one.kind != "Service":
            continue
        files, overlay = applied[one.by], directory_of(one.by.path)
        if any(kept.name == one.written and kept.place.path not in files for kept in facts.kube_services):
            continue
        uses = [use for use in facts.upstreams if use.owner and use.host == one.written and use.scheme in _INTERNAL]
        set_there = {use.name for use in facts.upstreams if directory_of(use.place.path) == overlay}
        folders = {directory_of(path) for path in files}
        left = [use for use in uses if directory_of(use.place.path) in folders and use.name not in set_there]
        places = [(use.place, use.host) for use in left] + [(one.place, one.written), (one.by, one.name)]
        found[one.written].update(dict.fromkeys(places) if left else {})
    hosts = sorted(host for host, stated in found.items() if stated)
    if hosts:
        places = list(dict.fromkeys(place for host in hosts for place in found[host]))
        names = sorted({value for _, value in places if value not in hosts})
        what = "that Service" if len(hosts) == 1 else "those Services"
        yield RULE.finding(
            f"Host{'s' * (len(hosts) > 1)} {some(hosts, 3)} used where kustomizations call {what} {some(names, 3)}",
            places,
        )


def _called_there(host: str, upstream: Upstream, facts: Facts) -> str:
    """What the files that use a host call the very product that other files call `host`; "" when they have the name."""
    running = facts.once("containers by product", lambda: _running(facts))
    wanted = {product for name, product, _ in running if name == host} or {product_of_image(host)}
    scope = _scope(upstream.place.path, facts)
    here = {name: product for name, product, where in running if where == scope}
    reachable = {one.name for one in facts.kube_services} if scope == _CLUSTER else _declared(scope, facts)
    if not upstream.owner or scope == "" or host in reachable:
        return ""
    if scope == _CLUSTER and host in (before := facts.once("Services by workload", lambda: _before(facts))):
        return before[host]
    if "" in wanted:
        return ""
    return next((name for name, product in sorted(here.items()) if product in wanted and name in reachable), "")


def _before(facts: Facts) -> dict[str, str]:
    """By workload and by container the one Service that sends to it, where that has another name: only a Service's name
    resolves.
    """
    found: dict[str, set[str]] = defaultdict(set)
    for workload in facts.workloads:
        if workload.patch or "/templates/" in workload.place.path:
            continue
        sending = {
            one.name
            for one in facts.kube_services
            if one.selector and one.selector.items() <= workload.pod_labels.items() and not one.patch
        }
        for name in (workload.name, *(one.name for one in workload.containers)):
            found[name] |= sending
    return {name: next(iter(sending)) for name, sending in found.items() if len(sending) == 1}


def _scope(path: str, facts: Facts) -> str:
    """Where a file's names are known: in the cluster, or among the compose files of a folder."""
    if path in compose_paths(facts):
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
            found[f"compose {directory_of(one.place.path)}"].update(one.names)
    return found


def _running(facts: Facts) -> list[tuple[str, str, str]]:
    """(name, product, scope) of every container of a known datastore; in a cluster the name is the workload's."""
    found = []
    for one in facts.containers:
        product = product_of_image(one.image.repository) if one.image else ""
        if product:
            names = (one.workload,) if one.origin == "kubernetes" else one.names
            scope = _CLUSTER if one.origin == "kubernetes" else f"compose {directory_of(one.place.path)}"
            found += [(name, product, scope) for name in names if name]
    return found


def _of_compose_only(host: str, upstream: Upstream, cluster: frozenset[str], facts: Facts) -> bool:
    """Whether a host in a cluster is what compose calls a service that has another name in the cluster."""
    if "/templates/" not in upstream.place.path or host in cluster or not upstream.owner:
        return False
    return any(name.endswith(f"-{host}") for name in cluster) and not any(host == one.name for one in facts.workloads)


def _from_elsewhere(host: str, facts: Facts) -> bool:
    """Whether a chart or an operator from elsewhere may make the Service, or another file of nginx names it as
    its upstream.
    """
    if any((one.product, one.name, one.value) == ("nginx", "upstream", host) for one in facts.settings):
        return True
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


def _definitions(facts: Facts, *, cluster_only: bool = False) -> Iterator[tuple[str, Place]]:
    for container in facts.containers:
        if container.origin == "compose" and not cluster_only:
            yield container.name, container.place
            for alias in container.aliases:
                yield alias, container.place
    for service in facts.kube_services:
        yield service.name, service.place
    for one in facts.renamed:
        if one.kind == "Service":
            yield one.name, one.place
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
    what="Takes the hosts of URLs in containers' variables and of datastores' URLs in env files, "
    "those of variables such as REDIS_HOST, and those of nginx "
    "upstreams and Prometheus targets, where they are internal names, and looks for a compose "
    "service, alias, container or Kubernetes Service of that name. The prefix of a kustomization renames Services, and "
    "not the hosts that variables hold.",
    why="The name does not resolve, so the connection fails when it is first used.",
    example="""REDIS_URL: redis://cache:6379
services: { redis: { image: redis:7 } }""",
    remedy="Use the name of the service as the files define it.",
    check=check,
)
