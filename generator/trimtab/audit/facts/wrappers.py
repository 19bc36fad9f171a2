"""Functions and schemas of the source's own that read the variables whose names they are given."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import zip_longest

_INSIDE = {
    "javascript": re.compile(r"\bprocess\.env\[\s{0,9}([A-Za-z_$]\w{0,60})\s{0,9}\]"),
    "rust": re.compile(r"\benv::var(?:_os)?\(\s{0,9}&?([a-z_]\w{0,60})\s{0,9}\)"),
    "python": re.compile(r"\b(?:environ(?:\.get\(|\[)|getenv\()\s{0,9}([a-z_]\w{0,60})\s{0,9}[,)\]]"),
}
_MADE = {
    "javascript": re.compile(
        r"\bfunction\s{1,9}(\w{1,60})\s{0,9}(?:<[^<>]{0,60}>)?\(([^()]{0,300})\)|"
        r"\b(?:const|let|var)\s{1,9}(\w{1,60})\s{0,9}=\s{0,9}(?:async\s{1,9})?(?:<[^<>]{0,60}>\s{0,9})?\(?([^()=]{0,300})\)?"
        r"(?:\s{0,9}:\s{0,9}[\w<>\s|\[\]]{1,60})?\s{0,9}=>"
    ),
    "rust": re.compile(r"\bfn\s{1,9}(\w{1,60})\s{0,9}(?:<[^<>]{0,60}>)?\(([^()]{0,300})\)"),
    "python": re.compile(r"\bdef\s{1,9}(\w{1,60})\(([^()]{0,300})\)"),
}
MAX_WRAPPERS = 20


def read_names(code: str, family: str) -> Iterator[tuple[str, int, str | None]]:
    """Each variable that is read by such a function, where in `code` the call begins, and what it is given besides, its
    default.
    """
    inside, made = _INSIDE.get(family), _MADE.get(family)
    if inside is None or made is None or not inside.search(code):
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


_SCHEMA_KEY = re.compile(
    r"(?m)^[ \t]{0,20}([A-Z][A-Z0-9_]{2,80}):\s{0,40}(z\b|[Jj]oi\b|(?:str|num|bool|port|url|host|email|json)\()"
)
_SCHEMA_DEFAULT = re.compile(
    r"\.default\(\s{0,20}(?:[\"'`]([^\"'`\n]{0,200})[\"'`]|([\w.-]{1,40}))|\b(?:devD|d)efault:\s{0,9}[\"'`]?([^\"'`,}\n]{0,200})"
)
_SCHEMA_OPTIONAL = re.compile(r"\.(?:optional|nullish|nullable|catch)\(")
_READS_ALL = ("process.env", "import.meta.env", "createEnv(", "cleanEnv(")
MAX_VALUE = 300


def schema_names(code: str, family: str) -> Iterator[tuple[str, int, str | None, bool]]:
    """Each variable that a schema of Zod, Joi or envalid takes from the environment as a whole: its name, where it
    stands, its default, and whether it must be set.
    """
    if family != "javascript" or not any(word in code for word in _READS_ALL):
        return
    keys = list(_SCHEMA_KEY.finditer(code))
    for key, following in zip_longest(keys, keys[1:]):
        end = following.start() if following else len(code)
        rest = code[key.end() : min(end, key.end() + MAX_VALUE)]
        given = _SCHEMA_DEFAULT.search(rest)
        default = next((group for group in given.groups() if group is not None), None) if given else None
        required = ".required(" in rest if key[2].lower() == "joi" else not _SCHEMA_OPTIONAL.search(rest)
        yield key[1], key.start(1), default, required and given is None
