"""Manifests with `${NAME}` in them, and the commands that apply them without filling it in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from trimtab.audit.facts.model import Command, Facts, Place
from trimtab.yamlpos import Map, Scalar, Seq, Value

_HOLE = re.compile(r"\$\{([A-Z][A-Z0-9_]{2,80})\}")
_APPLIES = re.compile(r"\bkubectl\b[^|;&\n]{0,300}?\b(?:apply|create|replace)\b[^|;&\n]{0,600}")
_FILE = re.compile(r"(?:-f|--filename)[= ]\s{0,9}[\"']?([\w./-]{1,300}\.ya?ml)(?=[\s\"']|$)")
_FILLS = re.compile(r"\benvsubst\b|\bsed\b|\bperl\b|\byq\b|\bgomplate\b|\bj2\b|\bjinja|\beval\b|\bkustomize\s+edit\b")
_LITERAL = frozenset({"command", "args", "annotations", "expr", "query", "template", "script"})


class Applied(NamedTuple):
    """A manifest's places with a hole in them, and the commands that apply it as it is."""

    path: str
    holes: list[tuple[Place, str]]
    commands: list[Command]


def applied_with_holes(facts: Facts) -> Iterator[Applied]:
    """Each manifest that a command applies by its path, unless anything near may fill it in."""
    fills: dict[str, list[str]] = {}
    applies: dict[str, list[Command]] = {}
    for command in facts.commands:
        if _FILLS.search(command.text):
            fills.setdefault(command.place.path, []).append(command.text)
        for call in _APPLIES.findall(command.text) if "kubectl" in command.text else ():
            for name in _FILE.findall(call):
                applies.setdefault(name.removeprefix("./"), []).append(command)
    for path in sorted(applies):
        base = path.rsplit("/", 1)[-1]
        filled = any(
            base in text or "*" in text or re.search(r"\$\{?(?:f|file|manifest|yaml|path)\b", text, re.IGNORECASE)
            for texts in fills.values()
            for text in texts
        )
        holes = _holes(facts, path)
        if holes and not filled:
            yield Applied(path, holes, applies[path])


def _holes(facts: Facts, path: str) -> list[tuple[Place, str]]:
    """The single values of a manifest that hold `${NAME}`; not those of a shell, or of a file inside a ConfigMap."""
    found: list[tuple[Place, str]] = []
    for item in facts.objects:
        if item.place.path == path and not item.patch:
            waiting: list[tuple[str, Value, int]] = [("", item.body, item.place.line)]
            while waiting:
                key, value, line = waiting.pop()
                if key in _LITERAL:
                    continue
                if isinstance(value, Map):
                    waiting.extend((name, inner, value.line_of(name)) for name, inner in value.items())
                elif isinstance(value, Seq):
                    waiting.extend((key, inner, at) for inner, at in value.lined())
                elif isinstance(value, Scalar) and "\n" not in value:
                    found.extend((Place(path, line), f"${{{name}}}") for name in _HOLE.findall(value))
    return sorted(found, key=lambda one: one[0])
