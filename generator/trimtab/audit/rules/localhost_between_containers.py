"""A container is told to reach another one at localhost."""

from __future__ import annotations

import re
from collections.abc import Iterator

from trimtab.audit.facts.forms import given_otherwise
from trimtab.audit.facts.model import Container, EnvRead, Facts, Place
from trimtab.audit.facts.products import DEFAULT_PORT, datastore_of
from trimtab.audit.facts.query import containers_by_path
from trimtab.audit.facts.text import DEFAULT_PORTS, urls
from trimtab.audit.finding import Finding, Rule

_LOCAL = frozenset({"localhost", "127.0.0.1", "0.0.0.0", "::1"})  # noqa: S104 - a value to look for
_OUTWARD = re.compile(
    r"CORS|ORIGIN|PUBLIC|FRONTEND|CLIENT|^VITE_|^REACT_APP_|^NEXT_|^NUXT_|CALLBACK|REDIRECT|NEXTAUTH|SITE|BASE_?URL|APP_?URL|ALLOWED|BROWSER|EXTERNAL|ADVERTISED|LISTENER|DOMAIN|SERVER_?NAME|ROOT_?URL|ISSUER|HOSTNAME|ASPNETCORE_URLS|^URL$|WEB_?URL|WEBAPP",
    re.IGNORECASE,
)
_SCHEMES = frozenset(
    {"postgres", "postgresql", "redis", "rediss", "mysql", "mariadb", "mongodb", "amqp", "kafka", "nats"}
)

_ADDRESS = re.compile(r"(?:ADDR|ADDRESS|HOST|SERVERS?|BROKERS?|ENDPOINT|URL|URI)$", re.IGNORECASE)


def check(facts: Facts) -> Iterator[Finding]:
    """One finding per container."""
    for container in facts.containers:
        if container.network_mode == "host" or container.init:
            continue
        if container.origin == "kubernetes" and _has_sidecar(container, facts):
            continue
        siblings = [one for one in containers_by_path(facts)[container.place.path] if one is not container]
        places = list(_local(container, siblings)) if siblings else []
        if places:
            yield RULE.finding(
                f"{container.workload or container.name} reaches {', '.join(dict.fromkeys(name for _, name, _ in places))} at localhost, which is itself",  # noqa: E501
                [(place, value) for place, _, value in places],
                service=container.name,
                severity="high"
                if any(not value.startswith(("http", "ws", "grpc")) for _, _, value in places)
                else "medium",
            )
    yield from _fallbacks(facts)


def _fallbacks(facts: Facts) -> Iterator[Finding]:
    """Addresses at localhost that the source takes where a compose service is not given another one."""
    for service in facts.services:
        built = {item.name for dockerfile in service.dockerfiles for item in dockerfile.env}
        for container in service.containers if service.root is not None else ():
            files = {item.place.path for item in container.env if item.origin == "envfile"}
            if container.origin != "compose" or container.partial or len(files) < len(container.env_files):
                continue
            siblings = [one for one in containers_by_path(facts)[container.place.path] if one is not container]
            given = {item.name for item in container.env} | built | given_otherwise(service, container.env, facts)
            parts = {name.partition("_")[0] for name in given & {read.name for read in service.reads}}
            lacking = [
                read
                for read in service.reads
                # REDIS_HOST may be given in place of REDIS_URL
                if not {read.name, read.name.partition("_")[0]} & (given | parts)
                and _asks_itself(read, container, siblings)
            ]
            if lacking and container.network_mode != "host":
                names = list(dict.fromkeys(read.name for read in lacking))
                yield RULE.finding(
                    f"{container.name} is not given {', '.join(names)}, so that it asks localhost, which is itself",
                    [
                        *((container.place, f"not set: {name}") for name in names),
                        *((read.place, f"{read.name}: {read.default}") for read in lacking),
                    ],
                    service=service.name,
                    severity="medium",
                    confidence="medium",
                )


def _asks_itself(read: EnvRead, container: Container, siblings: list[Container]) -> bool:
    """Whether the default of a variable is the address at localhost of another container."""
    own = {port.number for port in container.ports}
    return any(
        host in _LOCAL and number not in own and not _OUTWARD.search(read.name) and _opens(siblings, number)
        for scheme, host, port, _ in urls(read.default or "")
        if (number := port or DEFAULT_PORTS.get(scheme))
    )


def _has_sidecar(container: Container, facts: Facts) -> bool:
    """Whether another container of the pod, such as a database proxy, can be what is meant by localhost."""
    return any(
        one.workload == container.workload
        and one.place.path == container.place.path
        and one is not container
        and not one.init
        and one.name != container.name
        for one in containers_by_path(facts)[container.place.path]
    )


def _local(container: Container, siblings: list[Container]) -> Iterator[tuple[Place, str, str]]:
    own = {port.number for port in container.ports}
    for item in container.env:
        written = item.value or item.outline
        if not written or item.origin == "envfile":
            continue
        for scheme, host, port, _ in [*urls(written), *_address(item.name, written)]:
            number = port or DEFAULT_PORTS.get(scheme)
            if host not in _LOCAL or number in own:
                continue
            if scheme in _SCHEMES or (
                scheme in ("http", "ws", "grpc") and not _OUTWARD.search(item.name) and _opens(siblings, number)
            ):
                yield item.place, item.name, f"{scheme}://{host}:{number}"
        if item.value in _LOCAL - {"0.0.0.0"} and re.search(  # noqa: S104
            r"(?:DB|DATABASE|POSTGRES|PG|REDIS|MYSQL|MONGO|RABBITMQ|KAFKA|CACHE)_?HOST", item.name
        ):
            yield item.place, item.name, item.value


def _address(name: str, value: str) -> list[tuple[str, str, int, str]]:
    """The address of a datastore that is written as host and port, in the form of a URL's parts."""
    match = re.fullmatch(r"(localhost|127\.0\.0\.1):(\d{2,5})", value)
    scheme = next((one for one, port in DEFAULT_PORTS.items() if match and port == int(match[2])), "")
    return [(scheme, match[1], int(match[2]), "")] if match and scheme in _SCHEMES and _ADDRESS.search(name) else []


def _opens(containers: list[Container], number: int | None) -> bool:
    for one in containers:
        product = datastore_of(one.image.repository) if one.image else ""
        if number and (
            number in {port.number for port in one.ports}
            or DEFAULT_PORT.get(product) == number
            or str(number) in {port.host for port in one.ports}
        ):
            return True
    return False


RULE = Rule(
    module=__name__,
    severity="high",
    area="Docker Configuration",
    title="A container reaches another one at localhost",
    what="""Looks for database and service URLs with the host `localhost` in the variables of containers
that have siblings, and for those that the source takes when a compose service is not given the variable.
Addresses that are meant for a browser (CORS origins, public URLs) and containers on the host's network are left
out.""",
    why="Inside a container localhost is the container itself, so the connection is refused.",
    example="DATABASE_URL: postgresql://app@localhost:5432/app   # the database is the service `postgres`",
    remedy="Use the other service's name as the host.",
    check=check,
)
