"""Strict YAML with positions: text to plain values, and the line of every key and item.

The same file is also read by Copier with `yaml.safe_load`, so whatever is accepted here means the same there:
what YAML 1.1 would silently turn into something else (`8.10`, `yes`, `12:30`, dates) is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from trimtab.safe_yaml import LOADER

Path = tuple[str | int, ...]

# What the parser says that it was at when it noticed that something has no end.
_BEGAN = ("while scanning a simple key", "while scanning a quoted scalar", "while parsing a flow")

MAX_BYTES = 1024 * 1024  # a settings file of 1,000 services is about 100 kB
MAX_DEPTH = 16
SHOWN = 60  # characters of a wrong value that a message repeats
# Line breaks for YAML 1.1 and for no editor: lines after them would bear other numbers than the user sees.
_HIDDEN_BREAKS = ("\u0085", "\u2028", "\u2029")


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: its 1-based line, the path of the value, what is wrong, and what to do.

    `quoting` tells that the help is to quote a text, which holds only if a text can stand there at all.
    """

    line: int
    path: Path
    what: str
    help: str
    quoting: bool = False


class YamlProblem(Exception):  # noqa: N818 - never reaches the user: load.py turns it into a SettingsError
    """The text cannot be read any further."""

    def __init__(self, line: int, what: str, help: str, path: Path = ()) -> None:  # noqa: A002
        super().__init__(what)
        self.problem = Problem(line, path, what, help)


@dataclass(frozen=True)
class Document:
    """Plain values (`dict`, `list`, `str`, `int`, `float`, `bool`, `None`) and the line where each path stands.

    `problems` are those that leave the rest of the document readable.
    """

    value: Any
    lines: dict[Path, int] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()

    def line_of(self, path: Path) -> int:
        """The line of `path`, or of its nearest parent that is in the file; 1 at worst."""
        for length in range(len(path), -1, -1):
            if (line := self.lines.get(path[:length])) is not None:
                return line
        return 1


class _Reader:
    def __init__(self, text: str) -> None:
        self.events: Iterator[Any] = yaml.parse(text, Loader=LOADER)
        self.constructor = yaml.SafeLoader("")
        self.lines: dict[Path, int] = {}
        self.problems: list[Problem] = []

    def next(self) -> Any:
        event = next(self.events)
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise YamlProblem(line, f"the anchor or alias '{event.anchor}' is not supported", "write the value out")
        tag = getattr(event, "tag", None)
        if tag not in (None, "!"):
            raise YamlProblem(
                line, f"the tag '{tag}' is not supported", "remove it; quote the value to make it a string"
            )
        return event

    def document(self) -> Document:
        self.next()  # stream start
        event = self.next()
        if isinstance(event, yaml.StreamEndEvent):
            return Document(None)
        value = self.value(self.next(), ())
        self.next()  # document end
        event = self.next()
        if not isinstance(event, yaml.StreamEndEvent):
            raise YamlProblem(
                event.start_mark.line + 1, "a second document begins here", "keep one document in the file"
            )
        return Document(value, self.lines, tuple(self.problems))

    def value(self, event: Any, path: Path) -> Any:
        self.lines.setdefault(path, event.start_mark.line + 1)
        if len(path) > MAX_DEPTH:
            raise YamlProblem(event.start_mark.line + 1, f"nested more than {MAX_DEPTH} levels deep", "flatten it")
        if isinstance(event, yaml.ScalarEvent):
            return self.scalar(event, path)
        if isinstance(event, yaml.SequenceStartEvent):
            return self.sequence(path)
        return self.mapping(path)

    def sequence(self, path: Path) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := self.next(), yaml.SequenceEndEvent):
            items.append(self.value(event, (*path, len(items))))
        return items

    def mapping(self, path: Path) -> dict[str, Any]:
        result: dict[str, Any] = {}
        while not isinstance(event := self.next(), yaml.MappingEndEvent):
            line = event.start_mark.line + 1
            if not isinstance(event, yaml.ScalarEvent):
                raise YamlProblem(line, "a key is a list or a mapping", "write a plain name before the colon")
            key: str = event.value
            if not isinstance(value := self.scalar(event, (*path, key)), str):
                self.misread(line, (*path, key), f"the key {clipped(key)} is read as {_kind(value)}", key)
            if key == "<<" and event.implicit[0]:
                raise YamlProblem(line, "merge keys (<<) are not supported", "write the values out")
            if key in result:
                first = self.lines[(*path, key)]
                self.refuse(line, (*path, key), f"stands twice (first on line {first})", "remove one of them")
            self.lines[(*path, key)] = line
            result[key] = self.value(self.next(), (*path, key))
        return result

    def refuse(self, line: int, path: Path, what: str, help: str) -> None:  # noqa: A002
        self.problems.append(Problem(line, path, what, help))

    def misread(self, line: int, path: Path, what: str, text: str) -> None:
        self.problems.append(Problem(line, path, what, f'quote it: "{clipped(text)}"', quoting=True))

    def scalar(self, event: Any, path: Path) -> Any:
        text: str = event.value
        line = event.start_mark.line + 1
        if bad := next((c for c in text if _is_control(c)), None):
            self.refuse(line, path, f"holds a control character (U+{ord(bad):04X})", "remove it")
            return ""
        if not event.implicit[0]:
            return text
        tag = self.constructor.resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]
        if tag == "tag:yaml.org,2002:str":
            return text
        try:
            value = self.constructor.construct_object(yaml.ScalarNode(tag, text))
        except (ValueError, yaml.YAMLError):
            self.misread(line, path, f"{clipped(text)} is not a value that YAML can read", text)
            return text
        if not _same_text(value, text):
            self.misread(line, path, f"{clipped(text)} is read by YAML as {_kind(value)}", text)
            return text
        return value


def _is_control(char: str) -> bool:
    code = ord(char)
    # U+2028, U+2029 and U+0085 are line breaks for YAML 1.1; surrogates cannot be written as UTF-8.
    return (
        (code < 0x20 and char not in "\n\t")
        or 0x7F <= code <= 0x9F
        or code in (0x2028, 0x2029, 0xFEFF)
        or 0xD800 <= code <= 0xDFFF
    )


def _same_text(value: object, text: str) -> bool:
    if value is None:
        return text in ("", "null", "~")
    if isinstance(value, bool):
        return text in ("true", "false")
    return isinstance(value, int | float | str) and str(value) == text


def _kind(value: object) -> str:
    if isinstance(value, bool):
        return f"the truth value {str(value).lower()}"
    if isinstance(value, int | float):
        return f"the number {value}"
    return "nothing" if value is None else f"a {type(value).__name__}"


def clipped(text: str) -> str:
    """A text as a message repeats it: short."""
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"


def dotted(path: Path) -> str:
    """`("services", "api", "uses", 0)` as `services.api.uses[0]`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def read_yaml(text: str) -> Document:
    """Parse one YAML document. Raises YamlProblem with the line of the first thing that cannot be accepted."""
    if "\t" in text and (line := _tab_indent(text)):
        raise YamlProblem(line, "a tab indents this line", "indent with spaces")
    if (at := f"\n{text}".find("\n<<<<<<< ")) >= 0:
        line = text.count("\n", 0, at) + 1
        raise YamlProblem(line, "a merge conflict begins here", "resolve it, and remove its markers")
    for char in ("\0", *_HIDDEN_BREAKS):
        if char in text:
            line = text.count("\n", 0, text.index(char)) + 1
            raise YamlProblem(line, f"holds a control character (U+{ord(char):04X})", "remove it; is the file UTF-8?")
    try:
        return _Reader(text).document()
    except yaml.MarkedYAMLError as error:
        raise _not_yaml(error) from None
    except yaml.YAMLError as error:
        position = getattr(error, "position", 0) or 0
        line = text.count("\n", 0, position) + 1
        raise YamlProblem(line, "this is not valid YAML: a character that YAML forbids", "remove it") from None


def _not_yaml(error: yaml.MarkedYAMLError) -> YamlProblem:
    """The parser's complaint, at the line that is to be corrected.

    What was never closed is noticed where the next thing stands, or at the end of the file: the line where it began
    is the one to look at.
    """
    noticed, began = error.problem_mark, error.context_mark
    what = " ".join(filter(None, (error.context, error.problem)))
    mark = noticed or began
    if noticed and began and (error.context or "").startswith(_BEGAN) and began.line < noticed.line:
        what, mark = f"{what} before line {noticed.line + 1}", began
    return YamlProblem(mark.line + 1 if mark else 1, f"this is not valid YAML: {what}", "correct the line")


def _tab_indent(text: str) -> int:
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and "\t" in line[: len(line) - len(line.lstrip())]:
            return number
    return 0
