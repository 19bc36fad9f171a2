"""YAML that keeps its line numbers: every scalar is the text as written, so no port, version or `on:` is
ever retyped.

Values are `Map`, `Seq`, `Scalar` or None (a plain null). YAML 1.1 would read `on` as true, `22:22` as 1342
and `3.10` as 3.1; here
they stay `on`, `22:22` and `3.10`. A document that does not parse is reported and the others of its file
are still given.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Union

import yaml

from trimtab.safe_yaml import LOADER

MAX_EXPANDED_NODES = 500_000
MAX_NESTING = 200
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_TRUTHS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


class Scalar(str):
    """One scalar as written, with the line that it starts on."""

    __slots__ = ("line", "plain")
    line: int
    plain: bool

    @classmethod
    def at(cls, text: str, line: int, plain: bool = True) -> Scalar:
        """A scalar of `text` that stands on `line`; `plain` is whether it was written without quotes."""
        made = cls(text)
        made.line = line
        made.plain = plain
        return made


class Map(dict[str, "Value"]):
    """A mapping with its first line; the line of each key is that of the key itself."""

    __slots__ = ("key_lines", "line")

    def __init__(self, line: int) -> None:
        """An empty mapping that starts on `line`."""
        super().__init__()
        self.line = line
        self.key_lines: dict[str, int] = {}

    def line_of(self, key: str) -> int:
        """The line of `key`, or the mapping's own when the key is absent."""
        return self.key_lines.get(key, self.line)

    def map(self, *keys: str) -> Map:
        """The mapping under the path of `keys`; an empty one when anything on the way is absent or no
        mapping.
        """
        here: Map = self
        for key in keys:
            value = here.get(key)
            if not isinstance(value, Map):
                return Map(here.line_of(key))
            here = value
        return here

    def seq(self, key: str) -> Seq:
        """The sequence under `key`; an empty one when it is absent or no sequence."""
        value = self.get(key)
        return value if isinstance(value, Seq) else Seq(self.line_of(key))

    def maps(self, key: str) -> list[Map]:
        """The mappings in the sequence under `key`."""
        return [item for item in self.seq(key) if isinstance(item, Map)]

    def text(self, key: str) -> Scalar | None:
        """The scalar under `key`, or None."""
        value = self.get(key)
        return value if isinstance(value, Scalar) else None


class Seq(list["Value"]):
    """A sequence with its first line and the line of each item."""

    __slots__ = ("item_lines", "line")

    def __init__(self, line: int) -> None:
        """An empty sequence that starts on `line`."""
        super().__init__()
        self.line = line
        self.item_lines: list[int] = []

    def lined(self) -> Iterator[tuple[Value, int]]:
        """Each item with its line."""
        return zip(self, self.item_lines, strict=True)

    def texts(self) -> list[Scalar]:
        """The scalars among the items."""
        return [item for item in self if isinstance(item, Scalar)]


Value = Union[Map, Seq, Scalar, None]  # noqa: UP007 - forward references at run time


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a file, with its first and last line."""

    value: Value
    line: int
    end: int


@dataclass(slots=True)
class Documents:
    """The documents of a file that parse, and `line: message` for those that do not."""

    items: list[Document] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def maps(self) -> list[tuple[Map, Document]]:
        """The documents that are mappings."""
        return [(item.value, item) for item in self.items if isinstance(item.value, Map)]


def truth(value: Value, default: bool = False) -> bool:
    """A scalar as YAML 1.1 would read it as a boolean."""
    return _TRUTHS.get(value.lower(), default) if isinstance(value, Scalar) else default


def load_all(text: str) -> Documents:
    """Every document in `text`. Never raises on bad YAML: see `Documents.errors`."""
    result = Documents()
    if "\t" in text:
        # Tabs as indentation are an error to every parser; people write them after keys and before comments.
        text = re.sub(r"(?m)^(\t+)", lambda match: "  " * len(match.group(1)), text)
    try:
        _load(text, 0, result)
    except (yaml.YAMLError, _TooLargeError, RecursionError, ValueError) as error:
        parts = _split(text)
        if len(parts) == 1:
            result.errors.append(_describe(error, 0))
            return result
        result = Documents()
        for offset, part in parts:
            try:
                _load(part, offset, result)
            except (yaml.YAMLError, _TooLargeError, RecursionError, ValueError) as failure:
                result.errors.append(_describe(failure, offset))
    return result


class _TooLargeError(Exception):
    """Aliases that expand to more than the limit, or nesting beyond it."""


def _load(text: str, offset: int, result: Documents) -> None:
    _refuse_deep_flow(text)
    items: list[Document] = []
    for node in yaml.compose_all(text, Loader=LOADER):
        if node is None:
            continue
        value, _ = _Convert(offset).value(node, 0)
        items.append(Document(value, node.start_mark.line + 1 + offset, node.end_mark.line + 1 + offset))
    result.items.extend(items)


def _refuse_deep_flow(text: str) -> None:
    """Raise before the C parser recurses: it composes nested nodes on the C stack, which `[[[[…` would
    exhaust.
    """
    depth = 0
    for match in re.finditer(r"[\[\]{}]", text) if text.count("[") + text.count("{") > MAX_NESTING else ():
        depth = depth + 1 if match.group() in "[{" else max(0, depth - 1)
        if depth > MAX_NESTING:
            raise _TooLargeError("nested too deeply")
    if text.count("- - - - - - - - - - - - - - - - - - - - - - - - - - - - - - "):
        raise _TooLargeError("nested too deeply")
    longest = max((len(line) - len(line.lstrip(" ")) for line in text.split("\n")), default=0)
    if longest > 20 * MAX_NESTING:
        raise _TooLargeError("nested too deeply")


def _split(text: str) -> list[tuple[int, str]]:
    """The text cut at its `---` lines, each part with the number of lines before it."""
    parts: list[tuple[int, str]] = []
    start, lines = 0, text.split("\n")
    for index, line in enumerate(lines):
        if line.startswith("---") and index > start:
            parts.append((start, "\n".join(lines[start:index])))
            start = index
    parts.append((start, "\n".join(lines[start:])))
    return parts


def _describe(error: Exception, offset: int) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return f"line {error.problem_mark.line + 1 + offset}: {error.problem or error.context}"
    if isinstance(error, yaml.YAMLError):
        return f"line {offset + 1}: not valid YAML"
    return f"line {offset + 1}: {error or 'too deep'}"


class _Convert:
    """Nodes to values. Shared nodes stay shared; the expanded size is counted, so that alias bombs are
    refused.
    """

    def __init__(self, offset: int) -> None:
        self.offset = offset + 1
        self.done: dict[int, tuple[Value, int]] = {}
        self.open: set[int] = set()

    def value(self, node: yaml.Node, depth: int) -> tuple[Value, int]:
        """The value of `node` and its expanded number of nodes."""
        if isinstance(node, yaml.ScalarNode):
            if not node.style and node.value in _NULLS:
                return None, 1
            return Scalar.at(node.value, node.start_mark.line + self.offset, not node.style), 1
        key = id(node)
        if key in self.done:
            return self.done[key]
        if key in self.open:
            raise _TooLargeError("an alias that contains itself")
        if depth > MAX_NESTING:
            raise _TooLargeError("nested too deeply")
        self.open.add(key)
        if isinstance(node, yaml.SequenceNode):
            made: tuple[Value, int] = self._sequence(node, depth)
        else:
            assert isinstance(node, yaml.MappingNode)  # noqa: S101 - the third and last kind of node
            made = self._mapping(node, depth)
        self.open.discard(key)
        if made[1] > MAX_EXPANDED_NODES:
            raise _TooLargeError("aliases that expand to too many values")
        self.done[key] = made
        return made

    def _sequence(self, node: yaml.SequenceNode, depth: int) -> tuple[Value, int]:
        result, total = Seq(node.start_mark.line + self.offset), 1
        for item in node.value:
            value, size = self.value(item, depth + 1)
            result.append(value)
            result.item_lines.append(item.start_mark.line + self.offset)
            total += size
        return result, total

    def _mapping(self, node: yaml.MappingNode, depth: int) -> tuple[Value, int]:
        result, total = Map(node.start_mark.line + self.offset), 1
        merged: list[Map] = []
        for key_node, value_node in node.value:
            value, size = self.value(value_node, depth + 1)
            total += size
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else "?"
            if key == "<<" and not key_node.style:
                merged.extend(part for part in (value if isinstance(value, Seq) else [value]) if isinstance(part, Map))
                continue
            result[key] = value
            result.key_lines[key] = key_node.start_mark.line + self.offset
        for part in merged:
            for key, value in part.items():
                if key not in result:
                    result[key] = value
                    result.key_lines[key] = part.line_of(key)
        return result, total
