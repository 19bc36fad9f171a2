"""Application source makes tables beside the migrations."""

from __future__ import annotations

import re
from collections.abc import Iterator

from trimtab.audit.facts.model import Facts, Place
from trimtab.audit.finding import Finding, Rule
from trimtab.errors import some

_FOLDER = re.compile(r"(?:^|/)migrations?/")


def check(facts: Facts) -> Iterator[Finding]:
    """One finding for all of them."""
    files = sorted(path for path in facts.sql if _FOLDER.search(path))
    if not facts.inline_tables or not (facts.migrations or files):
        return
    kept = [one for one in facts.inline_tables if not _inside(one[1].path, facts)]
    if kept:
        names = some(list(dict.fromkeys(name for name, _ in kept)), 4)
        yield RULE.finding(
            f"Source makes tables beside the migrations: {names}",
            [
                *((place, f"CREATE TABLE {name}") for name, place in kept),
                *((one.place, f"migrations: {one.path}") for one in facts.migrations),
                *((Place(path, 1), "migration") for path in files[:1] if not facts.migrations),
            ],
            confidence="medium",
        )


def _inside(path: str, facts: Facts) -> bool:
    return any(path.startswith(f"{one.path}/") for one in facts.migrations)


RULE = Rule(
    module=__name__,
    kind="3.2",
    severity="medium",
    area="Database Migration Strategy",
    title="Source makes tables beside the migrations",
    what="Looks for `CREATE TABLE` in application source of a repository that has a directory of migrations. Tests, "
    "scripts, seeds, a runner's own record and other engines, such as SQLite, are left out.",
    why="The schema has two owners: what the program makes at its start has no version, is not rolled back, and "
    "is not there for whoever only runs the migrations.",
    example="""main.go: db.Exec(`CREATE TABLE IF NOT EXISTS settlements (…)`)   # and migrations/001_users.sql""",
    remedy="Move the statement into a migration.",
    check=check,
)
