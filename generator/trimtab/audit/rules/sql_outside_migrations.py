"""Schema SQL is applied outside the migration runner."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from trimtab.audit.facts.model import Facts, Place
from trimtab.audit.facts.namedsql import index_files
from trimtab.audit.facts.schema import RawSql, raw_sql, runner_calls, source_runs
from trimtab.audit.finding import Finding, Rule
from trimtab.errors import some


def check(facts: Facts) -> Iterator[Finding]:
    """One finding for the repository, when it has a runner that the SQL goes past."""
    calls = [*((command.place, tool) for command, tool in runner_calls(facts)), *source_runs(facts)]
    directories = sorted({one.path for one in facts.migrations})
    outside = [*raw_sql(facts), *(RawSql(place, path, index=True) for place, path in index_files(facts))]
    if not outside or not (calls or directories):
        return
    places: list[tuple[Place, str]] = []
    for sql in outside:
        places.append((sql.place, f"outside: {sql.file or 'inline SQL'}"))
        if sql.file in facts.sql:
            places.append((Place(sql.file, 1), f"outside: {sql.file}"))
    places += [(place, f"runner: {tool}") for place, tool in calls]
    kind = "Indexes are" if any(sql.index for sql in outside) else "Tables are"
    inside = [home for sql in outside for home in directories if sql.file.startswith(home + "/")]
    own = len(inside) >= len(outside)  # the migrations themselves, but not by what keeps account of them
    if own and not calls and all(sql.mounted for sql in outside):
        named = some(sorted(set(inside)), 3)
        yield RULE.finding(
            f"{named} is applied by the database's image to an empty volume, and {_later(facts)}",
            [(place, value.replace("outside: ", "")) for place, value in places],
            severity="high",
            confidence="medium",
        )
        return
    if own:
        title = f"The migrations in {some(sorted(set(inside)), 3)} are applied past their runner"
    else:
        named = some(sorted({tool for _, tool in calls}), 3) if calls else f"in {some(directories, 3)}"
        title = f"{kind} created outside the migrations {f'({named})' if calls else named}"
    yield RULE.finding(title, places, **_weight(calls=bool(calls), own=own))


def _weight(*, calls: bool, own: bool) -> dict[str, Any]:
    """How much it weighs: where nothing calls a runner, scripts that apply the migrations may be all there is."""
    if calls:
        return {"severity": "critical", "confidence": "high"}
    return {"severity": "medium" if own else "high", "confidence": "medium"}


def _later(facts: Facts) -> str:
    """What becomes of migrations that no known tool runs: a command of the repository's own may."""
    own = any("migrat" in command.text and command.context != "dockerfile" for command in facts.commands)
    return "by a command of its own" if own else "by no command later"


RULE = Rule(
    module=__name__,
    kind="5.1",
    severity="critical",
    area="Database Migration Strategy",
    title="Schema SQL is applied outside the migration runner",
    what="""Looks for SQL that creates or alters tables and indexes and is fed to a database client by a
script, a workflow or a database
image's start directory, and for files of indexes that source applies by name, in a repository that has migrations; also
where that directory holds the migrations themselves and nothing else runs them.""",
    why="An environment where that step was forgotten lacks the tables or indexes, and nothing records or reports it.",
    example='backend/apply-indexes.sh: psql "$DATABASE_URL" < add_performance_indexes.sql',
    remedy="Move the SQL into a migration, and verify the expected indexes after every migration.",
    check=check,
)
