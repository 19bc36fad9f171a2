"""An env file that a container gets names a datastore at localhost."""

from __future__ import annotations

import re
from collections.abc import Iterator

from trimtab.audit.facts.model import ComposeFile, Container, EnvVar, Facts
from trimtab.audit.facts.products import DEFAULT_PORT, datastore_of
from trimtab.audit.facts.text import DEFAULT_PORTS, directory_of, urls
from trimtab.audit.finding import Finding, Rule

_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
_HOST = re.compile(
    r"(?:^|_)(DB|DATABASE|POSTGRES|POSTGRESQL|PG|MYSQL|MARIADB|REDIS|CACHE|MONGO|MONGODB|RABBITMQ)_?HOST$"
)
_MEANS = {
    "DB": ("postgres", "mysql", "mariadb"),
    "DATABASE": ("postgres", "mysql", "mariadb"),
    "POSTGRES": ("postgres",),
    "POSTGRESQL": ("postgres",),
    "PG": ("postgres",),
    "MYSQL": ("mysql", "mariadb"),
    "MARIADB": ("mysql", "mariadb"),
    "REDIS": ("redis", "valkey"),
    "CACHE": ("redis", "valkey", "memcached"),
    "MONGO": ("mongodb",),
    "MONGODB": ("mongodb",),
    "RABBITMQ": ("rabbitmq",),
}


def check(facts: Facts) -> Iterator[Finding]:
    """One finding per compose service."""
    read = {one.name for one in facts.reads}
    for file in facts.compose:
        stores = {name: one for one in file.services if (name := _product(one))}
        for service in file.services if stores and not file.override else ():
            if service.network_mode == "host" or service.partial or _product(service):
                continue
            found = [
                (item, store)
                for item in service.env
                if item.origin == "envfile" and item.name in read and not _given_elsewhere(item, service, file, facts)
                for store in [_asked(item, stores)]
                if store is not None
            ]
            if found:
                names = ", ".join(dict.fromkeys(item.name for item, _ in found))
                example = all(item.environment == "example" for item, _ in found)
                yield RULE.finding(
                    f"{service.name} is given {names} at localhost by its env file, which is the container itself",
                    [
                        *((item.place, f"{item.name} at localhost") for item, _ in found),
                        *((place, service.name) for _, place in service.env_files),
                        *dict.fromkeys((store.place, store.name) for _, store in found),
                    ],
                    service=service.name,
                    severity="medium" if example else "high",
                    confidence="medium",
                )


def _product(container: Container) -> str:
    return datastore_of(container.image.repository) if container.image and not container.build else ""


def _asked(item: EnvVar, stores: dict[str, Container]) -> Container | None:
    """The datastore beside the service that a variable means and does not reach."""
    value = item.value or ""
    name = _HOST.search(item.name)
    if name and value in _LOCAL:
        return next((stores[one] for one in _MEANS[name[1]] if one in stores), None)
    for scheme, host, port, _ in urls(value):
        number = port or DEFAULT_PORTS.get(scheme)
        if host in _LOCAL:
            return next(
                (
                    one
                    for product, one in stores.items()
                    if scheme not in ("http", "https")
                    and (DEFAULT_PORT.get(product) == number or any(str(number) == opened.host for opened in one.ports))
                    and DEFAULT_PORTS.get(scheme) == DEFAULT_PORT.get(product)
                ),
                None,
            )
    return None


def _given_elsewhere(item: EnvVar, service: Container, file: ComposeFile, facts: Facts) -> bool:
    """Whether a file that compose lays over this one gives the service the variable."""
    return any(
        one.name == service.name
        and other.path != file.path
        and directory_of(other.path) == directory_of(file.path)
        and any(given.name == item.name and given.origin != "envfile" for given in one.env)
        for other in facts.compose
        for one in other.services
    )


RULE = Rule(
    module=__name__,
    severity="high",
    area="Docker Configuration",
    title="An env file gives a container the address of a datastore at localhost",
    what="Looks for compose services whose env file (or, where git leaves that out, the example beside it) holds "
    "datastore URLs or hosts at `localhost` that the source reads and compose does not set otherwise, beside a "
    "container of that datastore.",
    why="Inside a container localhost is the container itself, so the connection is refused as soon as somebody copies "
    "the example.",
    example="""docker-compose.yml: { api: { build: ., env_file: .env }, postgres: { image: postgres:17 } }
.env.example:       POSTGRES_HOST=localhost""",
    remedy="Set the host in the compose file's `environment`, which comes before the env file.",
    check=check,
)
