"""Functions of the source's own that read the variable whose name they are given."""

from __future__ import annotations

import re
from collections.abc import Iterator

_INSIDE = {
    "javascript": re.compile(r"\bprocess\.env\[\s{0,9}([A-Za-z_$]\w{0,60})\s{0,9}\]"),
    "python": re.compile(r"\b(?:environ(?:\.get\(|\[)|getenv\()\s{0,9}([a-z_]\w{0,60})\s{0,9}[,)\]]"),
}
_MADE = {
    "javascript": re.compile(
        r"\bfunction\s{1,9}(\w{1,60})\s{0,9}(?:<[^<>]{0,60}>)?\(([^()]{0,300})\)|"
        r"\b(?:const|let|var)\s{1,9}(\w{1,60})\s{0,9}=\s{0,9}(?:async\s{1,9})?(?:<[^<>]{0,60}>\s{0,9})?\(?([^()=]{0,300})\)?"
        r"(?:\s{0,9}:\s{0,9}[\w<>\s|\[\]]{1,60})?\s{0,9}=>"
    ),
    "python": re.compile(r"\bdef\s{1,9}(\w{1,60})\(([^()]{0,300})\)"),
}
MAX_WRAPPERS = 20


def read_names(code: str, family: str) -> Iterator[tuple[str, int, str | None]]:
    """Each variable that is read by such a function, where in `code` the call begins, and what it is given besides, its
    default.
    """
    inside, made = _INSIDE.get(family), _MADE.get(family)
    if inside is None or made is None:
        return
    names: set[str] = set()
    for match in inside.finditer(code):
        begin = max(0, match.start() - 500)
        before = list(made.finditer(code, begin, match.start()))
        if before:
            last = before[-1]
            name, given = last[1] or last.group(min(3, last.re.groups)), last[2] or last.group(min(4, last.re.groups))
            if re.search(rf"\b{re.escape(match[1])}\b", given or ""):
                names.add(name)
    for name in sorted(names)[:MAX_WRAPPERS]:
        call = rf"(?<![\w.]){re.escape(name)}(?:<[^<>]{{0,60}}>)?\(\s{{0,20}}[\"'`]([A-Z][A-Z0-9_]+)[\"'`]"
        for found in re.finditer(rf"{call}(?:\s{{0,20}},\s{{0,20}}([^,()\n]{{1,100}}))?", code):
            yield found[1], found.start(), found[2].strip().strip("\"'`") if found[2] else None
