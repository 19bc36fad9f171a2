"""Helm charts rendered as text, within bounds: which values fill which lines is kept, what cannot be told becomes a
placeholder that begins with `tpl-`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from trimtab.audit.facts import gotemplate as go
from trimtab.audit.facts import sprig
from trimtab.audit.facts.model import Place
from trimtab.yamlpos import Map, Scalar, Seq, Value

MAX_STEPS = 60_000
MAX_TEXT = 1_000_000
MAX_DEPTH = 24
_WORDS = {"true": True, "false": False, "nil": None}
_OBJECT = re.compile(r"(?m)^kind:")
_OPEN_BLOCK = re.compile(r"(?m)^[ \t]*tpl-[a-z0-9-]+[ \t]*$")  # what is not known where keys or items would stand
_NO_RESOURCES = re.compile(r"(?m)(^[ \t]*(?:- )?resources:\s*)\{\}[ \t]*$")


class Held(Scalar):
    """A scalar of a values file, with the file that it stands in."""

    __slots__ = ("path",)
    path: str

    @property
    def place(self) -> Place:
        """Where it stands."""
        return Place(self.path, self.line)


def held(value: Value, path: str) -> Value:
    """`value` with `path` kept beside each scalar."""
    if isinstance(value, Map):
        body = Map(value.line)
        for key, item in value.items():
            line = value.line_of(key)
            body[_at(key, line, path)] = held(item, path)
            body.key_lines[key] = line
        return body
    if isinstance(value, Seq):
        items = Seq(value.line)
        items.extend(held(item, path) for item in value)
        items.item_lines = value.item_lines
        return items
    return _at(value, value.line, path, plain=value.plain) if isinstance(value, Scalar) else None


def _at(text: str, line: int, path: str, *, plain: bool = True) -> Held:
    made = Held(text)
    made.line, made.plain, made.path = line, plain, path
    return made


def merged(base: Map, over: Map) -> Map:
    """`over` laid upon `base`, as Helm does it: mappings key by key, all else whole."""
    body = Map(base.line)
    keys = {str(key): key for key in base}
    keys.update({str(key): key for key in over})
    for name, key in keys.items():
        mine, theirs = base.get(name), over.get(name)
        if name in over and isinstance(mine, Map) and isinstance(theirs, Map):
            body[key] = merged(mine, theirs)
        elif name not in over:
            body[key] = mine
        elif theirs is not None:
            body[key] = theirs
        body.key_lines[name] = over.line_of(name) if name in over else base.line_of(name)
    return body


@dataclass(slots=True)
class Rendered:
    """A rendered template: `lines` gives the template's line of each of its own, `origins` the values that fill a
    line, `left_out` the number of objects whose condition does not hold.
    """

    text: str
    lines: list[int]
    origins: list[tuple[int, str, Place]]
    left_out: int = 0

    def relocate(self, value: Value, seen: set[int] | None = None) -> None:
        """Give `value`, parsed from the text, the template's lines."""
        seen = set() if seen is None else seen
        if id(value) in seen or value is None:
            return
        seen.add(id(value))
        if isinstance(value, Map):
            value.key_lines = {key: self.line(at) for key, at in value.key_lines.items()}
            for item in value.values():
                self.relocate(item, seen)
        elif isinstance(value, Seq):
            value.item_lines = [self.line(at) for at in value.item_lines]
            for item in value:
                self.relocate(item, seen)
        value.line = self.line(value.line)

    def line(self, at: int) -> int:
        """The template's line of a line of the text."""
        return self.lines[min(at, len(self.lines)) - 1] if self.lines else at


@dataclass(slots=True)
class Chart:
    """A chart's templates: name and version from Chart.yaml, the text of each file below `templates/`."""

    name: str
    version: str
    app_version: str
    texts: dict[str, str]
    parsed: dict[str, list[go.Node]] = field(default_factory=dict)
    defined: dict[str, list[go.Node]] = field(default_factory=dict)

    def parse(self) -> None:
        """Parse every template; those that are not well formed are left out of `parsed`."""
        for path, text in sorted(self.texts.items()):
            try:
                nodes, defined = go.parse(text[:MAX_TEXT])
            except go.TemplateError:
                continue
            self.parsed[path] = nodes
            self.defined.update(defined)


@dataclass(frozen=True, slots=True)
class _At:
    """Where a template is being followed: the value of the dot, the variables, how deep."""

    dot: Any
    scopes: list[dict[str, Any]]
    depth: int


@dataclass(slots=True)
class _Sheet:
    """What has been written: pieces of text with their line, and whether it is the same for all of their lines."""

    pieces: list[tuple[str, int, bool]] = field(default_factory=list)
    origins: list[tuple[int, str, Place]] = field(default_factory=list)
    size: int = 0

    def write(self, text: str, line: int, *, fixed: bool = False) -> None:
        """Add a piece."""
        self.pieces.append((text, line, fixed))
        self.size += len(text)

    def text(self) -> str:
        """All that was written."""
        return "".join(part for part, _, _ in self.pieces)


class Renderer:
    """One chart with one set of values."""

    def __init__(self, chart: Chart, values: Map, release: str, *, everything: bool = False) -> None:
        """Take the chart, its values and the release's name; `everything` also renders the objects whose condition
        does not hold.
        """
        self.chart = chart
        self.everything = everything
        self.steps = 0
        self.left_out = 0
        self.seen: list[tuple[str, Place]] = []
        self.pipelines: dict[str, go.Pipeline] = {}
        self.root: dict[str, Any] = {
            "Values": values,
            "Release": {
                "Name": release,
                "Namespace": sprig.Open("release namespace"),
                "Service": "Helm",
                "IsInstall": True,
                "IsUpgrade": False,
                "Revision": "1",
            },
            "Chart": {
                "Name": chart.name,
                "Version": chart.version or "0.1.0",
                "AppVersion": chart.app_version or sprig.Open("chart appversion"),
            },
            "Template": {"Name": chart.name, "BasePath": "templates"},
            "Capabilities": {
                "KubeVersion": {"Version": "v1.31.0", "GitVersion": "v1.31.0", "Major": "1", "Minor": "31"},
                "APIVersions": sprig.Open("apiversions"),
                "HelmVersion": {"Version": "v3.15.0"},
            },
            "Files": sprig.Open("files"),
            "Subcharts": {},
        }

    def render(self, path: str) -> Rendered:
        """One template. Raises `TemplateError` where it cannot be followed."""
        self.steps, self.left_out = 0, 0
        sheet = _Sheet()
        try:
            self._nodes(self.chart.parsed[path], _At(self.root, [{"$": self.root}], 0), sheet)
        except (RecursionError, TypeError, ValueError, AttributeError, KeyError, IndexError) as error:
            raise go.TemplateError(str(error)) from error
        text = _OPEN_BLOCK.sub("", _NO_RESOURCES.sub(r"\1{limits: {tpl: values}}", sheet.text()))
        return Rendered(text, _lines(sheet.pieces), sheet.origins, self.left_out)

    def _nodes(self, nodes: list[go.Node], at: _At, sheet: _Sheet) -> None:
        if at.depth > MAX_DEPTH * 4:
            raise go.TemplateError("nested too deeply")
        for node in nodes:
            self.steps += 1
            if self.steps > MAX_STEPS or sheet.size > MAX_TEXT:
                raise go.TemplateError("too long")
            if node.kind == "text":
                sheet.write(node.text, node.line)
            elif node.kind == "block":
                name, _, given = node.text.partition(" ")
                body = self.chart.defined.get(name.strip('"'), node.body)
                dot = self._run(given or ".", at)
                self._nodes(body, _At(dot, [{"$": dot}], at.depth + 1), sheet)
            else:
                self._action(node, at, sheet)

    def _action(self, node: go.Node, at: _At, sheet: _Sheet) -> None:
        before = len(self.seen)
        value = self._run(node.text, at)
        used = [(node.line, text, place) for text, place in self.seen[before:]]
        del self.seen[before:]
        if node.kind == "range":
            self._range(node, value, at, sheet)
        elif node.kind == "action":
            if not self._pipeline(node.text).variables:
                sheet.write(sprig.shown(value), node.line, fixed=True)
            sheet.origins.extend(used)
        else:
            holds = sprig.truth(value)
            if not holds and at.depth == 0 and _has_object(node.body):
                self.left_out += 1
                holds = self.everything
            dot = value if node.kind == "with" and holds else at.dot
            self._nodes(node.body if holds else node.other, _At(dot, [*at.scopes, {}], at.depth + 1), sheet)

    def _range(self, node: go.Node, value: Any, at: _At, sheet: _Sheet) -> None:
        names = self._pipeline(node.text).variables
        turns = sprig.parts(value)
        lines = range(node.line, _last_line(node) + 1)
        for key, item in turns[:200]:
            scope = dict(zip(names, (key, item) if len(names) > 1 else (item,), strict=False))
            if isinstance(key, Held):
                sheet.origins.extend((line, str(key), key.place) for line in lines)
            self._nodes(node.body, _At(item, [*at.scopes, scope], at.depth + 1), sheet)
        if not turns:
            self._nodes(node.other, _At(at.dot, [*at.scopes, {}], at.depth + 1), sheet)

    def _pipeline(self, text: str) -> go.Pipeline:
        if text not in self.pipelines:
            self.pipelines[text] = go.pipeline(text)
        return self.pipelines[text]

    def _run(self, text: str, at: _At) -> Any:
        pipe = self._pipeline(text)
        value = self._commands(pipe, at)
        if len(pipe.variables) == 1:
            name = pipe.variables[0]
            known = next((scope for scope in reversed(at.scopes) if name in scope), at.scopes[-1])
            (at.scopes[-1] if ":=" in text else known)[name] = value
        return value

    def _commands(self, pipe: go.Pipeline, at: _At) -> Any:
        value: Any = None
        for index, command in enumerate(pipe.commands):
            value = self._command(command, [value] if index else [], at)
        return value

    def _command(self, terms: tuple[go.Term, ...], piped: list[Any], at: _At) -> Any:
        if not terms:
            raise go.TemplateError("an empty command")
        first = terms[0]
        if first.kind == "field" and (len(terms) > 1 or piped):
            name = ".".join(first.fields)
            return True if name.endswith("APIVersions.Has") else sprig.Open(name)
        if first.kind != "word":
            return self._term(first, at)
        if first.text in _WORDS:
            return _WORDS[first.text]
        given = [self._term(term, at) for term in terms[1:]] + piped
        if first.text in ("include", "template"):
            return self._include(sprig.shown(given[0]), given[1] if len(given) > 1 else None, at.depth)
        if first.text == "tpl":
            return self._tpl(given[0], given[1] if len(given) > 1 else at.dot, at.depth)
        if first.text in ("toYaml", "toJson") and given:
            self.seen.extend(_leaves(given[0]))
        function = sprig.FUNCTIONS.get(first.text)
        if function is None:
            return {} if first.text == "lookup" else sprig.Open(first.text)
        return function(*given)

    def _include(self, name: str, dot: Any, depth: int) -> Any:
        body = self.chart.defined.get(name)
        if body is None:
            return sprig.Open(name)
        if depth > MAX_DEPTH:
            raise go.TemplateError("includes itself")
        sheet = _Sheet()
        self._nodes(body, _At(dot, [{"$": dot}], depth + 1), sheet)
        self.seen.extend((text, place) for _, text, place in sheet.origins)
        return sheet.text()

    def _tpl(self, text: Any, dot: Any, depth: int) -> Any:
        if not isinstance(text, str) or "{{" not in text:
            return text
        nodes, _ = go.parse(str(text))
        sheet = _Sheet()
        self._nodes(nodes, _At(dot, [{"$": dot}], depth + 1), sheet)
        return sheet.text()

    def _term(self, term: go.Term, at: _At) -> Any:
        if term.kind == "string":
            return json.loads(term.text) if term.text[0] == '"' else term.text[1:-1]
        if term.kind == "number":
            return int(term.text) if "." not in term.text else float(term.text)
        if term.kind == "field":
            return self._fields(at.dot, term.fields)
        if term.kind == "variable":
            known = (scope[term.text] for scope in reversed(at.scopes) if term.text in scope)
            return self._fields(next(known, sprig.Open(term.text)), term.fields)
        if term.kind == "call" and term.call is not None:
            return self._fields(self._commands(term.call, _At(at.dot, at.scopes, at.depth + 1)), term.fields)
        return self._command((term,), [], at)

    def _fields(self, value: Any, fields: Sequence[str]) -> Any:
        for name in fields:
            if isinstance(value, sprig.Open):
                return value
            value = value.get(name) if isinstance(value, Mapping) else None
        if isinstance(value, Held):
            self.seen.append((str(value), value.place))
        if fields and (value is None or (isinstance(value, Held) and not value)):
            return sprig.Absent("values " + " ".join(fields) if fields[0] != "Values" else " ".join(fields))
        return value


def _has_object(nodes: list[go.Node]) -> bool:
    return any(node.kind == "text" and _OBJECT.search(node.text) for node in nodes)


def _last_line(node: go.Node) -> int:
    """The last line of what a block holds."""
    last = node.line + (node.text.count("\n") if node.kind == "text" else 0)
    return max([last, *(_last_line(inner) for inner in (*node.body, *node.other))])


def _leaves(value: Any) -> Iterator[tuple[str, Place]]:
    """What a block of values prints: keys and scalars, each with its place."""
    for key, item in sprig.parts(value):
        names = [one for one in value if one == key] if isinstance(value, Mapping) else []
        for one in (*names, item):
            if isinstance(one, Held):
                yield str(one), one.place
        if isinstance(item, Map | Seq):
            yield from _leaves(item)


def _lines(pieces: list[tuple[str, int, bool]]) -> list[int]:
    """The template's line of each line that the pieces make: that of its first piece that shows."""
    lines: list[int] = []
    here: int | None = None
    last = 1
    for text, start, fixed in pieces:
        line = start
        for index, part in enumerate(text.split("\n")):
            if index:
                lines.append(here or last)
                here = None
                line += 0 if fixed else 1
            last = line
            if part.strip() and here is None:
                here = line
    lines.append(here or last)
    return lines
