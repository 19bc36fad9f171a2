"""How a repository changes its database schema: the runners that it calls, and SQL that goes past them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from trimtab.audit.facts.commands import INDEX, SCHEMA, SQL_CLIENT, sql_files
from trimtab.audit.facts.model import Command, Facts, Place
from trimtab.audit.facts.naming import is_auxiliary
from trimtab.audit.facts.query import commands_by_path, is_datastore, migration_runs
from trimtab.audit.facts.text import directory_of

_TEST_DATA = re.compile(
    r"(^|[/_.-])(tests?|fixtures?|seeds?|e2e|integration|samples?|dump|mocks?)([/_.-]|$)", re.IGNORECASE
)


_GIVEN = re.compile(r"(?:\s-f|--file|<)[\s=]{0,9}[\"']?\$\{?(\w{1,60})\}?[\"']?(?:\s|$|[;)&|])")
_LOOP = re.compile(r"\bfor\s+(\w{1,60})\s+in\s+(?:\$\(\s{0,9}ls\s+)?[\"']?(\S{0,200}?)/[\"']?\*\S{0,60}\.sql")


@dataclass(frozen=True, slots=True)
class RawSql:
    """Schema SQL that a script, workflow or database image applies by itself. `file` is its path where it
    has one.
    """

    place: Place
    file: str
    index: bool
    mounted: bool = False  # by the image of a database, into an empty volume


def runner_calls(facts: Facts) -> list[tuple[Command, str]]:
    """Every call of a migration tool that changes the schema: (command, tool)."""
    return [(command, tool) for command, tool, action in migration_runs(facts) if action == "up"]


def source_runs(facts: Facts) -> list[tuple[Place, str]]:
    """Every place where source runs migrations, with their tool."""
    return [(call.place, call.tool) for call in facts.schema_calls if call.action == "up"]


def raw_sql(facts: Facts) -> list[RawSql]:  # noqa: C901, PLR0912
    """Every place that applies schema SQL without a migration tool."""
    found: list[RawSql] = []
    for command in facts.commands:
        if not SQL_CLIENT.search(command.text):
            continue
        found += [RawSql(command.place, path, facts.sql[path] == "index") for path in _looped(command, facts)]
        for name in sql_files(command.text):
            path = _locate(facts, name)
            if _TEST_DATA.search(path or name):
                continue
            what = facts.sql.get(path, "unknown" if not path else "data")
            if what in ("index", "schema"):
                found.append(RawSql(command.place, path, what == "index"))
            elif what == "unknown" and any(word in name.lower() for word in ("index", "schema", "migrat", "table")):
                found.append(RawSql(command.place, name, "index" in name.lower()))
        if not sql_files(command.text) and SCHEMA.search(command.text):
            found.append(RawSql(command.place, "", bool(INDEX.search(command.text))))
    for container in facts.containers:
        if is_datastore(container):
            for mount in container.mounts:
                if "docker-entrypoint-initdb.d" in mount.target and not mount.named:
                    for path in sorted(facts.sql):
                        if (path == mount.source or path.startswith(mount.source.rstrip("/") + "/")) and facts.sql[
                            path
                        ] in ("index", "schema"):
                            found.append(RawSql(mount.place, path, facts.sql[path] == "index", mounted=True))
    return found


def _looped(command: Command, facts: Facts) -> list[str]:
    """The schema files of a folder that a loop of the same file gives a client one by one."""
    given = _GIVEN.search(command.text)
    if given is None:
        return []
    for other in commands_by_path(facts).get(command.place.path, ()):
        loop = _LOOP.search(other.text)
        if loop and loop[1] == given[1]:
            folder = loop[2].rstrip("/").rsplit("/", 1)[-1]
            inside = [path for path in sorted(facts.sql) if directory_of(path).rsplit("/", 1)[-1] == folder]
            return [path for path in inside if facts.sql[path] in ("index", "schema") and not _TEST_DATA.search(path)]
    return []


def _locate(facts: Facts, written: str) -> str:
    """The SQL file that a command names, by its path or by its name when the path is computed."""
    name = written.replace("\\", "/").rsplit("/", 1)[-1].strip("\"'{}")
    if written in facts.sql:
        return written
    matches = [path for path in facts.sql if path.rsplit("/", 1)[-1] == name]
    return matches[0] if len(matches) == 1 else next((path for path in matches if not is_auxiliary(path)), "")
