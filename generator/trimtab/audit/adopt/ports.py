"""The port of each service."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from trimtab.audit.adopt.cluster import place_environment
from trimtab.audit.adopt.gathering import Var
from trimtab.audit.adopt.model import CLUSTER, COMPOSE, ENV_FILE, IMAGE, SOURCE, Choice, Seen, choose, rank, shown
from trimtab.audit.adopt.units import Unit
from trimtab.audit.facts import model as m
from trimtab.audit.facts.naming import environment_of
from trimtab.audit.facts.servicenames import tokens
from trimtab.audit.facts.text import to_port

_PORT_NAMES = ("PORT", "SERVER_PORT", "APP_PORT", "HTTP_PORT", "LISTEN_PORT")
_LISTENS = re.compile(r"(?:(\w{1,40}?)_)?(?:BIND|LISTEN|LISTENER|SERVER)(?:_ADDRESS|_ADDR|_HTTP)?_PORT")
_PRIVILEGED = 1024
_DEV_SERVER = re.compile(
    r"\b(?:npm|pnpm|yarn|bun)\s+(?:run\s+)?(?:start|dev|serve)\b|\bvite\b|\bng\s+serve\b|react-scripts"
)
_STORE_PORTS = {"postgres": 5432, "redis": 6379}


@dataclass(slots=True)
class Ports:
    """The port of every service: as stated, as it comes out, and what to say."""

    stated: dict[str, Choice | None] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)
    comments: dict[str, list[str]] = field(default_factory=dict)


def ports(
    units: list[Unit],
    env_files: tuple[m.EnvFile, ...],
    config: dict[str, list[Var]],
    stores: set[str],
) -> Ports:
    """The ports that the processes bind. No two services share one, since locally each has its own."""
    result = Ports()
    for unit in units:
        seen = list(_ports(unit, env_files, config[unit.name]))
        high = [one for one in seen if one.value >= _PRIVILEGED]
        result.stated[unit.name] = choose(seen if unit.static else high or seen)
    taken = {_STORE_PORTS[store]: store for store in stores}
    fixed = [unit for unit in units if any(one.port and not one.variable for one in unit.service.binds)]
    why: dict[str, str] = {}
    for unit in sorted(units, key=lambda one: (not one.deployed, one not in fixed)):
        reason = _refused(unit, result.stated[unit.name], taken)
        choice = result.stated[unit.name]
        if reason:
            why[unit.name] = reason
            result.stated[unit.name] = None
        elif choice is not None:
            taken[choice.value] = unit.name
    _allot(units, result, taken)
    for unit in units:
        if unit.name in why:
            variable = "" if unit.static else f", in {unit.data.get('port_env') or 'PORT'}"
            text = f"port: {why[unit.name]}; it gets {result.numbers[unit.name]}{variable}"
            if unit in fixed:
                text += f", and the source must listen on that ({_bound_at(unit)})"
            result.comments.setdefault(unit.name, []).append(text)
    return result


def _refused(unit: Unit, choice: Choice | None, taken: dict[int, str]) -> str:
    """Why a port that was found cannot be the one, or that none was found."""
    if choice is None:
        return "" if unit.static or unit.service.package is None else "none was found"
    if choice.value < _PRIVILEGED:
        return f"{choice.value} ({_where(choice)}) is for root only"
    if choice.value in taken:
        return f"{choice.value} ({_where(choice)}) is that of {taken[choice.value]}, too, and locally each has its own"
    return ""


def listened(unit: Unit) -> list[m.EnvRead]:
    """The variables that the source takes its port from, where they are none that Trimtab sets."""
    if unit.static or any(one.variable or one.port for one in unit.service.binds):
        return []
    found = []
    for read in unit.service.reads:
        match = _LISTENS.fullmatch(read.name)
        if match and tokens(match[1] or "") <= tokens(unit.name) | tokens(str(unit.path.value)):
            found.append(read)
    return found


def _allot(units: list[Unit], result: Ports, taken: dict[int, str]) -> None:
    """Give those without a port the one that the template gives them: the framework's, else the next that is free."""
    places: dict[str, int] = {}
    for unit in units:
        place = places[unit.framework.value] = places.get(unit.framework.value, -1) + 1
        choice = result.stated[unit.name]
        number = choice.value if choice is not None else int(unit.data["port"]) + place
        while choice is None and number in taken:
            number += 1
        taken.setdefault(number, unit.name)
        result.numbers[unit.name] = number


def _bound_at(unit: Unit) -> str:
    return next(shown(one.place) for one in unit.service.binds if one.port and not one.variable)


def _set(kind: int, environment: str, bound: set[str]) -> int:
    """The rank of a variable that says the port: what the source reads is what it does, but for development's own."""
    if bound and environment != "local":
        return SOURCE + {CLUSTER: 2, IMAGE: 4, COMPOSE: 6}[kind] + (environment not in ("", "production"))
    return rank(kind, environment) - 1


def _where(choice: Choice) -> str:
    return shown(choice.place) if choice.place else ""


def _ports(unit: Unit, env_files: tuple[m.EnvFile, ...], config: list[Var]) -> Iterator[Seen]:
    """Every port that some place states. Static files are served by the template, so only their containers count."""
    bound = {one.variable for one in unit.service.binds if one.variable}
    read = {one.name for one in listened(unit)}
    variables = bound or {*_PORT_NAMES, *read, str(unit.data.get("port_env") or "PORT")}
    if not unit.static:
        yield from _bound(unit)
    for var in config:
        if var.name in variables and to_port(var.value or ""):
            order = _set(CLUSTER, var.label, bound)  # what several services take may be meant for one of them
            yield Seen(to_port(var.value or ""), var.place, order + 4 if var.pooled and not bound else order)
    whole = {var.place for var in config}
    for container in unit.containers:
        own = replace(container, env=tuple(item for item in container.env if item.place not in whole))
        yield from _of_container(unit, own, variables, bound)
    for dockerfile in unit.service.dockerfiles:
        yield from _variables(dockerfile.env, variables, _set(IMAGE, "", bound))
        if not (unit.static and dockerfile.environment == "local"):  # where a development server listens
            order = rank(IMAGE, dockerfile.environment)
            yield from (Seen(one.number, one.place, order) for one in dockerfile.ports[:1] if one.number)
    for file in () if unit.static else (*unit.service.env_files, *env_files):
        yield from _variables(file.variables, variables, rank(ENV_FILE, file.environment))


def _bound(unit: Unit) -> Iterator[Seen]:
    for read in listened(unit):
        number = to_port(read.default or "")
        if number:
            yield Seen(number, read.place, SOURCE + 1, f"(default of {read.name})")
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
    if not unit.static or not (environment == "local" or _develops(container)):
        ports = container.ports[:1]
        yield from (Seen(one.number, one.place, rank(kind, environment)) for one in ports if one.number)


def _develops(container: m.Container) -> bool:
    """Whether a container runs the server that developers use, rather than serves what was built."""
    built = container.build.dockerfile if container.build else ""
    return environment_of(built) == "local" or bool(_DEV_SERVER.search(container.command))


def _variables(items: tuple[m.EnvVar, ...], names: set[str], order: int) -> Iterator[Seen]:
    return (
        Seen(to_port(one.value), one.place, order) for one in items if one.name in names and to_port(one.value or "")
    )
