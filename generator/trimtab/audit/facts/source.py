"""Application source: the port it listens on, the health routes it serves, the variables it reads.

Only files of interest (see `interest`) get here. They lose their comments (by tree-sitter, through ast-grep), so that
what stands in a comment is never taken for code.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from trimtab.audit.facts import binds, envreads, fixedlifetimes, inlinesql, namedsql, schemacode, sourcekeys
from trimtab.audit.facts import model as m
from trimtab.audit.facts.comments import open_comments, without_comments
from trimtab.audit.facts.draft import Draft

LANGUAGES = {
    "rs": "rust",
    "py": "python",
    "js": "javascript",
    "mjs": "javascript",
    "cjs": "javascript",
    "jsx": "javascript",
    "ts": "typescript",
    "mts": "typescript",
    "cts": "typescript",
    "tsx": "tsx",
    "go": "go",
    "java": "java",
    "kt": "kotlin",
    "cs": "csharp",
    "rb": "ruby",
    "php": "php",
    "vue": "html",
    "svelte": "html",
    "ex": "elixir",
    "exs": "elixir",
    "ru": "ruby",
}
MAX_SOURCE = 400_000
_TEST = re.compile(
    r"(^|/)(test_[^/]*|conftest)\.py$|[._-](test|spec|tests|cy|stories|bench)\.[cm]?[jt]sx?$|_test\.(go|py|exs?)$|Tests?\.(java|cs|kt)$|_spec\.rb$|Test\.php$|\.d\.ts$|\.min\.js$"
)

_HEALTH_WORDS = ("health", "live", "ready", "ping", "heartbeat", "status", "/up")
_METHOD = re.compile(r"^[A-Z]{3,7} (?=/)")  # as patterns of Go's own multiplexer begin
_PATH = re.compile(r"/?[\w{}:.<>*~/-]+")


def language_of(path: str) -> str:
    """The language of a source file by its ending, "" for none that is read."""
    return "" if _TEST.search(path) else LANGUAGES.get(path.rsplit(".", 1)[-1].lower(), "")


def read(draft: Draft, path: str, text: str, language: str) -> None:
    """Add what one source file shows."""
    if len(text) > MAX_SOURCE:
        draft.repo.note(path, f"source larger than {MAX_SOURCE // 1000} kB")
        return
    if max((len(line) for line in text.split("\n", 50)[:50]), default=0) > 5000:
        return  # minified: generated, and nobody's deployment depends on what it says
    found = _found(text, language, path)
    if found.any() and _commented(text, found):
        found = _found(without_comments(text, language), language, path)
    draft.reads.extend(found.reads)
    draft.binds.extend(found.binds)
    draft.routes.extend(found.routes)
    draft.schema_calls.extend(found.schema_calls)
    draft.named_sql.extend(found.named_sql)
    draft.inline_tables.extend(found.inline_tables)
    draft.source_keys.extend(found.source_keys)
    draft.fixed_lifetimes.extend(found.fixed_lifetimes)
    draft.read_folders.extend(found.read_folders)


@dataclass(slots=True)
class _Found:
    """What one text shows, read as it stands."""

    reads: list[m.EnvRead]
    binds: list[m.Bind]
    routes: list[m.Route]
    schema_calls: list[m.SchemaCall]
    named_sql: list[m.Reference]
    inline_tables: list[tuple[str, m.Place]]
    source_keys: list[tuple[str, m.Place]]
    fixed_lifetimes: list[tuple[str, str, m.Place]]
    read_folders: list[m.Reference]

    def any(self) -> bool:
        """Whether there is anything."""
        return bool(
            self.reads
            or self.binds
            or self.routes
            or self.schema_calls
            or self.named_sql
            or self.inline_tables
            or self.source_keys
            or self.fixed_lifetimes
            or self.read_folders
        )


def _found(code: str, language: str, path: str) -> _Found:
    if language == "rust" and "#[cfg(test)]" in code:
        code = code[: code.index("#[cfg(test)]")]  # by custom the tests are a file's last module
    family = {"typescript": "javascript", "tsx": "javascript", "html": "javascript", "kotlin": "java"}.get(
        language, language
    )
    line_of = _line_finder(code)
    reads = list(envreads.reads(code, family, path, line_of))
    bound = list(binds.binds(code, family, path, line_of, reads))
    routes = [m.Route(literal, m.Place(path, line_of(start))) for literal, start in _health_literals(code)]
    return _Found(
        reads,
        bound,
        routes,
        list(schemacode.calls(code, family, path, line_of)),
        list(namedsql.references(code, path, line_of)),
        list(inlinesql.tables(code, path, line_of)),
        list(sourcekeys.keys(code, path, line_of)),
        list(fixedlifetimes.given(code, path, line_of)),
        list(inlinesql.folders(code, family, path, line_of)),
    )


def _commented(text: str, found: _Found) -> bool:
    """Whether any of what was found can stand in a comment, or have one beside it: most files need no parser."""
    lines = text.split("\n")
    opened = open_comments(lines)
    numbers = {one.place.line for one in found.reads} | {one.place.line for one in found.binds}
    numbers |= {one.place.line for one in found.routes} | {one.place.line for one in found.schema_calls}
    numbers |= {one.place.line for one in found.named_sql}
    numbers |= {place.line for _, place in (*found.inline_tables, *found.source_keys)}
    numbers |= {one.place.line for one in found.read_folders}
    numbers |= {place.line for _, _, place in found.fixed_lifetimes}
    return any(
        opened[number - 1] or any("//" in line or "#" in line or "*" in line for line in lines[number - 1 : number + 2])
        for number in numbers
    )


def _word_positions(code: str) -> list[int]:
    """Where a word of health checks stands; plain searches, since an expression for all of them takes ten
    times as long.
    """
    low = code.lower()
    if len(low) != len(code):  # a few letters grow when lower-cased, which would shift every position after them
        low = code
    found: set[int] = set()
    for word in _HEALTH_WORDS:
        position = low.find(word)
        while position >= 0:
            found.add(position)
            position = low.find(word, position + len(word))
    return sorted(found)


def _health_literals(code: str) -> Iterator[tuple[str, int]]:
    """Each string literal with a word of health checks, and where it begins. Words are found first:
    literals are far more.
    """
    done = 0
    for start in _word_positions(code):
        if start < done:
            continue
        first = max(code.rfind(quote, max(0, start - 120), start) for quote in "\"'`")
        ends = [end for quote in "\"'`" if (end := code.find(quote, start, start + 120)) >= 0]
        if first < 0 or not ends:
            continue
        literal = code[first + 1 : min(ends)]
        done = min(ends)
        literal = _METHOD.sub("", literal)
        if _PATH.fullmatch(literal):
            yield literal, first + 1


def _line_finder(text: str) -> Callable[[int], int]:
    """A function from an offset to its line; most texts are never asked for one."""
    starts: list[int] = []

    def line_of(offset: int) -> int:
        if not starts:
            starts.append(0)
            position = text.find("\n")
            while position >= 0:
                starts.append(position + 1)
                position = text.find("\n", position + 1)
        return bisect.bisect_right(starts, offset)

    return line_of
