"""The build arguments of a Dockerfile, stage by stage: an ARG holds until the next FROM only."""

from __future__ import annotations

import re
from collections.abc import Iterable

from trimtab.audit.facts.model import Place

_USE = re.compile(r"(?<![\\$])\$(?:\{([A-Za-z_]\w{0,80})\}|([A-Za-z_]\w{0,80}))")
# What fills in variables itself; in RUN a shell does, which has variables of its own.
_FILLED = frozenset({"COPY", "ADD", "ENV", "LABEL", "WORKDIR", "USER", "EXPOSE", "VOLUME", "STOPSIGNAL"})
# Docker gives these to every build; BuildKit wants an ARG for the platform's, but not for the proxies'.
# Public images set some variables of their own.
_GIVEN = re.compile(
    r"(?:https?|ftp|no|all)_proxy|PATH|HOME|LANG|"
    r"(?:NODE|YARN|PYTHON|PIP|RUBY|PHP|NGINX|JAVA|RUST|GOLANG|PG|POSTGRES|REDIS)_(?:VERSION|MAJOR|HOME)",
    re.IGNORECASE,
)


def out_of_scope(path: str, instructions: Iterable[tuple[str, str, int, int]]) -> list[tuple[str, Place, Place]]:
    """The arguments that a stage fills in and only another stage, or what stands before all stages, declares: (name,
    where it is used, where it is declared).
    """
    everywhere: dict[str, Place] = {}
    stages: dict[str, frozenset[str]] = {}
    known: set[str] = set()
    name = ""
    uses: list[tuple[str, Place]] = []
    for number, (instruction, value, line, _) in enumerate(instructions):
        place = Place(path, line)
        if instruction == "FROM":
            stages[name] = frozenset(known)
            words = [word for word in value.split() if not word.startswith("--")]
            base = words[0].lower() if words else ""
            name = words[2].lower() if len(words) > 2 and words[1].lower() == "as" else f"\0{number}"
            known = set(stages.get(base, ()))
            # a stage has the variables of the image that it starts from, which are not known here
        elif instruction == "ARG":
            for word in value.split():
                argument = word.partition("=")[0]
                everywhere.setdefault(argument, place)
                if stages:
                    known.add(argument)
        elif instruction in _FILLED and stages:
            uses.extend((used, place) for used in _used(value) if used not in known and not _GIVEN.fullmatch(used))
            if instruction == "ENV":
                known.update(re.findall(r"(?:^|\s)([A-Za-z_]\w{0,80})=", value) or value.split()[:1])
    return [(used, place, everywhere[used]) for used, place in uses if used in everywhere]


def _used(value: str) -> list[str]:
    return [match[1] or match[2] for match in _USE.finditer(value)]
