"""The health paths of one service, and that of its metrics."""

from __future__ import annotations

import re
from collections.abc import Iterator

from trimtab.audit.adopt.cluster import place_environment
from trimtab.audit.adopt.model import CLUSTER, COMPOSE, IMAGE, Choice, Seen, choose, rank, shown
from trimtab.audit.adopt.served import Sources
from trimtab.audit.adopt.units import Unit
from trimtab.audit.facts import model as m
from trimtab.settings.schema import URL_PATH

_NAMED = re.compile(r"/(?:healthz?|health[-_]?check|livez?|liveness|readyz?|readiness|alive)/?$", re.IGNORECASE)
_ALSO = re.compile(r"/(?:ping|up|status|heartbeat)/?$", re.IGNORECASE)  # words that have other meanings, too
_READY = re.compile(r"/(?:readyz?|readiness)/?$", re.IGNORECASE)
_LIVE = re.compile(r"/(?:livez?|liveness|alive)/?$", re.IGNORECASE)
_LIVE_FIRST = ("/health", "/healthz", "/livez", "/live", "/api/health", "/api/healthz", "/health/live")
_SERVED = 56  # after what files ask for and the source serves, before what they ask for in vain
_IN_VAIN = 60


def health(
    unit: Unit, sources: Sources, files: frozenset[str] = frozenset()
) -> tuple[Choice | None, Choice | None, str]:
    """The liveness and readiness paths, and a comment where none was found."""
    every = {one.path.rstrip("/") for one in unit.service.routes if not sources.asks(one)}
    if unit.data["kind"] == "frontend":
        every |= {one.path for one in _by_file(unit, files)}
    probed = list(_probed(unit, every))
    asked = any(seen.rank < _SERVED for _, seen in probed)
    served = [] if unit.static else list(_served(unit, sources, files))
    if asked:  # beside a path that is asked for, only a route that says which of the two it is for is worth a word
        served = [(kind, seen) for kind, seen in served if kind in (_kind(seen.value), "")]
    live = [seen for kind, seen in (*probed, *served) if kind != "ready"]
    ready = [seen for kind, seen in (*probed, *served) if kind != "live"]
    first, second = _settled(choose(live)), _settled(choose(ready))
    comment = ""
    package = unit.service.package
    by_library = package is not None and "spring-boot-starter-actuator" in package.dependencies
    if first is None and second is None and not unit.static and not by_library:
        default = unit.data["health"]["live"]
        comment = f"no health route was found; the probes will ask for {default}, so serve it, or name another here"
    elif first is not None and every and unit.data["kind"] == "backend" and not _is_served(first.value, every):
        where = shown(first.place) if first.place else ""
        comment = f"{where} asks for {first.value}; no route of that path was found in the source"
    return first or second, second or first, f"health: {comment}" if comment else ""


def _kind(path: str) -> str:
    return "ready" if _READY.search(path) else "live" if _LIVE.search(path) else "both"


def _probed(unit: Unit, every: set[str]) -> Iterator[tuple[str, Seen]]:
    """What files ask for: (live, ready or both, the path)."""
    kinds = {"readinessProbe": "ready", "livenessProbe": "live", "startupProbe": "live"}
    probes = [
        (one, rank(IMAGE, dockerfile.environment))
        for dockerfile in unit.service.dockerfiles
        for one in dockerfile.probes
    ]
    for container in unit.containers:
        kube = container.origin == "kubernetes"
        environment = place_environment(container.place.path) if kube else container.environment
        probes += [(one, rank(CLUSTER if kube else COMPOSE, environment)) for one in container.probes]
    for probe, order in probes:
        if probe.path and not (unit.static and probe.path == "/") and re.fullmatch(URL_PATH, probe.path):
            unserved = 0 if _is_served(probe.path, every) else _IN_VAIN
            place = probe.path_place or probe.place
            yield kinds.get(probe.kind, "both"), Seen(probe.path, place, order + unserved)


def _served(unit: Unit, sources: Sources, files: frozenset[str]) -> Iterator[tuple[str, Seen]]:
    """What the source serves, by names that health checks have. Files before every probe that nothing serves."""
    if unit.data["kind"] == "frontend":
        routes = _by_file(unit, files)
    else:
        usable = [
            one
            for one in unit.service.routes
            if one.path.startswith("/") and re.fullmatch(URL_PATH, one.path) and not sources.asks(one)
        ]
        named = [one for one in usable if _NAMED.search(one.path)] or [one for one in usable if _ALSO.search(one.path)]
        routes = [one for one in named if sources.declares(one)] or named
    for route in routes:
        later = _LIVE_FIRST.index(route.path) if route.path in _LIVE_FIRST else len(_LIVE_FIRST)
        seen = Seen(route.path, route.place, _SERVED + later // 4, "(served by the source)")
        kind = _kind(route.path)
        if kind != "ready":
            yield "live", seen
        later_ready = seen if kind == "ready" else Seen(seen.value, seen.place, seen.rank + 2, seen.why)
        yield "ready", later_ready


def _by_file(unit: Unit, files: frozenset[str]) -> list[m.Route]:
    """Health routes of a framework whose routes are files."""
    root = "" if unit.path.value == "." else f"{unit.path.value}/"
    found = []
    for path in sorted(files):
        match = re.fullmatch(
            rf"{re.escape(root)}(?:src/)?(?:app(/[\w./()-]+)/route|pages(/api/[\w./-]+?)(?:/index)?)\.[jt]sx?", path
        )
        route = re.sub(r"/\([^()]*\)", "", (match[1] or match[2])) if match else ""
        if route and (_NAMED.search(route) or _ALSO.search(route)):
            found.append(m.Route(route, m.Place(path, 1)))
    return found


def _settled(choice: Choice | None) -> Choice | None:
    """A choice without the spellings that it agrees with: a route before its router's prefix, a slash at the end."""
    if choice is None:
        return None
    mine = str(choice.value).rstrip("/")
    return Choice(
        choice.value,
        choice.place,
        choice.why,
        tuple(one for one in choice.others if not mine.endswith(str(one[0]).rstrip("/"))),
    )


def _is_served(path: str, routes: set[str]) -> bool:
    """Whether the source has the route: as written, or below a prefix that a router adds."""
    wanted = path.rstrip("/")
    return not routes or any(one and (wanted == one or (len(one) > 2 and wanted.endswith(one))) for one in routes)


def metrics(
    unit: Unit, sources: Sources, scraped: list[tuple[str, m.Place]], *, told: bool
) -> tuple[bool, Choice | None]:
    """Whether to say anything on metrics, and the path; None means that there are none. `told` is whether manifests
    say which services have some.
    """
    default = unit.data.get("metrics")
    seen = [Seen(path, place, CLUSTER) for path, place in scraped if re.fullmatch(URL_PATH, path)]
    route = sources.metrics(unit)
    if route is not None and re.fullmatch(URL_PATH, route.value):
        seen.append(Seen(route.value, route.place, route.rank if not seen else CLUSTER + 1, route.why))
    choice = choose(seen)
    if choice is not None:
        return True, choice
    return bool(default) and (told or bool(unit.service.package)), None
