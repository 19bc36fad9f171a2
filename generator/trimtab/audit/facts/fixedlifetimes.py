"""Lifetimes that source gives a constant or a setting under a name in capitals, as environment variables have them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from trimtab.audit.facts.model import Place

_WORDS = ("EXPIR", "TTL", "LIFETIME", "MAX_AGE", "DURATION", "VALIDITY")
# A name, on a line of its own, gets a number, a short text as `7d` or a `timedelta` of one unit. With a type between
# name and value it may be the field of a class of settings, which reads the variable.
_GIVEN = re.compile(
    r"^[ \t]{0,24}(?:(?:export[ \t]+)?(?:const|let|var|final|static)[ \t]+)?"
    r"(?:([A-Z][A-Z0-9_]{5,60})|[\w.]{1,40}\.config\[[\"']([A-Z][A-Z0-9_]{5,60})[\"']\])[ \t]{0,9}=[ \t]{0,9}"
    r"(?:(?:datetime\.)?timedelta\([ ]{0,4}(days|hours|minutes|seconds)[ ]{0,4}=[ ]{0,4}(\d{1,9})[ ]{0,4}\)"
    r"|[\"'`](\d{1,9}[ ]?(?:ms|[smhd])?)[\"'`]|(\d{1,9}))[ \t]{0,9};?[ \t]{0,300}(?:(?:#|//)[^\n]{0,300})?$",
    re.MULTILINE,
)
# What may set any name of a program's settings from the environment.
_ALL_READ = re.compile(r"from_prefixed_env|\bos\.environ\b(?![.\[])|BaseSettings|process\.env\b(?![.\[?])|loadEnv\(")
_UNITS = {"days": "d", "hours": "h", "minutes": "m", "seconds": "s"}


def given(code: str, path: str, line_of: Callable[[int], int]) -> Iterator[tuple[str, str, Place]]:
    """(name, value, place) of each such lifetime; a `timedelta` is written as `24h`."""
    if not any(word in code for word in _WORDS) or _ALL_READ.search(code):
        return
    for match in _GIVEN.finditer(code):
        constant, setting, unit, count, text, number = match.groups()
        name = constant or setting
        if any(word in name for word in _WORDS):
            yield name, f"{count}{_UNITS[unit]}" if unit else text or number, Place(path, line_of(match.start(0)))
