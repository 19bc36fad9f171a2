"""One database is migrated by two means."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from trimtab.audit.facts import model as m
from trimtab.audit.facts.model import Facts, Place
from trimtab.audit.facts.query import built_services, datastores
from trimtab.audit.facts.schema import raw_sql, runner_calls, source_runs
from trimtab.audit.finding import Finding, Rule
from trimtab.errors import some

_DATABASES = ("postgres", "mysql", "mariadb", "clickhouse", "mongodb", "cockroach")
_LANGUAGE = {
    **dict.fromkeys(("diesel", "sqlx", "sea-orm"), "rust"),
    **dict.fromkeys(("alembic", "django"), "python"),
    **dict.fromkeys(("prisma", "drizzle", "knex", "typeorm", "sequelize"), "node"),
    **{"ef": "dotnet", "rails": "ruby", "laravel": "php", "doctrine": "php", "ecto": "elixir"},
}
_SAME = {"flask-migrate": "alembic"}
# Where tables are made for a test or by hand, and not when the service starts.
_BY_HAND = re.compile(
    r"(?:^|/)(?:scripts?|seeds?|tools?|tests?|examples?)/|(?:^|/)(?:seed|init|create|setup|reset)[^/]{0,100}$"
)


def check(facts: Facts) -> Iterator[Finding]:
    """One finding for the repository."""
    places: list[tuple[Place, str]] = []
    tools: dict[str, list[Place]] = {}
    for command, tool in runner_calls(facts):
        tools.setdefault(_SAME.get(tool, tool), []).append(command.place)
    by_command = dict(tools)
    for place, tool in source_runs(facts):
        tools.setdefault(tool, [])
        places.append((place, tool))
    for tool, calls in sorted(by_command.items()):
        places += [(place, tool) for place in sorted(calls)]
    for sql in raw_sql(facts):
        places.append((sql.place, f"raw SQL: {sql.file.rsplit('/', 1)[-1] or 'inline'}"))
        if sql.file in facts.sql:
            places.append((Place(sql.file, 1), f"raw SQL: {sql.file.rsplit('/', 1)[-1]}"))
    if tools and any(value.startswith("raw SQL") for _, value in places):
        yield RULE.finding(f"The schema is changed by {' and '.join(sorted(tools))} and by raw SQL", places)
    elif len(by_command) > 1 and _one_database(facts, by_command):
        yield RULE.finding(
            f"The schema is changed by {' and '.join(sorted(by_command))}",
            places,
            confidence="medium",
            severity="medium" if _own_tools(facts, by_command) else "high",
        )
    yield from _created(facts, tools, places)


def _created(facts: Facts, tools: Iterable[str], places: list[tuple[Place, str]]) -> Iterator[Finding]:
    """One finding per service whose source makes tables from its models, past the migrations that it has; and one for
    all other services together, where a tool or SQL changes what may be their database.
    """
    home = _homes(facts)
    made: dict[str, list[m.SchemaCall]] = {}
    for call in facts.schema_calls:
        if call.action == "create":
            made.setdefault(home(call.place.path), []).append(call)
    kept = {root: [one for one in facts.migrations if home(one.place.path) == root] for root in made}
    for root, calls in sorted(made.items()):
        if kept[root]:
            ways = " and ".join(sorted({call.tool for call in calls}))
            yield RULE.finding(
                f"Tables are made by {ways} past the migrations in {some([one.path for one in kept[root]], 3)}",
                [
                    *((call.place, call.tool) for call in calls),
                    *((one.place, f"migrations: {one.tool}") for one in kept[root]),
                ],
                severity="medium",
                confidence="medium",
            )
    without = [call for root, calls in made.items() if not kept[root] for call in calls]
    started = [call for call in without if not _BY_HAND.search(call.place.path)]
    if started:
        elsewhere = {one.tool for one in facts.migrations if home(one.place.path) not in made}
        yield from _beside(started, set(tools) - elsewhere, [item for item in places if item[1] not in elsewhere])


def _beside(calls: list[m.SchemaCall], tools: set[str], places: list[tuple[Place, str]]) -> Iterator[Finding]:
    """Tables that the source makes from its models when it starts, beside a tool or SQL."""
    raw = any(value.startswith("raw SQL") for _, value in places)
    if raw or tools:
        others = " and ".join([*sorted(tools), *(["raw SQL"] if raw else [])])
        yield RULE.finding(
            f"The schema is changed by {others}, and made from the models by {calls[0].tool} in the source",
            [*places, *((call.place, call.tool) for call in calls)],
            confidence="medium",
            severity="high" if raw and not tools else "medium",
            remedy="Let the migrations make every table, and take the call out of the source.",
        )


def _homes(facts: Facts) -> Callable[[str], str]:
    """The function that tells in which service's directory a path lies, "" for none."""
    roots = sorted({service.root for service in facts.services if service.root}, key=len, reverse=True)
    return lambda path: next((root for root in roots if path.startswith(root + "/")), "")


def _own_tools(facts: Facts, tools: Iterable[str]) -> bool:
    """Whether each tool may serve a database of its own: there are several, or several services and each tool comes
    with another language.
    """
    languages = [_LANGUAGE.get(tool, "") for tool in tools]
    apart = all(languages) and len(set(languages)) == len(languages) <= len(built_services(facts))
    return apart or len({service.role for service in datastores(facts, *_DATABASES)}) > 1


def _one_database(facts: Facts, tools: dict[str, list[Place]]) -> bool:
    """Whether the tools serve one service: several services may each have their own database and tool."""
    home = _homes(facts)
    values = [{home(place.path) for place in places} for places in tools.values()]
    return any(one & other for index, one in enumerate(values) for other in values[index + 1 :])


RULE = Rule(
    module=__name__,
    kind="3.2",
    severity="high",
    area="CI/CD Pipeline",
    title="One database is migrated by two means",
    what="""Looks for calls of a migration tool (Diesel, sqlx, Alembic, Prisma, Flyway, …) beside another
tool, beside schema SQL that scripts, workflows or database images apply with a client, or beside source that makes
tables from its models (`create_all`, `synchronize`, `AutoMigrate`, `ddl-auto`, `EnsureCreated`).""",
    why="The order of the two is not fixed and only one of them records what it did, so environments "
    "end up with different schemas.",
    example="""ci-cd.yml:        diesel migration run
apply-indexes.sh: psql "$DATABASE_URL" -f add_indexes.sql""",
    remedy="Turn the raw SQL into migrations of the tool, and keep the tool as the only way to change the schema.",
    check=check,
)
