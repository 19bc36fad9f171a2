"""From an SQL script to its CREATE INDEX statements, by PostgreSQL's own parser."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from trimtab.errors import TrimtabError

HEAD = re.compile(r"(CREATE\s+(?:UNIQUE\s+)?INDEX\s+(?:CONCURRENTLY\s+)?)(?!IF\s+NOT\s+EXISTS\b)", re.IGNORECASE)


@dataclass(frozen=True)
class Index:
    """One CREATE INDEX statement, as it goes into a migration."""

    name: str
    table: str
    schema: str | None
    concurrently: bool
    create: str

    @property
    def entry(self) -> str:
        """How `expect_indexes` names it."""
        return ".".join(part for part in (self.schema, self.table, self.name) if part)

    @property
    def drop(self) -> str:
        """The statement that undoes it."""
        name = ".".join(_quoted(part) for part in (self.schema, self.name) if part)
        return f"DROP INDEX {'CONCURRENTLY ' if self.concurrently else ''}IF EXISTS {name};"


def read_indexes(sql: str, where: str) -> list[Index]:
    """Every index of a script, in order; anything else in it is refused, since it would get lost."""
    raw = sql.encode()
    indexes: list[Index] = []
    for statement in _parse(sql, where):
        start = statement.get("stmt_location", 0)
        text = raw[start : start + statement.get("stmt_len", len(raw) - start)].decode().strip()
        line = raw[:start].count(b"\n") + 1
        ((kind, node),) = statement["stmt"].items()
        if kind == "TransactionStmt":  # the migration brings its own transaction
            continue
        if kind != "IndexStmt":
            raise TrimtabError(
                f"{where}:{line}: not a CREATE INDEX: {text.splitlines()[0]}",
                "Move it into a migration of its own first; only indexes are adopted.",
            )
        indexes.append(_index(node, text, f"{where}:{line}"))
    if not indexes:
        raise TrimtabError(f"{where}: no CREATE INDEX in it", "There is nothing to adopt.")
    for index in indexes:
        if [other.name for other in indexes].count(index.name) > 1:
            raise TrimtabError(f"{where}: {index.name} is created twice", "Keep one of the two.")
    return indexes


def _parse(sql: str, where: str) -> list[dict[str, Any]]:
    try:
        from pglast.parser import ParseError, parse_sql_json
    except ImportError as error:
        raise TrimtabError(
            "pglast is not installed, and reading SQL needs it", "Run `pip install 'trimtab[sql]'`."
        ) from error
    try:
        statements: list[dict[str, Any]] = json.loads(parse_sql_json(sql)).get("stmts", [])
    except ParseError as error:
        raise TrimtabError(
            f"{where}: {error.args[0]}", "Only SQL can be adopted: take psql's backslash commands out first."
        ) from error
    return statements


def _index(node: dict[str, Any], text: str, where: str) -> Index:
    if "idxname" not in node:
        raise TrimtabError(f"{where}: the index has no name", "Name it, so that `verify` can look for it.")
    parts = [node["relation"].get("schemaname", ""), node["relation"]["relname"], node["idxname"]]
    if any("." in part for part in parts):
        raise TrimtabError(f"{where}: a dot in the name {'.'.join(parts)}", "`expect_indexes` has no way to write it.")
    # Where the stray script ran, the index is there already; `verify` still sees whether it is whole.
    create = HEAD.sub(r"\1IF NOT EXISTS ", text, count=1)
    return Index(parts[2], parts[1], parts[0] or None, bool(node.get("concurrent")), f"{create};")


def _quoted(name: str) -> str:
    return name if re.fullmatch(r"[a-z_][a-z0-9_$]*", name) else '"' + name.replace('"', '""') + '"'
