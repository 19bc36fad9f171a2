"""No regular expression of the audit takes more than linear time: each is attacked by texts made from its own parts.

For every repeat in an expression, what leads to it is followed by thousands of what it repeats, and by something that
fits nowhere; and what leads to it is itself repeated. Both are how an expression is made to try again and again.
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
import re._constants as c
import re._parser as parser
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import trimtab.audit
from tests.unit.audit.fuzz.hold import TooSlowError, time_limit

LENGTH = 8_000
# How much of a text the caller gives to an expression, where that is little.
GIVEN = {"facts.envreads._DEFAULT": 200, "facts.envreads._REQUIRED": 200}
SECONDS = 0.2  # a linear one takes some thousandths of it; one in the square of the length, all of it and more
_CATEGORIES = {
    c.CATEGORY_DIGIT: "0",
    c.CATEGORY_SPACE: " ",
    c.CATEGORY_WORD: "a",
    c.CATEGORY_NOT_SPACE: "a",
    c.CATEGORY_NOT_WORD: "-",
    c.CATEGORY_NOT_DIGIT: "a",
}
_REPEATS = (c.MAX_REPEAT, c.MIN_REPEAT)


@dataclass(frozen=True)
class Expression:
    """One expression, where it stands, and whether it is only ever tried at a text's start."""

    pattern: str
    flags: int
    where: str
    anchored: bool


def expressions() -> Iterator[Expression]:
    """Every compiled expression in the audit's modules, and every one written where it is used."""
    for module in pkgutil.walk_packages(trimtab.audit.__path__, "trimtab.audit."):
        loaded = importlib.import_module(module.name)
        tree = ast.parse(Path(str(loaded.__file__)).read_text())
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)]
        used: dict[str, set[str]] = {}
        for call in calls:
            assert isinstance(call.func, ast.Attribute)
            if not isinstance(call.func.value, ast.Name):
                continue
            used.setdefault(call.func.value.id, set()).add(call.func.attr)
            first = call.args[0] if call.args else None
            if (
                call.func.value.id == "re"
                and isinstance(first, ast.Constant)
                and call.func.attr not in ("compile", "escape")
            ):
                flags = sum(int(eval(ast.unparse(word.value))) for word in call.keywords if word.arg == "flags")
                where = f"{module.name}:{call.lineno}"
                yield Expression(str(first.value), flags, where, call.func.attr in ("match", "fullmatch"))
        for name, value in vars(loaded).items():
            for found in compiled(value):
                text = found.pattern if isinstance(found.pattern, str) else found.pattern.decode()
                anchored = bool(used.get(name)) and used[name] <= {"match", "fullmatch"}
                yield Expression(text, found.flags & ~re.UNICODE, f"{module.name}.{name}", anchored)


def compiled(value: Any, depth: int = 0) -> Iterator[re.Pattern[Any]]:
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(value, dict | list | tuple) and depth < 4:
        for item in value.values() if isinstance(value, dict) else value:
            yield from compiled(item, depth + 1)


def sample(tree: Any) -> str:
    """A short text that a part of an expression fits, as far as one is easily found."""
    return "".join(one(kind, value) for kind, value in tree)


def one(kind: Any, value: Any) -> str:
    if kind is c.LITERAL:
        return chr(value)
    if kind is c.IN:
        return members(value)[0]
    if kind in _REPEATS:
        return sample(value[2]) * value[0]
    if kind is c.SUBPATTERN:
        return sample(value[3])
    if kind is c.BRANCH:
        return sample(value[1][0])
    return "a" if kind in (c.ANY, c.NOT_LITERAL) else ""


def members(choices: Any) -> list[str]:
    """Some characters of a set."""
    named = [chr(value) for kind, value in choices if kind is c.LITERAL]
    named += [chr(value[0]) for kind, value in choices if kind is c.RANGE]
    named += [_CATEGORIES[value] for kind, value in choices if kind is c.CATEGORY]
    if choices[0][0] is not c.NEGATE:
        return named
    return [char for char in "a x-/1.\n\"'$=(" if char not in named] or ["\u1234"]


def attacks(tree: Any, before: str = "") -> Iterator[tuple[str, str]]:
    """(what leads to a repeat, what is repeated)."""
    for kind, value in tree:
        if kind in _REPEATS:
            body = value[2]
            if value[1] is c.MAXREPEAT or value[1] >= 100:
                single = len(body) == 1 and body[0][0] is c.IN
                for pump in [*members(body[0][1])[:1], " ", "\n"] if single else [sample(body) or "a"]:
                    yield before, pump
            yield from attacks(body, before)
        elif kind is c.SUBPATTERN:
            yield from attacks(value[3], before)
        elif kind is c.BRANCH:
            for branch in value[1]:
                yield from attacks(branch, before)
        before += one(kind, value)
    yield "", before or "a"


def slow(expression: Expression) -> list[tuple[str, str]]:
    """The attacks on an expression that take too long."""
    pattern = re.compile(expression.pattern, expression.flags)
    length = GIVEN.get(expression.where.removeprefix("trimtab.audit."), LENGTH)
    found = []
    for before, pump in dict.fromkeys(attacks(parser.parse(expression.pattern, expression.flags))):
        both = before + pump
        texts = [
            before + pump * (length // len(pump)),
            both * (length // len(both)),
            before + f"{pump}\n" * (length // 2),
        ]
        try:
            with time_limit(SECONDS):
                for text in texts:
                    if expression.anchored:
                        pattern.match(text[:length] + "\x01")
                    else:
                        for _ in pattern.finditer(text[:length] + "\x01"):
                            pass
        except TooSlowError:
            found.append((before[-30:], pump[:30]))
    return found


def test_every_expression_takes_linear_time():
    known = {(one.pattern, one.flags, one.anchored): one for one in expressions()}
    assert len(known) > 200
    assert {one.where: bad for one in known.values() if (bad := slow(one))} == {}


@pytest.mark.parametrize("pattern", [r"(a+)+b", r"^\s*x", r"<.*?>", r"\w*env\w*\(", r"a\s*\s*b"])
def test_the_attacks_find_what_is_slow(pattern):
    assert slow(Expression(pattern, re.MULTILINE, "here", anchored=False))
