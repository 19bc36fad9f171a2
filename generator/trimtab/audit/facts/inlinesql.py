"""What literals in source say about the schema: tables that it makes, and folders of migrations that it reads."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from trimtab.audit.facts.model import Place, Reference

_TABLE = re.compile(
    r"\bCREATE\s{1,9}TABLE\s{1,9}(?:IF\s{1,9}NOT\s{1,9}EXISTS\s{1,9})?[\"`\[]?(?!IF\b)([A-Za-z_][\w.]{0,100})",
    re.IGNORECASE,
)
# A runner's own record of what it applied.
_RECORD = re.compile(r"migrat|version|changelog|history|schema|lock|flyway|goose|temp|tmp", re.IGNORECASE)
# Files that are about the schema's history, about tests, or about another engine than the one that is deployed.
_NOT_APPLICATION = re.compile(
    r"migrat|alembic|(?:^|[/_.-])(?:tests?|spec|seeds?|seeders?|fixtures?|mocks?|examples?|scripts?|tools?|bench\w*|setup|init\w*|original|old|backup|legacy|deprecated|archive)(?:[/_.-]|$)",
    re.IGNORECASE,
)
_OTHER_ENGINE = re.compile(r"sqlite|duckdb|clickhouse|cassandra|:memory:|bigquery|snowflake|spark", re.IGNORECASE)
_FOLDER = re.compile(r"\"(?:file://)?(?:\./)?((?:[\w.-]{1,60}/){0,8}migrations?(?:/[\w.-]{1,60}){0,4})/?\"")


def tables(code: str, path: str, line_of: Callable[[int], int]) -> Iterator[tuple[str, Place]]:
    """(name, place) of each table that a source file makes in the database that is deployed."""
    if "TABLE" not in code or _NOT_APPLICATION.search(path) or _OTHER_ENGINE.search(code):
        return
    for match in _TABLE.finditer(code):
        if not _RECORD.search(match[1]):
            yield match[1], Place(path, line_of(match.start()))


def folders(code: str, family: str, path: str, line_of: Callable[[int], int]) -> Iterator[Reference]:
    """The folders of migrations that a Go program reads when it runs, rather than holding them."""
    if family != "go" or "migration" not in code or "embed" in code or "iofs" in code:
        return
    for match in _FOLDER.finditer(code):
        yield Reference(match[1], "migration directory", Place(path, line_of(match.start())))
