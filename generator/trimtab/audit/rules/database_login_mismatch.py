"""A connection URL logs in with another user, password or database than the server was given."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from trimtab.audit.facts.clusterdata import Held, held_by, names_of, taken_whole, values_of
from trimtab.audit.facts.model import Container, Facts, Place, Workload
from trimtab.audit.facts.products import datastore_of
from trimtab.audit.finding import Finding, Rule

_SETTINGS = {
    "user": ("POSTGRES_USER", "MYSQL_USER", "MARIADB_USER", "MONGO_INITDB_ROOT_USERNAME"),
    "password": ("POSTGRES_PASSWORD", "MYSQL_PASSWORD", "MARIADB_PASSWORD", "MONGO_INITDB_ROOT_PASSWORD"),
    "database": ("POSTGRES_DB", "MYSQL_DATABASE", "MARIADB_DATABASE"),
}
_URL = re.compile(r"^(?:jdbc:)?(?:postgres(?:ql)?|mysql|mariadb|mongodb)(?:\+\w{1,30})?://", re.IGNORECASE)
_OPEN = re.compile(r"\$|<|\{\{|tpl-")
_FILLED_IN = re.compile(r"change|your|example|xxx|placeholder|replace|todo|dummy", re.IGNORECASE)
_ROOT = frozenset({"root", "postgres"})


class _Login(NamedTuple):
    host: str
    parts: dict[str, str]


def check(facts: Facts) -> Iterator[Finding]:
    """One finding per database and setting: first those in a cluster, then the passwords of compose files."""
    for workload in facts.workloads:
        if workload.patch:
            continue
        for container in workload.containers:
            if container.image and datastore_of(container.image.repository) in (
                "postgres",
                "mysql",
                "mariadb",
                "mongodb",
            ):
                yield from _in_cluster(facts, workload, container)
    for file in facts.compose:
        for database in file.services:
            if not database.image or not datastore_of(database.image.repository):
                continue
            given = {item.name: Held(item.value, item.place) for item in database.env if item.value and not item.refs}
            urls = [
                (item.name, Held(item.value, item.place))
                for client in file.services
                for item in client.env
                if item.value and not item.refs and item.origin != "envfile"
            ]
            names = set(database.names)
            yield from _compare(database.name, names, given, urls, ("password",), frozenset())


def _in_cluster(facts: Facts, workload: Workload, container: Container) -> Iterator[Finding]:
    """The settings of one database against every URL of its group that leads to it."""
    given: dict[str, Held] = dict(taken_whole(facts, container, workload.group))
    for item in container.env:
        held = held_by(facts, item, workload.group)
        if len({one.text for one in held}) == 1:
            given[item.name] = held[0]
    urls = [
        (key, held)
        for item in facts.objects
        if item.kind in ("ConfigMap", "Secret") and item.group == workload.group
        for key, held in values_of(item)
    ]
    for other in facts.workloads:
        if other.group == workload.group:
            for one in other.containers:
                urls += [(item.name, Held(item.value, item.place)) for item in one.env if item.value and not item.refs]
    yield from _compare(workload.name, names_of(facts, workload), given, urls, tuple(_SETTINGS), facts.databases)


def _compare(  # noqa: PLR0913, PLR0917 - a database has several sides
    name: str,
    hosts: set[str],
    given: dict[str, Held],
    urls: list[tuple[str, Held]],
    wanted: tuple[str, ...],
    made: frozenset[str],
) -> Iterator[Finding]:
    for what in wanted:
        server = next((given[one] for one in _SETTINGS[what] if one in given), None)
        if server is None or not server.text or _OPEN.search(server.text):
            continue
        places: list[tuple[Place, str]] = []
        logins = [(variable, held, _login(held.text)) for variable, held in urls]
        written = {login.parts[what] for _, _, login in logins if login and login.host in hosts}
        if what != "password" and (len(written) > 1 or written & made):
            continue  # several services with databases and users of their own
        for variable, held, login in logins:
            if login is None or login.host not in hosts or not _differs(what, login.parts, server.text):
                continue
            shown = f"another password, in {variable}" if what == "password" else login.parts[what]
            places.append((held.place, shown))
        if places:
            shown = "the server's password" if what == "password" else server.text
            yield RULE.finding(
                f"{name} has another {what} than the URLs that lead to it",
                [(server.place, shown), *places],
                severity="high" if what == "password" else "medium",
                confidence="medium" if _FILLED_IN.search(server.text) else "high",
            )


def _differs(what: str, parts: dict[str, str], server: str) -> bool:
    """Whether a part of a URL is another than the server's; a part that is to be filled in says nothing."""
    written = parts.get(what, "")
    if not written or written == server or _OPEN.search(written) or _FILLED_IN.search(written):
        return False
    return not (what == "user" and written in _ROOT) and not (what == "password" and parts.get("user") == "root")


def _login(text: str) -> _Login | None:
    """The host and the login of a database's URL."""
    if not _URL.match(text) or len(text) > 1000:
        return None
    try:
        parts = urlsplit(text.removeprefix("jdbc:"))
        host = (parts.hostname or "").split(".", 1)[0]
    except ValueError:
        return None
    return _Login(
        host,
        {
            "user": unquote(parts.username or ""),
            "password": unquote(parts.password or ""),
            "database": parts.path.strip("/").split("?")[0],
        },
    )


RULE = Rule(
    module=__name__,
    severity="high",
    area="Environment Variables Consistency",
    title="A connection URL does not hold the login that the database was given",
    what="Compares the user, password and database of connection URLs in ConfigMaps, Secrets and manifests with what "
    "the database's own container is given there, by way of the Service that leads to it; and the passwords of URLs in "
    "compose files with the database's. Values are compared and never shown. Parts that are to be filled in are left "
    "out.",
    why="The server refuses the login, or the service works on a database that nobody made.",
    example="""kind: Secret:    POSTGRES_PASSWORD: 9f21c4…
kind: ConfigMap: DATABASE_URL: postgresql://app:app@postgres:5432/app""",
    remedy="Keep the login in one Secret, and build the URL from it in the container (`$(POSTGRES_PASSWORD)`).",
    check=check,
)
