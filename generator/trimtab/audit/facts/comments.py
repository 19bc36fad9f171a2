"""Comments of source: blanked by tree-sitter, through ast-grep, or told from what stands on a line."""

from __future__ import annotations

import re

# Spoilt or hostile text takes the parsers time in the square of its length; few files that anybody wrote are longer.
MAX_PARSED = 60_000
_WHOLE_LINES = re.compile(r"(?m)^[ \t]*(?://|\*|#(?!\[))[^\n]*")
_COMMENTS = {
    "rust": ("line_comment", "block_comment"),
    "java": ("line_comment", "block_comment"),
    "kotlin": ("line_comment", "multiline_comment", "block_comment"),
}


def without_comments(text: str, language: str) -> str:
    """`text` with every comment blanked, character for character, so that lines and columns stay. In a text that is too
    long for the parsers, only the comments that have a line of their own are.
    """
    if language not in (
        "rust",
        "python",
        "javascript",
        "typescript",
        "tsx",
        "go",
        "java",
        "kotlin",
        "csharp",
        "ruby",
        "php",
    ):
        return text
    if not re.search(r"//|/\*|#", text):
        return text
    if len(text) > MAX_PARSED:
        return _WHOLE_LINES.sub("", text)
    from ast_grep_py import SgRoot

    root = SgRoot(text, language).root()
    spans: list[tuple[int, int]] = []
    for kind in _COMMENTS.get(language, ("comment",)):
        try:
            spans.extend((node.range().start.index, node.range().end.index) for node in root.find_all(kind=kind))
        except RuntimeError:  # a kind that this grammar does not have
            continue
    if not spans:
        return text
    parts: list[str] = []
    position = 0
    for start, end in sorted(spans):
        if start < position:
            continue
        parts.append(text[position:start])
        parts.append(re.sub(r"[^\n]", " ", text[start:end]))
        position = end
    parts.append(text[position:])
    return "".join(parts)


def open_comments(lines: list[str]) -> list[bool]:
    """For each line, whether a comment that began on a line before it may still be open."""
    state, found = False, []
    for line in lines:
        found.append(state)
        begin, end = line.rfind("/*"), line.rfind("*/")
        if begin >= 0 or end >= 0:
            state = begin > end
    return found
