"""Fold a stray index script into the migrations: read -> refuse duplicates -> group -> lay out -> write."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from pathlib import Path

from trimtab.database.indexes import Index, read_indexes
from trimtab.database.layouts import LAYOUTS, Migration
from trimtab.errors import TrimtabError
from trimtab.transaction import change, locked
from trimtab.tree import File


@dataclass(frozen=True)
class Adoption:
    """What to write, relative to the migration directory, and what to add to the settings."""

    files: dict[str, str]
    entries: list[str]


def plan_adoption(script: Path, tool: str, directory: Path, now: datetime) -> Adoption:
    """The migrations that replace a script; writes nothing."""
    if tool not in LAYOUTS:
        raise TrimtabError(f"no such migration tool: {tool}", f"One of: {', '.join(sorted(LAYOUTS))}.")
    if not directory.is_dir():
        raise TrimtabError(f"{directory}: not a directory", "Give the folder that holds the migrations.")
    try:
        sql = script.read_text(encoding="utf-8")
    except OSError as error:
        raise TrimtabError(f"{script}: {error.strerror}", "Give the SQL script to adopt.") from error
    indexes = read_indexes(sql, str(script))
    _refuse_duplicates(indexes, script, directory)
    files = LAYOUTS[tool](directory, _group(indexes, script), now)
    for path in files:
        if (directory / path).exists():
            raise TrimtabError(f"{directory / path}: is there already", "Nothing was written.")
    return Adoption(files, [index.entry for index in indexes])


def write_adoption(adoption: Adoption, directory: Path) -> None:
    """Write every planned file, or none. Raises TransactionError when that cannot be."""
    root = directory.resolve()
    with locked(root):
        change(root, {path: File(text.encode()) for path, text in adoption.files.items()}, list(adoption.files))


def _refuse_duplicates(indexes: list[Index], script: Path, directory: Path) -> None:
    for file in sorted(f for f in directory.rglob("*") if f.suffix in {".sql", ".py", ".go", ".rb", ".php", ".exs"}):
        if file.samefile(script):
            continue
        text = file.read_text(encoding="utf-8", errors="replace").lower()
        for index in indexes:
            if re.search(rf"(?<!\w){re.escape(index.name.lower())}(?!\w)", text):
                raise TrimtabError(
                    f"{file}: already speaks of {index.name}",
                    f"Take {index.name} out of {script}, or out of that migration.",
                )


def _group(indexes: list[Index], script: Path) -> list[Migration]:
    """A concurrent index is alone: tools send a file as one query, and two statements in it share a transaction."""
    migrations: list[Migration] = []
    for concurrently, run in groupby(indexes, key=lambda index: index.concurrently):
        if concurrently:
            migrations += [Migration(_slug(f"add_{index.name}"), (index,)) for index in run]
        else:
            migrations.append(Migration(_slug(re.sub(r"^[\d_-]+", "", script.stem)) or "add_indexes", tuple(run)))
    return migrations


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:60]
