"""The port and the health paths of one service."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from trimtab.audit.adopt.cluster import place_environment
from trimtab.audit.adopt.model import CLUSTER, COMPOSE, ENV_FILE, IMAGE, SOURCE, Choice, Seen, choose, rank, shown
from trimtab.audit.adopt.units import Unit
from trimtab.audit.facts import model as m
from trimtab.audit.facts.text import to_port
from trimtab.settings.schema import URL_PATH

_HEALTH = re.compile(
    r"/(?:healthz?|health[-_]?check|livez?|liveness|readyz?|readiness|ping|up|status|heartbeat|alive)/?$", re.IGNORECASE
)
_READY = re.compile(r"/(?:readyz?|readiness)/?$", re.IGNORECASE)
_LIVE_FIRST = ("/health", "/healthz", "/livez", "/live", "/api/health", "/api/healthz", "/health/live")
_PORT_NAMES = ("PORT", "SERVER_PORT", "APP_PORT", "HTTP_PORT", "LISTEN_PORT")
_PRIVILEGED = 1024


def port(
    unit: Unit, env_files: tuple[m.EnvFile, ...], config: list[tuple[str, str, m.Place]]
) -> tuple[Choice | None, str]:
    """The port that the process binds, and a comment where a stated one could not be taken."""
    seen = list(_ports(unit, env_files, config))
    choice = choose([one for one in seen if one.value >= _PRIVILEGED] or seen)
    if choice is not None and unit.static and choice.value < _PRIVILEGED:
        return (
            None,
            f"port: the template's web server is not root, so {choice.value} ({_where(choice)}) is not kept",
        )
    if choice is not None and choice.value < _PRIVILEGED:
        return (
            None,
            f"port: {choice.value} ({_where(choice)}) is for root only; the service gets its framework's, in PORT",
        )
    if choice is None and not unit.static and unit.service.package is not None:
        return (
            None,
            f"port: none was found; it gets {unit.data['port']}, in {unit.data.get('port_env') or 'PORT'}",
        )
    return choice, ""


def _set(kind: int, environment: str, bound: set[str]) -> int:
    """The rank of a variable that says the port: what the source reads is what it does, but for development's own."""
    if bound and environment != "local":
        return SOURCE + {CLUSTER: 2, IMAGE: 4, COMPOSE: 6}[kind] + (environment not in ("", "production"))
    return rank(kind, environment) - 1


def _where(choice: Choice) -> str:
    return shown(choice.place) if choice.place else ""


def _ports(unit: Unit, env_files: tuple[m.EnvFile, ...], config: list[tuple[str, str, m.Place]]) -> Iterator[Seen]:
    """Every port that some place states. Static files are served by the template, so only their containers count."""
    bound = {one.variable for one in unit.service.binds if one.variable}
    variables = bound or {*_PORT_NAMES, str(unit.data.get("port_env") or "PORT")}
    if not unit.static:
        yield from _bound(unit)
    for key, value, place in config:
        if key in variables and to_port(value):
            yield Seen(to_port(value), place, _set(CLUSTER, place_environment(place.path), bound))
    for container in unit.containers:
        yield from _of_container(unit, container, variables, bound)
    for dockerfile in unit.service.dockerfiles:
        yield from _variables(dockerfile.env, variables, _set(IMAGE, "", bound))
        yield from (Seen(one.number, one.place, rank(IMAGE)) for one in dockerfile.ports[:1] if one.number)
    for file in () if unit.static else (*unit.service.env_files, *env_files):
        yield from _variables(file.variables, variables, rank(ENV_FILE, file.environment))


def _bound(unit: Unit) -> Iterator[Seen]:
    for bind in unit.service.binds:
        if bind.port is not None:
            why = f"(default of {bind.variable})" if bind.variable else "(bound by the source)"
            yield Seen(bind.port, bind.place, SOURCE + bool(bind.variable), why)


def _of_container(unit: Unit, container: m.Container, variables: set[str], bound: set[str]) -> Iterator[Seen]:
    kube = container.origin == "kubernetes"
    kind = CLUSTER if kube else COMPOSE
    environment = place_environment(container.place.path) if kube else container.environment
    if environment in ("test", "example"):
        return
    if not unit.static:
        yield from _variables(container.env, variables, _set(kind, environment, bound))
    if not unit.static or environment != "local":  # where it is local, the port is a development server's
        ports = container.ports[:1]
        yield from (Seen(one.number, one.place, rank(kind, environment)) for one in ports if one.number)


def _variables(items: tuple[m.EnvVar, ...], names: set[str], order: int) -> Iterator[Seen]:
    return (
        Seen(to_port(one.value), one.place, order) for one in items if one.name in names and to_port(one.value or "")
    )


def health(unit: Unit, files: frozenset[str] = frozenset()) -> tuple[Choice | None, Choice | None, str]:
    """The liveness and readiness paths, and a comment where none was found."""
    every = {one.path.rstrip("/") for one in unit.service.routes}
    live: list[Seen] = []
    ready: list[Seen] = []
    for kind, seen in (*_probed(unit, every), *(() if unit.static else _served(unit, files))):
        if kind != "ready":
            live.append(seen)
        if kind != "live":
            ready.append(seen)
    first, second = _settled(choose(live)), _settled(choose(ready))
    comment = ""
    if first is None and second is None and not unit.static:
        default = unit.data["health"]["live"]
        comment = f"no health route was found; the probes will ask for {default}, so serve it, or name another here"
    elif first is not None and every and unit.data["kind"] == "backend" and not _is_served(first.value, every):
        comment = f"{_where(first)} asks for {first.value}; no route of that path was found in the source"
    return first or second, second or first, f"health: {comment}" if comment else ""


def _probed(unit: Unit, every: set[str]) -> Iterator[tuple[str, Seen]]:
    """What files ask for: (live, ready or both, the path)."""
    kinds = {"readinessProbe": "ready", "livenessProbe": "live", "startupProbe": "live"}
    probes = [(one, rank(IMAGE)) for dockerfile in unit.service.dockerfiles for one in dockerfile.probes]
    for container in unit.containers:
        kube = container.origin == "kubernetes"
        environment = place_environment(container.place.path) if kube else container.environment
        probes += [(one, rank(CLUSTER if kube else COMPOSE, environment)) for one in container.probes]
    for probe, order in probes:
        if probe.path and not (unit.static and probe.path == "/") and re.fullmatch(URL_PATH, probe.path):
            unserved = 0 if _is_served(probe.path, every) else 60
            yield kinds.get(probe.kind, "both"), Seen(probe.path, probe.place, order + unserved)


def _served(unit: Unit, files: frozenset[str]) -> Iterator[tuple[str, Seen]]:
    """What the source serves, by names that health checks have. Files before every probe that nothing serves."""
    routes = _by_file(unit, files) if unit.data["kind"] == "frontend" else unit.service.routes
    for route in routes:
        if route.path.startswith("/") and _HEALTH.search(route.path) and re.fullmatch(URL_PATH, route.path):
            later = _LIVE_FIRST.index(route.path) if route.path in _LIVE_FIRST else len(_LIVE_FIRST)
            seen = Seen(route.path, route.place, 56 + later // 4, "(served by the source)")
            yield ("ready" if _READY.search(route.path) else "live"), seen
            if not _READY.search(route.path):
                yield "ready", replace(seen, rank=seen.rank + 2)


def _by_file(unit: Unit, files: frozenset[str]) -> list[m.Route]:
    """Health routes of a framework whose routes are files."""
    root = "" if unit.path.value == "." else f"{unit.path.value}/"
    found = []
    for path in sorted(files):
        match = re.fullmatch(
            rf"{re.escape(root)}(?:src/)?(?:app(/[\w./()-]+)/route|pages(/api/[\w./-]+?)(?:/index)?)\.[jt]sx?", path
        )
        route = re.sub(r"/\([^()]*\)", "", (match[1] or match[2])) if match else ""
        if route and _HEALTH.search(route):
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


def metrics(unit: Unit, cluster_paths: list[tuple[str, m.Place]], monitored: bool) -> tuple[bool, Choice | None]:
    """Whether to say anything on metrics, and the path; None means that there are none."""
    default = unit.data.get("metrics")
    seen = [Seen(path, place, CLUSTER) for path, place in cluster_paths]
    for route in unit.service.routes:
        if route.path.rstrip("/").endswith("/metrics") and re.fullmatch(URL_PATH, route.path):
            seen.append(Seen(route.path, route.place, SOURCE if not seen else CLUSTER + 1))
    choice = choose(seen)
    if choice is not None:
        return True, choice
    return bool(default) and (monitored or bool(unit.service.package)), None
