"""A database URL does not fit the database that it names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import SplitResult, urlsplit

from trimtab.audit.facts.model import Container, EnvVar, Facts, Place
from trimtab.audit.facts.query import datastores
from trimtab.audit.facts.text import directory_of
from trimtab.audit.finding import Finding, Rule
from trimtab.errors import some

_USER = ("POSTGRES_USER", "MYSQL_USER", "MARIADB_USER")
_NAME = ("POSTGRES_DB", "MYSQL_DATABASE", "MARIADB_DATABASE")
_HOST = re.compile(r"(\w+_)(?:HOST|HOSTNAME|SERVER|ADDR)")
_PARTS = {"user": ("USER", "USERNAME"), "database": ("NAME", "DATABASE", "DB", "DBNAME")}
_LISTED = re.compile(r"(?:DATABASES|_DBS)$")
_PLACEHOLDER = re.compile(r"change|your|example|<|xxx|placeholder", re.IGNORECASE)
_READY = re.compile(r"pg_isready\b.*?\s-U\s*(\S+)")


def check(facts: Facts) -> Iterator[Finding]:
    """One finding per compose file and setting."""
    yield from _in_parts(facts)
    yield from _in_env_files(facts)
    for file in facts.compose:
        for database in file.services:
            if not any(database in service.containers for service in datastores(facts, "postgres", "mysql", "mariadb")):
                continue
            user, name = _setting(database, _USER), _setting(database, _NAME)
            made = _made(facts, database)
            for client in file.services:
                for item in client.env:
                    if item.origin == "envfile" or not (item.value or item.outline):
                        continue
                    yield from _compare(item, database, user, name, made)
            for probe in database.probes:
                match = _READY.search(probe.command)
                if match and user and user.value and "$" not in match[1] and match[1].strip("\"'") != user.value:
                    yield _finding(database, "user", [(probe.place, match[1].strip("\"'")), (user.place, user.value)])


def _in_parts(facts: Facts) -> Iterator[Finding]:
    """Clients that are given host, user and database one by one: compared with the database of their own file, or of
    their folder where the file has none.
    """
    databases = _databases(facts)
    for client in facts.containers:
        if client.origin == "compose":
            beside = [one for one in databases if one.place.path == client.place.path]
            home = directory_of(client.place.path)
            for database in beside or [one for one in databases if directory_of(one.place.path) == home]:
                settings = {"user": _setting(database, _USER), "database": _setting(database, _NAME)}
                yield from _of_client(client, database, settings, _made(facts, database))


def _databases(facts: Facts) -> list[Container]:
    """The databases that compose files start."""
    return [
        one
        for service in datastores(facts, "postgres", "mysql", "mariadb")
        for one in service.containers
        if one.origin == "compose" and not one.partial
    ]


def _in_env_files(facts: Facts) -> Iterator[Finding]:
    """URLs with a password in env files for development, for the database that compose files publish here."""
    databases = [one for one in _databases(facts) if one.environment not in ("production", "staging", "test")]
    ports = {port.host.rpartition(":")[2] for one in databases for port in one.ports if port.host}
    urls = [
        (item, parts)
        for file in facts.env_files
        if file.environment in ("", "local", "example")
        for item in file.variables
        if (parts := _parts_of(item.value or ""))
        and parts.hostname in ("localhost", "127.0.0.1", *(one.name for one in databases))
        and str(parts.port or "") in {"", *ports}
        and parts.password
        and parts.username not in ("user", "username")
        and not re.search(r"test", f"{file.path} {parts.path}")
        and not _PLACEHOLDER.search(item.value or "")
    ]
    for what, names, pick in (("user", _USER, 0), ("database", _NAME, 1)):
        started = [_setting(one, names) for one in databases]
        known = {str(one.value) for one in started if one}
        if not started or any(one is None or not one.value for one in started):
            continue
        if what == "database":
            known |= {name for one in databases for name in _made(facts, one)}
        wrong = [
            (item.place, value)
            for item, parts in urls
            if (value := (parts.username or "", parts.path.strip("/"))[pick]) and value not in known
        ]
        if wrong:
            places = [*wrong, *((one.place, str(one.value)) for one in started if one)]
            yield RULE.finding(
                f"The {what} of env files is {some(sorted({value for _, value in wrong}), 3)}, and compose starts "
                f"{databases[0].name} with {some(sorted({str(one.value) for one in started if one}), 3)}",
                list(dict.fromkeys(places)),
                confidence="medium",
            )


def _parts_of(value: str) -> SplitResult | None:
    """The parts of a database's URL; None for any other text."""
    text = re.sub(r"^(\w+)\+\w+://", r"\1://", value.removeprefix("jdbc:"))
    if not re.match(r"^(?:postgres|postgresql|mysql|mariadb)://[^\s${}<>]+$", text):
        return None
    try:
        parts = urlsplit(text)
        numbered = parts.port is None or parts.port > 0
    except ValueError:
        return None
    return parts if numbered else None


def _of_client(
    client: Container, database: Container, settings: dict[str, EnvVar | None], made: frozenset[str]
) -> Iterator[Finding]:
    values = {item.name: item for item in client.env}
    for item in client.env:
        match = _HOST.fullmatch(item.name)
        if match is None or item.value not in database.names:
            continue
        for what, ends in _PARTS.items():
            own = next((values[match[1] + end] for end in ends if match[1] + end in values), None)
            set_to = settings[what]
            if own and set_to and own.value and set_to.value and own.value != set_to.value:
                allowed = what == "user" and own.value in ("root", "postgres")
                allowed = allowed or (what == "database" and own.value in made)
                if not allowed and not _PLACEHOLDER.search(own.value):
                    yield _finding(database, what, [(own.place, own.value), (set_to.place, set_to.value)], sure=False)


def _made(facts: Facts, database: Container) -> frozenset[str]:
    """Databases that a server has beside its first one: those that scripts create, or that a variable lists."""
    listed = [item.value or "" for item in database.env if _LISTED.search(item.name)]
    return facts.databases | {name for text in listed for name in re.split(r"[\s,:;]+", text)}


def _setting(container: Container, names: tuple[str, ...]) -> EnvVar | None:
    return next((item for item in container.env if item.name in names), None)


def _compare(
    item: EnvVar, database: Container, user: EnvVar | None, name: EnvVar | None, made: frozenset[str]
) -> Iterator[Finding]:
    value = re.sub(r"^(\w+)\+\w+://", r"\1://", (item.value or item.outline).removeprefix("jdbc:"))
    if not re.match(r"^(?:postgres|postgresql|mysql|mariadb)://", value):
        return
    try:
        parts = urlsplit(value)
        host, username, path = parts.hostname, parts.username, parts.path.strip("/")
    except ValueError:
        return
    if host not in database.names:
        return
    if user and user.value and username and username != user.value and username not in ("root", "postgres"):
        yield _finding(database, "user", [(item.place, username), (user.place, user.value)])
    if name and name.value and path and path.split("?")[0] not in {name.value, *made} and "/" not in path:
        yield _finding(database, "database", [(item.place, path), (name.place, name.value)], sure=False)


def _finding(database: Container, what: str, places: list[tuple[Place, str]], *, sure: bool = True) -> Finding:
    return RULE.finding(
        f"The {what} of {database.name} is {places[1][1]} in one place and {places[0][1]} in another",
        places,
        confidence="high" if sure else "medium",
    )


RULE = Rule(
    module=__name__,
    severity="medium",
    area="Environment Variables Consistency",
    title="A database URL does not fit the database's own settings",
    what="Compares the user and database of URLs, and of variables beside a DB_HOST, with the variables that the "
    "database's container is started with, and the user of its health check. URLs with a password in env files for "
    "development are compared with the databases that compose files publish.",
    why="The login fails, or the service works on another database than the one that is backed up.",
    example="""postgres: POSTGRES_DB: app
backend:  DATABASE_URL: postgresql://app@postgres/application""",
    remedy="Build the URL from the same variables.",
    check=check,
)
