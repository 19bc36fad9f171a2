"""A compose service refers to a network, volume, secret or service that its file does not define."""

from __future__ import annotations

import re
from collections.abc import Iterator

from trimtab.audit.facts.model import ComposeFile, Facts
from trimtab.audit.facts.text import directory_of
from trimtab.audit.finding import Finding, Rule


def check(facts: Facts) -> Iterator[Finding]:
    """One finding per file and name."""
    for file in facts.compose:
        if file.includes:
            continue
        partners = _partners(facts, file)
        for kind, name, place in dict.fromkeys(file.missing):
            if any(_defines(other, kind, name) for other in partners):
                continue
            users = [(where, f"{what} {named}") for what, named, where in file.missing if (what, named) == (kind, name)]
            if place == users[0][0]:
                yield RULE.finding(f"{file.path} refers to the {kind} {name}, which it does not define", users)


def _partners(facts: Facts, file: ComposeFile) -> list[ComposeFile]:
    """Files that are merged with this one: its base for an override or an environment's file."""
    named = file.path.rsplit("/", 1)[-1] not in (
        "docker-compose.yml",
        "docker-compose.yaml",
        "compose.yml",
        "compose.yaml",
    )
    if _runs_alone(facts, file):
        return []
    layered = named or file.override or bool(file.environment) or any(service.partial for service in file.services)
    near = directory_of(file.path)
    return [
        other
        for other in facts.compose
        if other is not file and layered and directory_of(other.path) in (near, directory_of(near))
    ]


_FILES = re.compile(r"\s(?:-f|--file)[ =]+[\"']?([\w./-]+)")


def _runs_alone(facts: Facts, file: ComposeFile) -> bool:
    """Whether commands start this file, and always without another one."""
    base = file.path.rsplit("/", 1)[-1]
    used = [
        {name.rsplit("/", 1)[-1] for name in _FILES.findall(command.text)}
        for command in facts.commands
        if base in command.text and "compose" in command.text
    ]
    used = [names for names in used if base in names]
    return bool(used) and all(len(names) == 1 for names in used)


def _defines(file: ComposeFile, kind: str, name: str) -> bool:
    if kind == "service":
        return any(service.name == name for service in file.services)
    return name in (file.networks if kind == "network" else file.volumes if kind == "volume" else ())


RULE = Rule(
    module=__name__,
    severity="high",
    area="References and Versions",
    title="A compose file refers to something that it does not define",
    what="Compares the networks, volumes, secrets, configs and `depends_on` of compose services with "
    "what the file, or the base that it is "
    "merged with, defines.",
    why="Compose refuses the whole file.",
    example="""services: { api: { networks: [backend-net] } }
networks: { backend: {} }""",
    remedy="Define it at the top level, or correct the name.",
    check=check,
)
