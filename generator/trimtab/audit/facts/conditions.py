"""Conditions of GitHub jobs: what `if` says of an event, as far as it can be told from the file.

A condition is worked out for a `Run`, one way in which the workflow may start. The answer is None where it depends on
what nobody can tell, such as an output or a variable.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_TOKEN = re.compile(r"\s{0,50}(\|\||&&|!=|==|!|\(|\)|,|'[^']{0,200}'|[A-Za-z_][\w.*-]{0,200})")
_STATUS = re.compile(r"\b(?:always|failure|cancelled)\(\s{0,9}\)")
MAX_TOKENS = 200


@dataclass(frozen=True, slots=True)
class Run:
    """One way in which a workflow starts."""

    event: str
    ref: str
    inputs: Mapping[str, str] = field(default_factory=dict)

    def value(self, name: str) -> str | None:
        """The value of a context variable, None for one that is not known."""
        if name == "github.event_name":
            return self.event
        if name == "github.ref":
            return self.ref
        if name == "github.ref_name":
            return re.sub(r"^refs/(?:heads|tags)/", "", self.ref)
        match = re.fullmatch(r"(?:github\.event\.)?inputs\.([\w-]+)", name)
        return self.inputs.get(match[1], "") if match else None


def ignores_needs(condition: str) -> bool:
    """Whether a job with this condition runs although one that it needs was skipped."""
    return _STATUS.search(condition) is not None


def literals(condition: str) -> list[tuple[str, str]]:
    """(variable, value) of every comparison with a string, and of every `startsWith`."""
    tokens = _tokens(condition) or []
    found = []
    for index, token in enumerate(tokens):
        if token in ("==", "!=") and 0 < index < len(tokens) - 1:
            sides = (tokens[index - 1], tokens[index + 1])
            found += [(one, other[1:-1]) for one, other in (sides, sides[::-1]) if other[0] == "'" != one[0]]
        elif token.lower() == "startswith" and len(tokens) > index + 4 and tokens[index + 4][0] == "'":
            found.append((tokens[index + 2], tokens[index + 4][1:-1]))
    return found


def holds(condition: str, run: Run) -> bool | None:
    """Whether a condition is true in a run; an empty one is."""
    tokens = _tokens(condition)
    if tokens is None:
        return None
    if not tokens:
        return True
    reader = _Reader(tokens, run)
    found = reader.either()
    return found if reader.at == len(tokens) else None


def _tokens(condition: str) -> list[str] | None:
    text = condition.strip().removeprefix("${{").removesuffix("}}").strip()
    found: list[str] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None or len(found) >= MAX_TOKENS:
            return None
        found.append(match[1])
        position = match.end()
    return found


class _Reader:
    """Reads tokens from left to right, and works out what it reads; None stands for what is not known."""

    def __init__(self, tokens: list[str], run: Run) -> None:
        self.tokens = tokens
        self.run = run
        self.at = 0

    def next(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self) -> str:
        token = self.next()
        self.at += 1
        return token

    def either(self) -> bool | None:
        found = self.both()
        while self.next() == "||":
            self.at += 1
            other = self.both()
            found = True if found is True or other is True else (None if found is None or other is None else False)
        return found

    def both(self) -> bool | None:
        found = self.one()
        while self.next() == "&&":
            self.at += 1
            other = self.one()
            found = False if found is False or other is False else (None if found is None or other is None else True)
        return found

    def one(self) -> bool | None:
        token = self.take()
        if token == "!":  # noqa: S105
            found = self.one()
            return None if found is None else not found
        if token == "(":  # noqa: S105
            found = self.either()
            self.at += 1
            return found
        if self.next() == "(":
            return self.call(token)
        if self.next() in ("==", "!="):
            equal = self.take() == "=="
            left, right = self.known(token), self.known(self.take())
            return None if left is None or right is None else (left.lower() == right.lower()) is equal
        return {"true": True, "false": False}.get(token)

    def call(self, name: str) -> bool | None:
        """A function; only `startsWith` of something known is worked out."""
        self.at += 1
        words: list[str] = []
        depth = 1
        while depth and self.at < len(self.tokens):
            token = self.take()
            depth += {"(": 1, ")": -1}.get(token, 0)
            words.append(token)
        if name.lower() == "startswith" and len(words) == 4 and words[1] == ",":
            text, start = self.known(words[0]), self.known(words[2])
            return None if text is None or start is None else text.lower().startswith(start.lower())
        return True if name == "success" else None

    def known(self, token: str) -> str | None:
        return token[1:-1] if token[:1] == "'" else self.run.value(token)
