"""The same value has different names in different files."""

from __future__ import annotations

import re
from collections.abc import Iterator

from trimtab.audit.facts.envnames import is_duration, public_prefix
from trimtab.audit.facts.model import Facts, Place
from trimtab.audit.facts.namedrift import NameDrift, name_drifts, read_drifts, reads_of
from trimtab.audit.finding import Finding, Rule


def check(facts: Facts) -> Iterator[Finding]:
    """One finding per meaning; names of durations are another rule's."""
    for drift in name_drifts(facts):
        if any(is_duration(name) for name in drift.names):
            continue
        read = reads_of(facts, drift.names)
        places = [*drift.places, *read]
        if drift.meaning == frozenset({"API", "URL"}):
            places += _ports_behind(facts)
        unread = bool(facts.reads) and not read
        yield RULE.finding(
            f"One value under {len(drift.names)} names: {', '.join(drift.names)}",
            places,
            severity="medium" if unread and not _read_elsewhere(drift, facts) else None,
            confidence="high" if drift.sure and not unread else "medium",
        )
    for drift in read_drifts(facts):
        yield RULE.finding(
            f"The source reads {drift.names[0]}, and some files set {drift.names[1]} instead",
            [*drift.places, *reads_of(facts, drift.names)],
            confidence="medium" if drift.sure else "low",
            severity="high" if drift.sure else "medium",
        )


def _read_elsewhere(drift: NameDrift, facts: Facts) -> bool:
    """Whether something else than the source's own lines may read a name: a command, a template, or a framework, which
    takes names with its public prefix.
    """
    if any(public_prefix(name) or name in facts.mentioned for name in drift.names):
        return True
    spelt = re.compile(rf"\b(?:{'|'.join(map(re.escape, drift.names))})\b")
    return any(spelt.search(command.text) for command in facts.commands)


def _ports_behind(facts: Facts) -> list[tuple[Place, str]]:
    """The PORT variables of the service that the address leads to, where they differ: they are part of
    the same value.
    """
    found = [
        (item.place, f"PORT={item.value}")
        for service in facts.services
        if service.role == "backend"
        for container in service.containers
        for item in container.env
        if item.name == "PORT" and item.value
    ]
    found += [
        (item.place, f"PORT={item.value}")
        for file in facts.env_files
        if not file.directory
        for item in file.variables
        if item.name == "PORT"
    ]
    return found if len({value for _, value in found}) > 1 else []


RULE = Rule(
    module=__name__,
    kind="2.1",
    severity="critical",
    area="Environment Variables Consistency",
    title="The same value has different names in different files",
    what="""Compares the names of variables between env files, compose and Kubernetes for the same service,
by what they mean: `DB_URI`,
`DATABASE_URL` and `DB_URL` mean the same. Names that a file maps to one another (`DATABASE_URL: ${DB_URL}`)
are no drift.""",
    why="The service reads one of the names; wherever the other one is set, it runs without the value.",
    example="""env.example:    BACKEND_URL=http://localhost:2000
env.production: NEXT_PUBLIC_API_URL=https://api.acme.io""",
    remedy="Choose the name that the source reads, and use it in every file.",
    check=check,
)
