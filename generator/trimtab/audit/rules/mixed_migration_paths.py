"""One database is migrated by two means."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from trimtab.audit.facts.model import Facts, Place
from trimtab.audit.facts.query import built_services, datastores
from trimtab.audit.facts.schema import raw_sql, runner_calls
from trimtab.audit.finding import Finding, Rule

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
    for tool, calls in sorted(tools.items()):
        places += [(place, tool) for place in sorted(calls)]
    for sql in raw_sql(facts):
        places.append((sql.place, f"raw SQL: {sql.file.rsplit('/', 1)[-1] or 'inline'}"))
        if sql.file in facts.sql:
            places.append((Place(sql.file, 1), f"raw SQL: {sql.file.rsplit('/', 1)[-1]}"))
    yield from _made_by_source(facts, tools, places)
    if tools and any(value.startswith("raw SQL") for _, value in places):
        yield RULE.finding(f"The schema is changed by {' and '.join(sorted(tools))} and by raw SQL", places)
    elif len(tools) > 1 and _one_database(facts, tools):
        yield RULE.finding(
            f"The schema is changed by {' and '.join(sorted(tools))}",
            places,
            confidence="medium",
            severity="medium" if _own_tools(facts, tools) else "high",
        )


def _made_by_source(facts: Facts, tools: dict[str, list[Place]], places: list[tuple[Place, str]]) -> Iterator[Finding]:
    """Tables that the source makes from its models when it starts, beside a tool or SQL of the same database."""
    made = [
        (place, what)
        for what, place in facts.schema_makers
        if not re.search(
            r"(?:^|/)(?:scripts?|seeds?|tools?|tests?|examples?)/|(?:^|/)(?:seed|init|create|setup|reset)", place.path
        )
    ]
    raw = any(value.startswith("raw SQL") for _, value in places)
    if made and (raw or tools) and len(built_services(facts)) > 0:
        others = " and ".join([*sorted(tools), *(["raw SQL"] if raw else [])])
        yield RULE.finding(
            f"The schema is changed by {others}, and made from the models by {made[0][1]} in the source",
            [*places, *made],
            confidence="medium",
            severity="high" if raw and not tools else "medium",
            remedy="Let the migrations make every table, and take the call out of the source.",
        )


def _own_tools(facts: Facts, tools: Iterable[str]) -> bool:
    """Whether each tool may serve a database of its own: there are several, or several services and each tool comes
    with another language.
    """
    languages = [_LANGUAGE.get(tool, "") for tool in tools]
    apart = all(languages) and len(set(languages)) == len(languages) <= len(built_services(facts))
    return apart or len({service.role for service in datastores(facts, *_DATABASES)}) > 1


def _one_database(facts: Facts, tools: dict[str, list[Place]]) -> bool:
    """Whether the tools serve one service: several services may each have their own database and tool."""
    roots = sorted({service.root for service in facts.services if service.root}, key=len, reverse=True)
    homes = {
        tool: {next((root for root in roots if place.path.startswith(root + "/")), "") for place in places}
        for tool, places in tools.items()
    }
    values = list(homes.values())
    return any(one & other for index, one in enumerate(values) for other in values[index + 1 :])


RULE = Rule(
    module=__name__,
    kind="3.2",
    severity="high",
    area="CI/CD Pipeline",
    title="One database is migrated by two means",
    what="""Looks for calls of a migration tool (Diesel, sqlx, Alembic, Prisma, Flyway, …) beside another
tool or beside schema SQL that scripts,
workflows or database images apply with a client, and for source that makes the tables of its models (`create_all`,
`AutoMigrate`, `ddl-auto=update`, …) beside either.""",
    why="The order of the two is not fixed and only one of them records what it did, so environments "
    "end up with different schemas.",
    example="""ci-cd.yml:        diesel migration run
apply-indexes.sh: psql "$DATABASE_URL" -f add_indexes.sql""",
    remedy="Turn the raw SQL into migrations of the tool, and keep the tool as the only way to change the schema.",
    check=check,
)
