"""Keys that sign or encrypt, written as literals in application source. The value itself is never kept."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from trimtab.audit.facts.model import Place
from trimtab.audit.facts.naming import environment_of

_WORDS = ("jwt", "ecret", "SECRET", "JWT", "Jwt", "igning", "ncryption")
_ASSIGNED = re.compile(
    r"(?<![\w.\"'$-])((?:(?:app|auth|access|refresh)_)?"
    r"(?:jwt_?(?:signing_?)?(?:secret|key)(?:_?key)?|secret_?key|signing_?(?:key|secret)|"
    r"(?:session|cookie|token)_?secret|encryption_?key))[ \t]{0,9}"
    r"(?::[ \t]{0,9}[\w\[\]]{1,20}[ \t]{0,9})?(?::=|=)[ \t]{0,9}"
    r"(?:\[\]byte\([ \t]{0,9})?b?[\"'`]([^\"'`\n]{8,120})[\"'`]\)?[;,]?[ \t]{0,200}(?=\n|$|//|#)",
    re.IGNORECASE,
)
_TOLD = re.compile(r"change|super|insecure|your[-_ ]|my[-_ ]", re.IGNORECASE)
# The name of a variable, of a setting or of an entry, rather than a key.
_NAME = re.compile(r"[A-Z][A-Z0-9_]*|[a-z]+(?:[._:-]?[A-Za-z]+){0,3}|.*[/\s<{$].*", re.DOTALL)
_NOT_APPLICATION = re.compile(
    r"(?:^|[/_.-])(?:tests?|spec|seeds?|fixtures?|mocks?|examples?|demo|scripts?|tools?|bench|e2e|conftest)(?:[/_.-]|$)",
    re.IGNORECASE,
)


def keys(code: str, path: str, line_of: Callable[[int], int]) -> Iterator[tuple[str, Place]]:
    """(name, place) of each key that a source file holds."""
    if not any(word in code for word in _WORDS) or _NOT_APPLICATION.search(path):
        return
    if environment_of(path) in ("local", "test"):
        return
    for match in _ASSIGNED.finditer(code):
        if "$" in match[2] or "{" in match[2]:
            continue
        if _TOLD.search(match[2]) or not _NAME.fullmatch(match[2]):
            yield match[1], Place(path, line_of(match.start(1)))
