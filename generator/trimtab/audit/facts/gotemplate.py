"""Go templates, parsed into nodes: text, actions, and the blocks of `if`, `with`, `range` and `define`.

Nothing here is evaluated; `charts` does that, with the functions of `sprig`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

MAX_NODES = 20_000
_ACTION = re.compile(r"\{\{(-\s)?((?:[^}`\"]|\"(?:\\.|[^\"\\])*\"|`[^`]*`|\}(?!\})){0,2000}?)(\s-)?\}\}")
_COMMENT = re.compile(r"\{\{(-\s)?\s*/\*")
_COMMENT_END = re.compile(r"\s*(-)?\}\}")
_TOKEN = re.compile(
    r"\s*(?:(?P<string>\"(?:\\.|[^\"\\])*\"|`[^`]*`|'[^']*')|(?P<number>-?\d+(?:\.\d+)?)|(?P<variable>\$\w*)|"
    r"(?P<field>(?:\.[A-Za-z_][\w-]*)+|\.)|(?P<word>[A-Za-z_]\w*)|(?P<sign>:=|[()|,=]))"
)


class TemplateError(Exception):
    """A template that this reader does not follow."""


@dataclass(slots=True)
class Node:
    """A part of a template. `kind` is text, action, if, with, range or block; `line` is where it begins."""

    kind: str
    line: int
    text: str = ""
    body: list[Node] = field(default_factory=list)
    other: list[Node] = field(default_factory=list)  # what `else` gives


@dataclass(frozen=True, slots=True)
class Term:
    """An operand: a literal, a variable or a call in parentheses, and the fields that are taken from it."""

    kind: str  # string, number, variable, field, word, call
    text: str = ""
    call: Pipeline | None = None
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Commands whose results are passed on, and the variables that take the last one."""

    commands: tuple[tuple[Term, ...], ...]
    variables: tuple[str, ...] = ()


def parse(text: str) -> tuple[list[Node], dict[str, list[Node]]]:
    """The nodes of a template and those of its `define`d parts. Raises `TemplateError` where it is not well formed."""
    parser = _Parser()
    for count, (kind, line, content) in enumerate(_pieces(text)):
        if count > MAX_NODES:
            raise TemplateError("too long")
        if kind == "text":
            parser.here.append(Node("text", line, content))
        elif content:
            parser.action(content, line)
    if parser.stack:
        raise TemplateError("a block has no end")
    return parser.root, parser.defined


class _Parser:
    def __init__(self) -> None:
        self.defined: dict[str, list[Node]] = {}
        self.root: list[Node] = []
        self.here = self.root
        self.stack: list[tuple[Node, list[Node], bool]] = []  # block, what holds it, whether `else` began it

    def action(self, content: str, line: int) -> None:
        word, _, rest = content.partition(" ")
        if word in ("if", "with", "range", "define", "block"):
            self._open(Node(word, line, rest.strip()), chained=False)
        elif word == "else":
            if not self.stack:
                raise TemplateError("else without if")
            self.here = self.stack[-1][0].other
            if rest.strip():
                again, _, condition = rest.strip().partition(" ")
                self._open(Node(again, line, condition.strip()), chained=True)
        elif word == "end":
            self._close()
        elif word in ("break", "continue"):
            raise TemplateError(word)
        else:
            self.here.append(Node("action", line, content))

    def _open(self, node: Node, *, chained: bool) -> None:
        if node.kind == "define":
            self.defined[node.text.strip('"`')] = node.body
        else:
            self.here.append(node)
        self.stack.append((node, self.here, chained))
        self.here = node.body

    def _close(self) -> None:
        """End a block, and with it those that its `else if` began."""
        chained = True
        while chained:
            if not self.stack:
                raise TemplateError("end without a beginning")
            _, self.here, chained = self.stack.pop()


def _pieces(text: str) -> list[tuple[str, int, str]]:
    """(kind, line, content) of each text and action, with the white space that the actions' marks take away.

    Each `{{` is read once, where it stands: the first that has no end is the end of it all.
    """
    found: list[tuple[str, int, str]] = []
    line, at = 1, 0
    trim = False
    while (opening := text.find("{{", at)) >= 0:
        left, content, right, end = _action(text, opening)
        raw = text[at:opening]
        start = line
        line += raw.count("\n")
        if trim:
            start += _blank_lines(raw)
            raw = raw.lstrip()
        if left:
            raw = raw.rstrip()
        if raw:
            found.append(("text", start, raw))
        found.append(("action", line, content))
        line += text.count("\n", opening, end)
        at, trim = end, right
    rest = text[at:]
    if trim:
        line += _blank_lines(rest)
        rest = rest.lstrip()
    if rest:
        found.append(("text", line, rest))
    return found


def _action(text: str, opening: int) -> tuple[bool, str, bool, int]:
    """(trims before, content, trims behind, end) of the action at `opening`; a comment has no content."""
    comment = _COMMENT.match(text, opening)
    if comment:
        close = text.find("*/", comment.end())
        ending = _COMMENT_END.match(text, close + 2) if close >= 0 else None
        if ending is None:
            raise TemplateError("a comment that has no end")
        return bool(comment[1]), "", bool(ending[1]), ending.end()
    match = _ACTION.match(text, opening)
    if match is None:
        raise TemplateError("an action that has no end")
    return (
        bool(match[1]),
        " ".join(match[2].split()) if "\n" in match[2] else match[2].strip(),
        bool(match[3]),
        match.end(),
    )


def _blank_lines(raw: str) -> int:
    """How many lines of white space begin a text."""
    return raw[: len(raw) - len(raw.lstrip())].count("\n")


def pipeline(text: str) -> Pipeline:
    """An action's text as a pipeline. Raises `TemplateError` for what is none."""
    tokens: list[tuple[str, str, bool]] = []  # kind, text, whether white space stands before it
    at = 0
    while at < len(text.rstrip()):
        match = _TOKEN.match(text, at)
        if match is None:
            raise TemplateError(f"no action: {text[:40]}")
        kind = str(match.lastgroup)
        tokens.append((kind, match[kind], match.start(kind) > at))
        at = match.end()
    variables: tuple[str, ...] = ()
    signs = [index for index, token in enumerate(tokens) if token[:2] in (("sign", ":="), ("sign", "="))]
    if signs:
        variables = tuple(token[1] for token in tokens[: signs[0]] if token[0] == "variable")
        tokens = tokens[signs[0] + 1 :]
    found, rest = _commands(tokens, 0)
    if rest:
        raise TemplateError("a parenthesis too many")
    return Pipeline(found, variables)


def _commands(
    tokens: list[tuple[str, str, bool]], depth: int
) -> tuple[tuple[tuple[Term, ...], ...], list[tuple[str, str, bool]]]:
    if depth > 40:
        raise TemplateError("nested too deeply")
    commands: list[tuple[Term, ...]] = []
    terms: list[Term] = []
    while tokens:
        kind, text, spaced = tokens[0]
        tokens = tokens[1:]
        if text == "(" and kind == "sign":
            inner, tokens = _commands(tokens, depth + 1)
            if not tokens or tokens[0][1] != ")":
                raise TemplateError("a parenthesis too few")
            tokens = tokens[1:]
            terms.append(Term("call", call=Pipeline(inner)))
        elif text == ")" and kind == "sign":
            tokens = [(kind, text, spaced), *tokens]
            break
        elif text == "|" and kind == "sign":
            commands.append(tuple(terms))
            terms = []
        elif kind == "field" and not spaced and terms and terms[-1].kind in ("variable", "call"):
            last = terms.pop()
            terms.append(Term(last.kind, last.text, last.call, tuple(text.strip(".").split("."))))
        elif kind == "field":
            terms.append(Term("field", fields=tuple(part for part in text.split(".") if part)))
        else:
            terms.append(Term(kind, text))
    commands.append(tuple(terms))
    return tuple(commands), tokens
