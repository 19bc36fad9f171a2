"""The tree of settings as YAML with comments. Nothing that a repository says can leave its quotes or its comment."""

from __future__ import annotations

import re
import textwrap
from typing import Any

from trimtab.audit.adopt.model import ABSENT, Node

_PLAIN = re.compile(r"[A-Za-z_./][A-Za-z0-9_./-]*")
_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null", ".", "..", "...", ".inf", ".nan"})
_WIDTH = 116
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t"}

Lines = dict[int, tuple[str, ...]]


def render(root: Node) -> tuple[str, Lines]:
    """The text of a settings file, and the path of the setting on each line."""
    out: list[str] = []
    lines: Lines = {}
    _mapping(root, "", (), out, lines)
    return "\n".join(out) + "\n", lines


def _mapping(node: Node, indent: str, path: tuple[str, ...], out: list[str], lines: Lines) -> None:
    for key, child in (node.children or {}).items():
        if not path and out and child.children is not None:
            out.append("")
        for comment in child.comments:
            out.extend(f"{indent}{line}".rstrip() for line in comment_lines(comment, len(indent)))
        for one in (child.children or {}).values() if child.empty else ():  # said of settings that it lacks
            for comment in one.comments:
                out.extend(f"{indent}{line}" for line in comment_lines(comment, len(indent)))
        if child.value is ABSENT:
            continue
        here = (*path, key)
        remark = f" # {clean(child.remark)}" if child.remark else ""
        head = f"{indent}{scalar(key)}:"
        if child.children and not child.empty:
            out.append(f"{head}{remark}")
            lines[len(out)] = here
            _mapping(child, indent + "  ", here, out, lines)
            continue
        if isinstance(child.value, list) and child.children is None:
            _sequence(child, head, indent, here, out, lines)
            continue
        text = "{}" if child.children is not None else scalar(child.value)
        out.append(f"{head} {text}{remark}")
        lines[len(out)] = here


def _sequence(node: Node, head: str, indent: str, path: tuple[str, ...], out: list[str], lines: Lines) -> None:  # noqa: PLR0913, PLR0917
    items = [_item(one) for one in node.value]
    remark = f" # {clean(node.remark)}" if node.remark else ""
    flow = f"{head} [{', '.join(items)}]"
    if len(flow) <= _WIDTH and not node.remarks and not any(isinstance(one, dict) for one in node.value):
        out.append(flow + remark)
        lines[len(out)] = path
        return
    out.append(head + remark)
    lines[len(out)] = path
    for index, item in enumerate(items):
        said = f" # {clean(node.remarks[index])}" if index < len(node.remarks) else ""
        out.append(f"{indent}  - {item}{said}")
        lines[len(out)] = path


def _item(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{scalar(key)}: {scalar(one)}" for key, one in value.items()) + " }"
    return scalar(value)


def scalar(value: Any) -> str:
    """A YAML scalar: plain only where no reader could take it for anything but this text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    text = str(value)
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    return '"' + "".join(_escaped(char) for char in text) + '"'


def _escaped(char: str) -> str:
    if char in _ESCAPES:
        return _ESCAPES[char]
    code = ord(char)
    if char.isprintable():
        return char
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def clean(text: str) -> str:
    """Text that may stand in a comment: one line of printable characters."""
    line = "".join(char if char.isprintable() else "?" for char in text)
    return line if len(line) <= 1000 else line[:997] + "..."


def comment_lines(text: str, indent: int = 0) -> list[str]:
    """A comment, wrapped."""
    wrapped = textwrap.wrap(clean(text), _WIDTH - indent - 2, break_long_words=False, break_on_hyphens=False)
    return [f"# {line}" for line in wrapped] or ["#"]
