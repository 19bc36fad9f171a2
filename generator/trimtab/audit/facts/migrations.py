"""Migration directories, by the layout that each tool writes."""

from __future__ import annotations

import re
from collections import defaultdict

from trimtab.audit.facts import model as m

_DIRECTORY = re.compile(
    r"(?:^|/)(migrations?|migrate|versions|changelog|migration_scripts|drizzle|schema_migrations)$",
    re.IGNORECASE,
)
_LAYOUTS = (
    ("prisma", re.compile(r"^\d+_\w+/migration\.sql$")),
    ("diesel", re.compile(r"^[\d-]+_\w+/(?:up|down)\.sql$")),
    ("sqlx", re.compile(r"^\d+_\w+\.(?:up\.|down\.)?sql$")),
    ("flyway", re.compile(r"^[VRU][\d_.]{0,60}?__\w+\.sql$")),
    ("alembic", re.compile(r"^[0-9a-z]{3,}[_-][\w-]+\.py$")),
    ("django", re.compile(r"^\d{4}_\w+\.py$")),
    ("rails", re.compile(r"^\d{14}_\w+\.rb$")),
    ("laravel", re.compile(r"^\d{4}_\d{2}_\d{2}_\d{6}_\w+\.php$")),
    ("ecto", re.compile(r"^\d{14}_\w+\.exs$")),
    ("node", re.compile(r"^\d+[-_][\w-]+\.[cm]?[jt]s$")),
    ("ef", re.compile(r"^\d{14}_\w+\.cs$")),
)


def find(files: tuple[str, ...]) -> list[m.MigrationDirectory]:
    """The migration directories among `files`, each with the tool whose layout most of its files have."""
    members: dict[str, list[str]] = defaultdict(list)
    for path in files:
        if not path.endswith((".sql", ".py", ".rb", ".php", ".exs", ".js", ".ts", ".cs", ".mjs", ".cjs")):
            continue
        parts = path.split("/")
        for depth in range(max(1, len(parts) - 2), len(parts)):
            directory = "/".join(parts[:depth])
            if _DIRECTORY.search(directory):
                members[directory].append("/".join(parts[depth:]))
    found = []
    for directory, names in sorted(members.items()):
        votes = {tool: [name for name in names if pattern.match(name)] for tool, pattern in _LAYOUTS}
        tool, fitting = max(votes.items(), key=lambda item: len(item[1]))
        if tool == "alembic" and len(votes["django"]) == len(fitting) and not directory.endswith("versions"):
            tool = "django"  # 0001_initial.py has the form of both; Alembic keeps its files in `versions`
        if fitting:
            found.append(m.MigrationDirectory(directory, tool, m.Place(f"{directory}/{sorted(fitting)[0]}", 1)))
    return found
