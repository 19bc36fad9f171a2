"""What `$X` and `${X:-default}` in compose files and Dockerfiles stand for, and which variables they ask for."""

from __future__ import annotations

import re
from collections.abc import Mapping

from trimtab.audit.facts.model import Place

_INTERPOLATION = re.compile(
    r"\$(?:(?P<escaped>\$)|(?P<plain>[A-Za-z_][A-Za-z0-9_]*)"
    r"|\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?:(?P<op>:?[-?+])(?P<rest>[^{}]*(?:\{[^{}]*\}[^{}]*)*))?\})"
)
_NAMED = re.compile(r"(?<!\$)\$(?:\{(\w+)(?::?\?[^{}]*)?\}|([A-Za-z_]\w*))")
_ASKED = re.compile(r"(?<!\$)(?<!:-)\$(?:\{([A-Z][A-Z0-9_]*)(?:\}|:?\?)|([A-Z][A-Z0-9_]*))")
MAX_VALUE = 20_000


def interpolate(text: str, values: Mapping[str, str]) -> tuple[str | None, tuple[str, ...]]:
    """`text` with `$X`, `${X}`, `${X:-default}` filled in as compose does, and the names met.

    The text is None when a name without value or default takes part. Source: compose-spec, 12-interpolation.
    """
    if "$" not in text:
        return text, ()
    names: list[str] = []
    known = True

    def fill(match: re.Match[str]) -> str:
        nonlocal known
        if match["escaped"]:
            return "$"
        name = match["plain"] or match["name"]
        names.append(name)
        operator, rest = match["op"] or "", match["rest"] or ""
        if operator.endswith("+"):
            return interpolate(rest, values)[0] or ""
        value = values.get(name)
        if value is not None and not (operator == ":-" and not value):
            return value
        if operator.endswith("-"):
            inner, more = interpolate(rest, values)
            names.extend(more)
            if inner is None:
                known = False
            return inner or ""
        known = False
        return ""

    filled = _INTERPOLATION.sub(fill, text[:MAX_VALUE])
    return (filled if known else None), tuple(names)


def default_of(text: str) -> str:
    """`text` with every interpolation replaced by its default, or by nothing."""
    filled, _ = interpolate(text, _Empty())
    return filled or ""


class _Empty(dict[str, str]):
    def get(self, _key: str, _default: object = None) -> str:
        return ""


def kept(text: str, values: Mapping[str, str]) -> str:
    """`text` with the names that have neither value nor default kept as they are written."""
    return _NAMED.sub(lambda match: match[0] if (match[1] or match[2]) in values else f"${match[0]}", text)


def asked(path: str, text: str) -> tuple[tuple[str, Place], ...]:
    """The variables that a compose file is filled from and that have no default, with their lines."""
    found = []
    for number, line in enumerate(text.split("\n"), start=1):
        plain = "" if line.lstrip().startswith("#") else line.partition(" #")[0]
        found += [(one[1] or one[2], Place(path, number)) for one in _ASKED.finditer(plain)]
    return tuple(dict.fromkeys(found))
