"""A migration tool is installed, and the tables are made from the models instead."""

from __future__ import annotations

from collections.abc import Iterator

from trimtab.audit.facts.maketables import is_aside, is_script, runs_of
from trimtab.audit.facts.model import Facts, Place, SchemaCall
from trimtab.audit.finding import Finding, Rule
from trimtab.errors import some

_TOOLS = {
    "SQLAlchemy's create_all": ("flask-migrate", "alembic"),
    "Sequelize's sync": ("sequelize-cli", "umzug"),
    "GORM's AutoMigrate": ("github.com/golang-migrate/migrate/v4", "github.com/pressly/goose/v3"),
}


def check(facts: Facts) -> Iterator[Finding]:
    """One finding per package that asks for the tool and has none of its migrations."""
    homes = sorted({one.directory for one in facts.packages}, key=len, reverse=True)
    for package in facts.packages:
        calls = [
            call
            for call in facts.schema_calls
            if call.action == "create"
            and next((one for one in homes if _within(call.place.path, one)), "") == package.directory
            and not is_aside(call)
        ]
        kept = [one for one in facts.migrations if _within(one.path, package.directory)]
        started = [(call, by) for call in calls if (by := _started(call, facts)) is not None]
        tools = sorted(
            {tool for call, _ in started for tool in _TOOLS.get(call.tool, ()) if tool in package.dependencies}
        )
        if kept or not tools:
            continue
        asked = [(Place(package.path, 1), f"asks for {tool}") for tool in tools]
        ways = some(sorted({call.tool for call, _ in started}), 3)
        yield RULE.finding(
            f"{some(tools, 3)} is installed and has no migrations; {ways} makes the tables",
            [*asked, *((call.place, call.tool) for call, _ in started), *(place for _, by in started for place in by)],
            confidence="medium",
        )


def _within(path: str, directory: str) -> bool:
    return not directory or path.startswith(f"{directory}/")


def _started(call: SchemaCall, facts: Facts) -> list[tuple[Place, str]] | None:
    """The commands that run a script which makes the tables; none for source that does it when it starts, and None for
    a script that nobody runs.
    """
    if not is_script(call):
        return []
    by = [(command.place, f"runs {call.place.path.rsplit('/', 1)[-1]}") for command in runs_of(call, facts)]
    return by[:5] or None


RULE = Rule(
    module=__name__,
    kind="3.2",
    severity="medium",
    area="CI/CD Pipeline",
    title="A migration tool is installed, and the tables are made past it",
    what="Looks for packages that ask for Alembic, Flask-Migrate, Umzug, golang-migrate or goose and have no "
    "migrations, while their source, or a script that commands run, makes the tables from the models.",
    why="Tables that are there are never altered: the first change of a model breaks every database that has data, and "
    "the commands of the tool, where the documentation names them, do nothing.",
    example="""requirements.txt: flask-migrate   # and no migrations/
deploy.sh:        python scripts/init_db.py   # db.create_all()""",
    remedy="Write the first migration with the tool, run it where the script runs now, and drop the script.",
    check=check,
)
