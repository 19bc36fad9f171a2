"""Where the same thing has different names: shared by the rules on variable names."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from trimtab.audit.facts.envnames import meaning, public_prefix
from trimtab.audit.facts.model import EnvVar, Facts, Place
from trimtab.audit.facts.products import is_third_party


@dataclass(frozen=True, slots=True)
class Unit:
    """One file's variables for one service; `scope` is the service, "*" for a file that serves them all."""

    path: str
    scope: str
    kind: str  # envfile, container, dockerfile
    directory: str
    variables: tuple[EnvVar, ...]


@dataclass(frozen=True, slots=True)
class NameDrift:
    """One meaning with names that no file shares."""

    meaning: frozenset[str]
    places: tuple[tuple[Place, str], ...]
    names: tuple[str, ...]
    values: tuple[EnvVar, ...]
    sure: bool


def units(facts: Facts) -> list[Unit]:
    """Every set of variables that one file gives to one service or to all."""
    found: list[Unit] = []
    owners = {file.path: service.name for service in facts.services for file in service.env_files}
    for file in facts.env_files:
        found.append(Unit(file.path, owners.get(file.path, "*"), "envfile", file.directory, file.variables))  # noqa: PERF401
    for service in facts.services:
        for container in service.containers:
            foreign = (
                container.image is not None and is_third_party(container.image.repository) and container.build is None
            )
            if not foreign and not container.init:
                own = tuple(item for item in container.env if item.origin != "envfile")
                args = container.build.args if container.build else ()
                found.append(Unit(container.place.path, service.name, "container", "", (*own, *args)))
    return found


def name_drifts(facts: Facts) -> list[NameDrift]:
    """Every meaning that two files, which serve the same service, give under names that they do not share."""
    everything = units(facts)
    mapped = {
        ref
        for unit in everything
        if unit.kind == "container"
        for item in unit.variables
        for ref in item.refs
        if ref != item.name
    }
    by_meaning: dict[frozenset[str], list[tuple[Unit, EnvVar]]] = defaultdict(list)
    for unit in everything:
        for item in unit.variables:
            by_meaning[meaning(item.name)].append((unit, item))
    found = []
    for words, entries in by_meaning.items():
        if len({item.name for _, item in entries}) < 2 or len(words) < 2:
            continue
        drift = _drift(words, entries, mapped)
        if drift is not None:
            found.append(drift)
    return found


def _drift(words: frozenset[str], entries: list[tuple[Unit, EnvVar]], mapped: set[str]) -> NameDrift | None:
    held: dict[int, set[str]] = defaultdict(set)
    by_id: dict[int, Unit] = {}
    for unit, item in entries:
        by_id[id(unit)] = unit
        held[id(unit)].add(item.name)
    pairs = [(one, other) for one in held for other in held if one < other]
    clash: set[str] = set()
    sure = False
    for one, other in pairs:
        first, second = by_id[one], by_id[other]
        if held[one] & held[other] or not _same_scope(first, second):
            continue
        left = {name for name in held[one] if not (first.kind == "envfile" and name in mapped)}
        right = {name for name in held[other] if not (second.kind == "envfile" and name in mapped)}
        if not left or not right or _only_prefix_differs(left | right):
            continue
        mixed = any(public_prefix(name) for name in left) != any(public_prefix(name) for name in right)
        if mixed and not (first.kind == second.kind == "envfile"):
            continue
        clash |= left | right
        sure = sure or first.kind == second.kind == "container" or first.kind == second.kind == "envfile"
    if not clash:
        return None
    chosen = [item for _, item in entries]
    places = sorted(
        {(item.place, item.name) for item in chosen},
        key=lambda entry: (entry[1], entry[0].path, entry[0].line),
    )
    names = tuple(dict.fromkeys(name for _, name in places))
    return NameDrift(words, tuple(places), names, tuple(chosen), sure)


def _same_scope(one: Unit, other: Unit) -> bool:
    if one.path == other.path:
        return False
    if one.kind == other.kind == "envfile":
        return one.directory == other.directory
    return one.scope == other.scope or "*" in (one.scope, other.scope)


def _only_prefix_differs(names: set[str]) -> bool:
    """Whether the names are one name behind different public prefixes, which a rule of its own reports, or with
    and without one: what the server reads, and the same value as the build shows it to the browser.
    """
    return len({name[len(public_prefix(name)) :] for name in names}) == 1
