"""Which public paths lead to which service: by Ingress and HTTPRoute, by nginx, by Traefik's labels."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from trimtab.audit.adopt.cluster import Cluster, place_environment
from trimtab.audit.adopt.model import CLUSTER, COMPOSE, rank, shown
from trimtab.audit.adopt.units import Unit
from trimtab.audit.facts import model as m
from trimtab.audit.facts.naming import is_auxiliary
from trimtab.repo import Repo
from trimtab.settings.schema import ROUTE
from trimtab.yamlpos import Map, Seq, load_all

_CADDY_BLOCK = re.compile(r"\s{0,40}(?:handle|handle_path|route)\s+(/\S{0,200})\s*\{")
_CADDY = re.compile(r"\s{0,40}reverse_proxy\s+(?:(/\S{0,200})\s+)?(?:https?://)?([\w.-]{1,200})(?::\d+)?\s*(?:\{.*)?$")
_PREFIX = re.compile(r"(?:PathPrefix|Path)\(([^()]*)\)")


@dataclass(slots=True)
class Routed:
    """The routes of each service, and whether anything routes at all."""

    paths: dict[str, dict[str, m.Place]] = field(default_factory=dict)  # service -> path -> place
    comments: dict[str, list[str]] = field(default_factory=dict)
    crowded: set[str] = field(default_factory=set)  # services whose path another one has, on a host of its own perhaps
    known: bool = False
    clustered: bool = False


def routes(repo: Repo, facts: m.Facts, cluster: Cluster, units: list[Unit], hosts: dict[str, str]) -> Routed:
    """The routes of a repository. What a cluster routes wins over what a proxy does."""
    names = {unit.name for unit in units}
    to_unit = {**{host: name for host, name in hosts.items() if name in names}, **_kube_services(facts, units)}
    found: list[tuple[int, str, str, m.Place]] = []
    for route in facts.ingress_routes:
        target = cluster.overlays.plain(route.service, set(to_unit))
        if target in to_unit:
            found.append((rank(CLUSTER, place_environment(route.place.path)), to_unit[target], route.path, route.place))
    found += [
        (order, to_unit[name], path, place) for order, name, path, place in _http_routes(cluster) if name in to_unit
    ]
    clustered = bool(found)
    behind = [*_nginx(facts, to_unit), *_traefik(repo, facts, units), *_caddy(repo, to_unit)]
    outside = {unit.name for unit in units if not any(one.origin == "kubernetes" for one in unit.containers)}
    found += [one for one in behind if not clustered or one[1] in outside]
    result = Routed(known=bool(found), clustered=clustered)
    fronts = {unit.name for unit in units if unit.data["kind"] == "frontend"}
    _settle(result, sorted(found, key=lambda one: (one[0], one[2].rstrip("/") == "" and one[1] not in fronts)))
    _yield_root(result, units, fronts)
    return result


def _yield_root(result: Routed, units: list[Unit], fronts: set[str]) -> None:
    """Leave / to a frontend that nothing else leads to, where a backend has it beside paths of its own."""
    for unit in units:
        paths = result.paths.get(unit.name, {})
        waiting = next((name for name in sorted(fronts) if name not in result.paths), None)
        if unit.name not in fronts and "/" in paths and len(paths) > 1 and waiting is not None:
            _say(result, unit.name, f"/ at {shown(paths.pop('/'))} is left to {waiting}")


def _settle(result: Routed, found: list[tuple[int, str, str, m.Place]]) -> None:
    """Give each path to the first service that has it, and say what became of the others."""
    owners: dict[str, str] = {}
    crowded: dict[str, tuple[str, m.Place]] = {}
    for _, name, written, place in found:
        path, changed = _clean(written)
        if path is None:
            _say(result, name, f"{written} at {shown(place)} is a pattern and was left out: routes are prefixes")
        elif path not in owners:
            owners[path] = name
            result.paths.setdefault(name, {})[path] = place
            if changed:
                _say(result, name, f"{written} at {shown(place)} was cut to {path}; paths reach the service unchanged")
        elif owners[path] != name:
            crowded.setdefault(name, (path, place))
    for name, (path, place) in crowded.items():
        text = f"{shown(place)} leads {path} here, on a host of its own; one host serves all of a platform"
        if name not in result.paths:
            result.crowded.add(name)
            text += ", so this takes the default route"
        _say(result, name, text)


def _say(result: Routed, name: str, text: str) -> None:
    said = result.comments.setdefault(name, [])
    if text not in said:
        said.append(text)


def _kube_services(facts: m.Facts, units: list[Unit]) -> dict[str, str]:
    """Names of Kubernetes Services, each with the service behind it."""
    labels = {
        id(work): unit.name
        for unit in units
        for work in facts.workloads
        if work.name in unit.kube and work.kind not in ("Job", "CronJob")
    }
    found: dict[str, str] = {}
    for one in facts.kube_services:
        for work in facts.workloads:
            if (
                id(work) in labels
                and one.selector
                and all(work.pod_labels.get(key) == value for key, value in one.selector.items())
            ):
                found.setdefault(one.name, labels[id(work)])
    return found


def _http_routes(cluster: Cluster) -> Iterator[tuple[int, str, str, m.Place]]:
    """Every path of every rule of every HTTPRoute."""
    for one in cluster.objects("HTTPRoute"):
        for rule in one.body.map("spec").maps("rules"):
            for match in rule.maps("matches"):
                path = match.map("path")
                for target in rule.maps("backendRefs"):
                    place = m.Place(one.place.path, path.line_of("value"))
                    yield (
                        rank(CLUSTER, place_environment(one.place.path)),
                        str(target.text("name")),
                        str(path.text("value") or "/"),
                        place,
                    )


def _clean(written: str) -> tuple[str | None, bool]:
    path = (
        re.sub(r"\((?:/\|\$|\.\*|/\.\*)\)|\(/\|\$\)\(\.\*\)|/?\(\.\*\)|/?\*$|\$$|/\(\.\*\)$", "", written).rstrip("/")
        or "/"
    )
    path = path.removeprefix("^")
    if re.fullmatch(ROUTE, path):
        return path, path != (written.rstrip("/") or "/")
    return None, True


def _nginx(facts: m.Facts, to_unit: dict[str, str]) -> list[tuple[int, str, str, m.Place]]:
    found: list[tuple[int, str, str, m.Place]] = []
    location: tuple[str, m.Place] | None = None
    upstream, upstreams = "", dict(to_unit)
    for one in facts.settings:
        if one.product != "nginx":
            continue
        if one.name == "upstream":
            upstream = one.value
        elif one.name == "server" and one.value and upstream:
            host = one.value.split()[0].split(":")[0]
            if host in to_unit:
                upstreams[upstream] = to_unit[host]
        elif one.name == "location":
            words = one.value.split()
            location = (words[-1], one.place) if words and words[0] not in ("~", "~*", "=") else None
        elif one.name == "proxy_pass" and location is not None:
            host = re.sub(r"^\w+://", "", one.value).split("/")[0].split(":")[0]
            if host in upstreams:
                found.append((rank(COMPOSE, ""), upstreams[host], location[0], location[1]))
    return found


def _caddy(repo: Repo, to_unit: dict[str, str]) -> list[tuple[int, str, str, m.Place]]:
    """What a Caddyfile proxies: by a path in the directive, or by that of the block around it."""
    found: list[tuple[int, str, str, m.Place]] = []
    for file in repo.files:
        if not file.rsplit("/", 1)[-1].startswith("Caddyfile") or is_auxiliary(file):
            continue
        around = ""
        for number, line in enumerate((repo.read(file) or "").split("\n"), start=1):
            block = _CADDY_BLOCK.match(line)
            proxied = _CADDY.match(line)
            if block:
                around = block[1]
            elif proxied and proxied[2] in to_unit:
                path = proxied[1] or around or "/"
                found.append((rank(COMPOSE, ""), to_unit[proxied[2]], path, m.Place(file, number)))
            if line.strip() == "}":
                around = ""
    return found


def _traefik(repo: Repo, facts: m.Facts, units: list[Unit]) -> list[tuple[int, str, str, m.Place]]:
    found: list[tuple[int, str, str, m.Place]] = []
    owners = {
        (one.place.path, one.name): unit.name for unit in units for one in unit.containers if one.origin == "compose"
    }
    for file in facts.compose:
        for body, _ in load_all(repo.read(file.path) or "").maps():
            for service in body.map("services"):
                name = owners.get((file.path, service))
                if name is None:
                    continue
                labels = body.map("services", service).get("labels")
                for text, line in _labels(labels):
                    for match in _PREFIX.finditer(text) if ".rule" in text else ():
                        for path in re.findall(r"[`'\"]([^`'\"]+)[`'\"]", match[1]):
                            found.append((rank(COMPOSE, file.environment), name, path, m.Place(file.path, line)))  # noqa: PERF401
    return found


def _labels(labels: object) -> list[tuple[str, int]]:
    if isinstance(labels, Seq):
        return [(str(item), line) for item, line in labels.lined() if isinstance(item, str)]
    if isinstance(labels, Map):
        return [(f"{key}={value}", labels.line_of(key)) for key, value in labels.items()]
    return []
