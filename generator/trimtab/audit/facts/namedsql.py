"""SQL files that application source applies by name."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from trimtab.audit.facts import model as m

_FILE = re.compile(r"[\"'`]((?:[\w.-]{1,80}/){0,9}[\w.-]{1,120}\.sql)[\"'`]")
_APPLIES = re.compile(r"\b(?:execute\w*|query|raw|exec|runSql|batch_execute|Exec)\(")


def holds_any(data: bytes) -> bool:
    """Whether a source file's bytes can name an SQL file."""
    return b".sql" in data and (b'.sql"' in data or b".sql'" in data or b".sql`" in data)


def references(code: str, path: str, line_of: Callable[[int], int]) -> Iterator[m.Reference]:
    """Each SQL file that source names by a literal, where the source also sends statements to a database."""
    if _APPLIES.search(code):
        for match in _FILE.finditer(code):
            yield m.Reference(match[1], "applied SQL", m.Place(path, line_of(match.start())))


def index_files(facts: m.Facts) -> list[tuple[m.Place, str]]:
    """Where source applies SQL that makes indexes, with the SQL's path: files that stand outside of the directories of
    migrations, found by their names.
    """
    homes = tuple(f"{one.path}/" for one in facts.migrations)
    found = []
    for one in facts.named_sql:
        paths = [path for path in facts.sql if path == one.path or path.endswith(f"/{one.path.rsplit('/', 1)[-1]}")]
        if len(paths) == 1 and facts.sql[paths[0]] == "index" and not paths[0].startswith(homes):
            found.append((one.place, paths[0]))
    return found
