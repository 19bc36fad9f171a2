"""What a repository holds, made safe to print: it must neither move a reader's cursor nor break a report's form."""

from __future__ import annotations

import json
import re

# In JSON these can only stand within strings: controls, lone surrogates, and marks that reorder or end a line.
_UNPRINTED = re.compile(r"[\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")


def clean(text: str) -> str:
    """`text` with a mark in the place of each character that is not printed: controls, line ends, surrogates."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def one_line(text: str) -> str:
    """`text` on one line: each run of white space as a blank, and nothing in it that is not printed."""
    return clean(" ".join(text.split()))


def as_json(body: object) -> str:
    """`body` as indented JSON with a line end, in which every character that is not printed is escaped."""
    text = json.dumps(body, indent=2, ensure_ascii=False)
    return _UNPRINTED.sub(lambda match: f"\\u{ord(match[0]):04x}", text) + "\n"
