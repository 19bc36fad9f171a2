"""One database is migrated by two means."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from trimtab.audit.facts import model as m
from trimtab.audit.facts.commands import migration_words
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
# How a tool brings the schema in line without a migration.
_PUSH = {
    "prisma": re.compile(r"\bprisma(?:/build/index\.js)?\s+db\s+push\b"),
    "drizzle": re.compile(r"\bdrizzle-kit\s+push\b"),
}
_AUTOMATIC = ("workflow", "kubernetes", "compose", "dockerfile", "script")
_OTHER_STORE = re.compile(r"clickhouse|cassandra|scylla|mongo|neo4j", re.IGNORECASE)
_SAME = {"flask-migrate": "alembic"}
# Where tables are made for a test or by hand, and not when the service starts.
_BY_HAND = re.compile(
    r"(?:^|/)(?:scripts?|seeds?|tools?|tests?|examples?)/|(?:^|/)(?:seed|init|create|setup|reset)[^/]{0,100}$"
)


def check(facts: Facts) -> Iterator[Finding]:
    """One finding for the repository."""
    places: list[tuple[Place, str]] = []
    tools: dict[str, list[Place]] = {}
    words: dict[Place, str] = {}
    told: dict[Place, str] = {}
    stores: dict[str, set[str]] = {}
    for command, tool in runner_calls(facts):
        tools.setdefault(_SAME.get(tool, tool), []).append(command.place)
        words[command.place] = migration_words(command)
        told[command.place] = _SAME.get(tool, tool)
        other = _OTHER_STORE.search(f"{command.place.path} {command.text[:2_000]}")
        stores.setdefault(_SAME.get(tool, tool), set()).add(other[0].lower() if other else "")
    by_command = dict(tools)
    for place, tool in source_runs(facts):
        tools.setdefault(tool, [])
        told[place] = tool
        places.append((place, tool))
    for _, calls in sorted(by_command.items()):
        places += [(place, words[place]) for place in sorted(calls)]
    for sql in raw_sql(facts):
        places.append((sql.place, f"raw SQL: {sql.file.rsplit('/', 1)[-1] or 'inline'}"))
        if sql.file in facts.sql:
            places.append((Place(sql.file, 1), f"raw SQL: {sql.file.rsplit('/', 1)[-1]}"))
    yield from _pushed(facts)
    if tools and any(value.startswith("raw SQL") for _, value in places):
        yield RULE.finding(f"The schema is changed by {' and '.join(sorted(tools))} and by raw SQL", places)
    elif len(by_command) > 1 and _one_database(facts, by_command) and set.intersection(*stores.values()):
        yield RULE.finding(
            f"The schema is changed by {' and '.join(sorted(by_command))}",
            places,
            confidence="medium",
            severity="medium" if _own_tools(facts, by_command) else "high",
        )
    yield from _created(facts, tools, places, told)


def _created(
    facts: Facts, tools: Iterable[str], places: list[tuple[Place, str]], told: dict[Place, str]
) -> Iterator[Finding]:
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
        here = [item for item in places if told.get(item[0]) not in elsewhere]
        yield from _beside(started, set(tools) - elsewhere, here)


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


def _pushed(facts: Facts) -> Iterator[Finding]:
    """A schema that is pushed past the migrations of the same tool, other than by hand."""
    for tool, push in _PUSH.items():
        calls = [(command, bool(push.search(command.text))) for command, name in runner_calls(facts) if name == tool]
        pushed = [command for command, is_push in calls if is_push and command.context in _AUTOMATIC]
        places = [(command.place, migration_words(command)) for command, is_push in calls if not is_push]
        places += [(one.place, f"{tool} migrations") for one in facts.migrations if one.tool == tool]
        kept = any(one.tool == tool for one in facts.migrations)
        if pushed and (kept or any(not is_push and " dev" not in command.text for command, is_push in calls)):
            yield RULE.finding(
                f"The schema is changed by {tool}'s push and by its migrations",
                [*((command.place, migration_words(command)) for command in pushed), *places],
                severity="high" if any(command.context != "workflow" for command in pushed) else "medium",
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
