"""Schema SQL is applied outside the migration runner."""

from __future__ import annotations

from collections.abc import Iterator

from trimtab.audit.facts.model import Facts, Place
from trimtab.audit.facts.schema import raw_sql, runner_calls
from trimtab.audit.finding import Finding, Rule


def check(facts: Facts) -> Iterator[Finding]:
    """One finding for the repository, when it has a runner that the SQL goes past."""
    calls = runner_calls(facts)
    tools = {tool for _, tool in calls} or {one.tool for one in facts.migrations}
    outside = raw_sql(facts)
    if not tools or not outside:
        return
    places: list[tuple[Place, str]] = []
    for sql in outside:
        places.append((sql.place, f"outside: {sql.file or 'inline SQL'}"))
        if sql.file in facts.sql:
            places.append((Place(sql.file, 1), f"outside: {sql.file}"))
    places += [(command.place, f"runner: {tool}") for command, tool in calls]
    kind = "Indexes are" if any(sql.index for sql in outside) else "Tables are"
    yield RULE.finding(
        f"{kind} created outside the migrations ({', '.join(sorted(tools))})",
        places,
        severity="critical" if calls else "high",
        confidence="high" if calls else "medium",
    )


RULE = Rule(
    module=__name__,
    kind="5.1",
    severity="critical",
    area="Database Migration Strategy",
    title="Schema SQL is applied outside the migration runner",
    what="""Looks for SQL that creates or alters tables and indexes and is fed to a database client by a
script, a workflow or a database
image's start directory, in a repository that has migrations.""",
    why="An environment where that step was forgotten lacks the tables or indexes, and nothing records or reports it.",
    example='backend/apply-indexes.sh: psql "$DATABASE_URL" < add_performance_indexes.sql',
    remedy="Move the SQL into a migration, and verify the expected indexes after every migration.",
    check=check,
)
