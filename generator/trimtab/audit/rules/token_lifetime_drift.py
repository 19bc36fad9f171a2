"""A token lives for another time where nothing sets its lifetime than where the env files set it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

from trimtab.audit.facts.envnames import unit_of
from trimtab.audit.facts.model import Container, EnvRead, EnvVar, Facts, Place, Service
from trimtab.audit.finding import Finding, Rule

_TOKEN = re.compile(r"(?:^|_)(?:JWT|TOKEN|SESSION|REFRESH|ACCESS|COOKIE|OTP)(?:_|$)")
_LIFETIME = re.compile(
    r"(?:^|_)(?:EXPIR\w*|TTL|LIFETIME|MAX_?AGE|VALIDITY|DURATION|TIMEOUT)(?:_|$)|_(?:SECONDS|MINUTES|HOURS|DAYS)$"
)
_VALUE = re.compile(r"(\d{1,12})\s{0,3}(ms|s|sec|m|min|h|hours?|d|days?)?")
_IN_SECONDS = {"ms": 0.001, "s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "hour": 3600, "hours": 3600}


def check(facts: Facts) -> Iterator[Finding]:
    """One finding per folder of source, which several services may run."""
    by_root: dict[str, list[Service]] = defaultdict(list)
    for service in facts.services:
        if service.root is not None:
            by_root[service.root].append(service)
    for root, services in sorted(by_root.items()):
        defaults = _defaults(services)
        set_to = _set(root, services, facts, set(defaults))
        places: list[tuple[Place, str]] = []
        names: list[str] = []
        for name, reads in sorted(defaults.items()):
            values = {_seconds(read.default or "") for read in reads}
            others = [item for item in set_to[name] if _seconds(item.value or "") not in {*values, None}]
            bare = [
                one
                for service in services
                for one in service.containers
                if _deployed(one) and not _gives(one, name, facts)
            ]
            if others and bare:
                names.append(name)
                places += [(read.place, f"{name} {read.default}, where nothing sets it") for read in reads]
                places += [(item.place, f"{name} {item.value}") for item in others]
                places += [(one.place, f"does not set {name}") for one in bare]
        if names:
            yield RULE.finding(
                f"{', '.join(names)}: the source's default is not what the files set, and the cluster sets nothing",
                places,
                service=services[0].name,
                confidence="medium",
            )
        yield from _fixed(root, services, facts)


def _fixed(root: str, services: list[Service], facts: Facts) -> Iterator[Finding]:
    """One finding for the lifetimes that files set under names to which the source gives another, reading none."""
    read = {one.name for one in facts.reads}
    own = [
        one
        for one in facts.fixed_lifetimes
        if one[0] not in read and _TOKEN.search(one[0]) and (not root or one[2].path.startswith(f"{root}/"))
    ]
    set_to = _set(root, services, facts, {name for name, _, _ in own})
    places: list[tuple[Place, str]] = []
    for name in sorted({name for name, _, _ in own}):
        fixed = [(value, place) for other, value, place in own if other == name]
        values = {_seconds(value, name) for value, _ in fixed}
        others = [item for item in set_to[name] if _seconds(item.value or "", name) not in {*values, None}]
        if others:
            places += [(item.place, f"{name} {item.value}") for item in others]
            places += [(place, f"{name} {value}, whatever is set") for value, place in fixed]
    if places:
        names = list(dict.fromkeys(value.split(" ", 1)[0] for _, value in places))
        yield RULE.finding(
            f"{', '.join(names)}: files set a lifetime, and the source has another of its own and reads no variable",
            places,
            service=services[0].name,
            confidence="medium",
        )


def _defaults(services: list[Service]) -> dict[str, list[EnvRead]]:
    """The lifetimes of tokens that the services read, with the numbers that it falls back on."""
    found: dict[str, list[EnvRead]] = defaultdict(list)
    for read in dict.fromkeys(read for service in services for read in service.reads):
        if _TOKEN.search(read.name) and _LIFETIME.search(read.name) and _seconds(read.default or "") is not None:
            found[read.name].append(read)
    return found


def _set(root: str, services: list[Service], facts: Facts, names: set[str]) -> dict[str, list[EnvVar]]:
    """Where files that developers copy, or containers, give those variables a value."""
    found: dict[str, list[EnvVar]] = defaultdict(list)
    homes = {"", root}
    for file in facts.env_files:
        for item in file.variables if file.directory in homes and file.environment != "test" else ():
            if item.name in names:
                found[item.name].append(item)
    for container in [one for service in services for one in service.containers]:
        for item in container.env:
            if item.name in names and item.place not in {one.place for one in found[item.name]}:
                found[item.name].append(item)
    return found


def _deployed(container: Container) -> bool:
    """Whether what a container is given is all known, and it is not a developer's or a test's."""
    return container.origin == "kubernetes" and not container.partial and container.environment not in ("local", "test")


def _gives(container: Container, name: str, facts: Facts) -> bool:
    """Whether a container gets the variable, or may get it from an object that is not here."""
    if any(item.name == name for item in container.env):
        return True
    for kind, held in container.env_from:
        items = [one for one in facts.objects if (one.kind, one.name) == (kind, held)]
        if not items or any(name in one.body.map(part) for one in items for part in ("data", "stringData")):
            return True
    return False


def _seconds(text: str, name: str = "") -> float | None:
    """A duration as a number that can be compared with others of the same variable; None for anything else. A number
    alone is of the unit that the variable's name states, else of seconds.
    """
    match = _VALUE.fullmatch(text.strip().lower())
    if match is None:
        return None
    return float(match[1]) * _IN_SECONDS.get(match[2] or unit_of(name) or "s", 86400)


RULE = Rule(
    module=__name__,
    kind="2.3",
    severity="medium",
    area="Environment Variables Consistency",
    title="A token's lifetime differs between the source and the files that set it",
    what="Compares the lifetimes of tokens and sessions that the source falls back on with those of env files and "
    "manifests, where a container in the cluster is given none and so takes the default; and those that the source "
    "gives a constant of the variable's own name with what files set, where nothing reads the variable.",
    why="What was tried out for thirty minutes lives for a day in production, and no file of the deployment says so.",
    example=""".env.example: ACCESS_TOKEN_EXPIRE_MINUTES=30
settings.py:  ACCESS_TOKEN_EXPIRE_MINUTES: int = 1440   # and the Deployment sets none""",
    remedy="Set the lifetime in every environment, and make the source's default the same.",
    check=check,
)
