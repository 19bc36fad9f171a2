"""The README as single statements, so that each can be held against the claims."""

from __future__ import annotations

import re
from pathlib import Path

from markdown_it import MarkdownIt

README = Path(__file__).resolve().parents[2] / "README.md"
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z`\[(])")
_COMMENT = re.compile(r"(?:^|\s)# (.+)$")


def statements(text: str) -> list[str]:
    """Each sentence, row of a table and comment of a console example of a page, in order, on one line each.

    Headings, drawings and the heads of tables state nothing.
    """
    found: list[str] = []
    cells: list[str] | None = None
    heading = head = False
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        if token.type in ("heading_open", "heading_close"):
            heading = token.type == "heading_open"
        elif token.type in ("thead_open", "thead_close"):
            head = token.type == "thead_open"
        elif token.type == "tr_open":
            cells = []
        elif token.type == "tr_close":
            found += [] if head or cells is None else [": ".join(cells)]
            cells = None
        elif token.type == "fence" and token.info.strip() == "console":
            found += [m.group(1).strip() for line in token.content.splitlines() if (m := _COMMENT.search(line))]
        elif token.type == "inline" and not heading:
            line = " ".join(token.content.split())
            if cells is None:
                found += _SENTENCE.split(line)
            else:
                cells.append(line)
    return found
