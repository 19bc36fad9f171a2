"""Where the same thing has different names: shared by the rules on variable names."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass

from trimtab.audit.facts.envnames import meaning, public_prefix
from trimtab.audit.facts.model import EnvVar, Facts, Place
from trimtab.audit.facts.products import is_third_party
from trimtab.audit.facts.query import commands_by_path, env_file_owners
from trimtab.audit.facts.servicenames import tokens
from trimtab.audit.facts.synonyms import are_synonyms

NEAR = 3  # lines within which two reads are one expression


@dataclass(frozen=True, slots=True)
class Unit:
    """One file's variables for one service; `scope` is the service, "*" for a file that serves them all."""

    path: str
    scope: str
    kind: str  # envfile, container, dockerfile, workflow
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
    owners = env_file_owners(facts)
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
    } | _published(facts)
    read = {service.name: {one.name for one in service.reads} for service in facts.services}
    by_meaning: dict[frozenset[str], list[tuple[Unit, EnvVar]]] = defaultdict(list)
    for unit in everything:
        for item in unit.variables:
            by_meaning[meaning(item.name)].append((unit, item))
    found = []
    for words, entries in by_meaning.items():
        if len({item.name for _, item in entries}) < 2 or len(words) < 2:
            continue
        drift = _drift(words, entries, mapped, read)
        if drift is not None and not _alternatives(drift.names, facts):
            found.append(drift)
    return found


def _alternatives(names: tuple[str, ...], facts: Facts) -> bool:
    """Whether source reads all of the names in one place, the one where the other is not set."""
    lines: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for read in facts.reads:
        if read.name in names:
            lines[read.place.path][read.name].append(read.place.line)
    for found in lines.values():
        if len(found) == len(names):
            for line in found[names[0]]:
                if all(any(abs(other - line) <= NEAR for other in found[name]) for name in names):
                    return True
    return False


def _drift(
    words: frozenset[str], entries: list[tuple[Unit, EnvVar]], mapped: set[str], read: dict[str, set[str]]
) -> NameDrift | None:
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
        if held[one] & held[other]:
            continue
        if not _same_scope(first, second) and not _told_by_reads(first, second, held[one], held[other], read):
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
        {(item.name_place, item.name) for item in chosen},
        key=lambda entry: (entry[1], entry[0].path, entry[0].line),
    )
    names = tuple(dict.fromkeys(name for _, name in places))
    return NameDrift(words, tuple(places), names, tuple(chosen), sure)


# Words by which a value is called its owner's.
_OWNERS = frozenset({"APP", "APPLICATION", "SERVICE", "SERVER", "API", "BACKEND", "AWS", "AZURE", "GCP", "GOOGLE"})
# Words by which services call the one key that they give.
_KEY_WORDS = frozenset({"API", "SECRET", "PRIVATE", "ACCESS", "AUTH"})


def read_drifts(facts: Facts) -> list[NameDrift]:
    """Names that some files set and no source reads, where the source reads a name almost the same, which other files
    for the service set instead: `S3_BUCKET` here, `AWS_S3_BUCKET` there. Sure where a container is given the name, or
    the word that one has more tells whose the value is: any other word (`ML_BATCH_SIZE`) may tell another value.
    """
    everything = units(facts) + _of_workflows(facts)
    read = {one.name for one in facts.reads}
    mapped = {ref for unit in everything for item in unit.variables for ref in item.refs if ref != item.name}
    used = mapped | _used_by_commands(facts)
    used |= _published(facts)
    holders: dict[str, list[tuple[Unit, EnvVar]]] = defaultdict(list)
    for unit in everything:
        for item in unit.variables:
            holders[item.name].append((unit, item))
    found = []
    for name in sorted(holders.keys() - read - used):
        ours = [unit for unit, _ in holders[name] if unit.kind != "workflow"]
        alike = _almost if ours else are_synonyms  # a tool of the job may read any other name
        others = [other for other in holders.keys() & read if alike(name, other)]
        if len(others) == 1 and meaning(name) != meaning(others[0]):
            entries = holders[name] + holders[others[0]]
            if not _apart(holders[name], holders[others[0]]):
                continue
            places = [(item.name_place, item.name) for _, item in entries]
            items = tuple(item for _, item in entries)
            sure = any(unit.kind == "container" for unit, _ in holders[name]) or (
                _extra_word(name, others[0]) <= _OWNERS | _readers(facts, others[0])
            )
            sure = sure and not are_synonyms(name, others[0])
            found.append(NameDrift(meaning(others[0]), tuple(places), (others[0], name), items, sure))
    return found


def _of_workflows(facts: Facts) -> list[Unit]:
    """The variables that each workflow sets, for whatever it runs."""
    return [Unit(one.path, "*", "workflow", "", (*one.env, *one.own_env)) for one in facts.workflows]


def _readers(facts: Facts, name: str) -> set[str]:
    """The words of the names of the services that read a variable."""
    reading = [service for service in facts.services if any(read.name == name for read in service.reads)]
    return {word.upper() for service in reading for word in tokens(service.name)}


def _extra_word(name: str, other: str) -> set[str]:
    """The first word that one of two names has and the other lacks: whose value it is, or of which part."""
    one, two = name.split("_"), other.split("_")
    return {max(one, two, key=len)[0]} if len(one) != len(two) else set()


def _published(facts: Facts) -> set[str]:
    """Variables that stand for a port on the host."""
    return {ref for container in facts.containers for port in container.ports for ref in port.host_refs}


_EXPANDED = re.compile(r"\$\{?([A-Z][A-Z0-9_]{2,60})")
_GIVEN = re.compile(r"(?:^|[\s;&])([A-Z][A-Z0-9_]{2,60})=(?!\S{0,3}\$\{?\1)")


def _used_by_commands(facts: Facts) -> set[str]:
    """The variables that commands expand, without those that a script gives a value of its own."""
    used: set[str] = set()
    for commands in commands_by_path(facts).values():
        texts = [command.text for command in commands]
        given = {name for text in texts if "=" in text for name in _GIVEN.findall(text)}
        used |= {name for text in texts if "$" in text for name in _EXPANDED.findall(text)} - given
    return used


def _almost(name: str, other: str) -> bool:
    """Whether two names differ by a first word, by the word for a key, or by words that mean the same."""
    one, two = name.split("_"), other.split("_")
    if min(len(one), len(two)) < 2 or public_prefix(name) or public_prefix(other):
        return False
    if are_synonyms(name, other):
        return True
    if one[1:] == two or two[1:] == one:
        return True
    differing = {word for pair in zip(one, two, strict=False) if pair[0] != pair[1] for word in pair}
    return len(one) == len(two) > 2 and one[-1] == two[-1] == "KEY" and bool(differing) and differing <= _KEY_WORDS


def _apart(left: list[tuple[Unit, EnvVar]], right: list[tuple[Unit, EnvVar]]) -> bool:
    """Whether no file sets both names, and one file of each serves the same service."""
    if {unit.path for unit, _ in left} & {unit.path for unit, _ in right}:
        return False
    return any(one.scope == other.scope or "*" in (one.scope, other.scope) for one, _ in left for other, _ in right)


def reads_of(facts: Facts, names: tuple[str, ...]) -> list[tuple[Place, str]]:
    """Where the source reads any of the names."""
    by_name: dict[str, list[Place]] = facts.once("reads by name", lambda: _reads_by_name(facts))
    return [(place, f"reads {name}") for name in names for place in by_name.get(name, [])]


def _reads_by_name(facts: Facts) -> dict[str, list[Place]]:
    found: dict[str, list[Place]] = defaultdict(list)
    for read in facts.reads:
        found[read.name].append(read.place)
    return found


def _same_scope(one: Unit, other: Unit) -> bool:
    if one.path == other.path:
        return False
    if one.kind == other.kind == "envfile":
        return one.directory == other.directory
    return one.scope == other.scope or "*" in (one.scope, other.scope)


def _told_by_reads(one: Unit, other: Unit, left: set[str], right: set[str], read: dict[str, set[str]]) -> bool:
    """Whether the source of a service reads the names of one of two env files: its own, and one that serves all."""
    scopes = {one.scope, other.scope} - {"*"}
    if (
        one.path == other.path
        or {one.kind, other.kind} != {"envfile"}
        or len(scopes) != 1
        or "*" not in (one.scope, other.scope)
    ):
        return False
    names = read.get(scopes.pop(), set())
    return bool(left & names) != bool(right & names)


def _only_prefix_differs(names: set[str]) -> bool:
    """Whether the names are one name behind different public prefixes, which a rule of its own reports, or with
    and without one: what the server reads, and the same value as the build shows it to the browser.
    """
    return len({name[len(public_prefix(name)) :] for name in names}) == 1
