"""The fields of pydantic settings classes, each read from the variable of its name or alias."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from trimtab.audit.facts import model as m

LITERAL = r"(?:[\"'`]([^\"'`\n]{0,200})[\"'`]|(-?\d[\d_]*(?:\.\d+)?)|(true|false|True|False))"
_SETTINGS = re.compile(
    r"(?m)^(?:    |\t)([A-Za-z][A-Za-z0-9_]*)[ \t]*:[ \t]*([^=\n#]{1,100}?)[ \t]*(?:=[ \t]*([^\n]+))?$"
)


def settings_class(code: str, path: str, line_of: Callable[[int], int]) -> Iterator[m.EnvRead]:
    """Fields of pydantic settings classes: each is read from the variable of its name, behind
    `env_prefix`.
    """
    for block in re.finditer(
        r"(?m)^class\s+\w+\([^()]{0,300}BaseSettings[^()]{0,300}\):\n((?:[ \t][^\n]*\n|\n)+)", code + "\n"
    ):
        prefix = re.search(r"env_prefix\s*=\s*[\"'](\w*)[\"']", block[1])
        for match in _SETTINGS.finditer(block[1]):
            name, annotation, default = match[1], match[2], match[3]
            if name in ("model_config",) or "ClassVar" in annotation:
                continue
            field = _field(block[1], match) if default and default.startswith("Field(") else None
            given = field.default if field else default
            literal = re.match(LITERAL, given.strip()) if given else None
            value = next((group for group in literal.groups() if group is not None), None) if literal else None
            full = (field.alias if field and field.alias else (prefix[1] if prefix else "") + name).upper()
            optional = (given if field else default) is not None or "None" in annotation or "Optional" in annotation
            yield m.EnvRead(
                full,
                m.Place(path, line_of(block.start(1) + match.start())),
                value if literal else ("" if optional else None),
                required=not optional,
            )


class _Field(NamedTuple):
    """What a pydantic `Field(...)` says of the variable: its default as written, and the name it is read from."""

    default: str | None
    alias: str


_FIELD_DEFAULT = re.compile(r"\bdefault\s{0,9}=\s{0,20}([^\s,()=][^,\n]{0,200})")
_FIELD_FIRST = re.compile(r"\AField\(\s{0,20}([^\s,()=][^,=\n]{0,200})(?=[,)\n])")
_FIELD_ALIAS = re.compile(r"\b(?:validation_)?alias\s{0,9}=\s{0,9}(?:AliasChoices\(\s{0,20})?[\"'](\w+)[\"']")


def _field(block: str, match: re.Match[str]) -> _Field:
    """The arguments of the `Field(` that a settings class's line begins, over its further lines."""
    start = match.start(3)
    depth, end = 0, start
    for end in range(start, min(len(block), start + 1500)):
        depth += {"(": 1, ")": -1}.get(block[end], 0)
        if depth == 0 and block[end] == ")":
            break
    text = block[start : end + 1]
    alias = _FIELD_ALIAS.search(text)
    default = _FIELD_DEFAULT.search(text) or _FIELD_FIRST.search(text)
    factory = "default_factory" in text
    written = default[1].rstrip(") ") if default and default[1].strip() != "..." else None
    return _Field("" if factory and written is None else written, alias[1] if alias else "")
