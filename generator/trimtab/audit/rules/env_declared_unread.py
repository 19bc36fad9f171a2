"""A file sets a variable that nothing reads."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

from trimtab.audit.facts.envnames import BUNDLED, public_prefix
from trimtab.audit.facts.model import EnvFile, EnvVar, Facts, Service
from trimtab.audit.facts.products import is_third_party
from trimtab.audit.finding import Finding, Rule
from trimtab.errors import some

# Read by runtimes, frameworks, servers and images themselves.
_READ_BY_TOOLS = re.compile(
    r"^(?:PATH|HOME|TZ|LANG|LC_\w+|PORT|HOST|NODE_\w+|npm_\w+|NPM_\w+|YARN_\w+|PNPM_\w+|PYTHON\w+|PIP_\w+|UV_\w+|VIRTUAL_ENV|RUST_\w+|CARGO_\w+|RUSTFLAGS|GO\w+|"
    r"CGO_\w+|JAVA_\w+|JVM_\w+|SPRING_\w+|SERVER_\w+|MANAGEMENT_\w+|LOGGING_\w+|EUREKA_\w+|ASPNETCORE_\w+|DOTNET_\w+|ConnectionStrings\w*|\w{1,100}?__\w+|RAILS_\w+|RACK_\w+|BUNDLE_\w+|"
    r"SECRET_KEY_BASE|DJANGO_\w+|FLASK_\w+|GUNICORN_\w+|UVICORN_\w+|WEB_CONCURRENCY|CELERY\w*|C_FORCE_ROOT|APP_\w+|LOG_\w+|"
    r"NEXT_\w+|NUXT_\w+|NITRO_\w+|VITE_\w+|REACT_APP_\w+|PUBLIC_\w+|OTEL_\w+|SENTRY_\w+|DD_\w+|NEW_RELIC_\w+|PROMETHEUS_\w+|COMPOSE_\w+|DOCKER_\w+|BUILDKIT\w*|"
    r"POSTGRES_\w+|PG\w+|MYSQL_\w+|MARIADB_\w+|MONGO_INITDB_\w+|RABBITMQ_\w+|TRAEFIK_\w+|CHOKIDAR_\w+|WATCHPACK_\w+|DEBIAN_FRONTEND|TERM|TEST(?:ING|_\w+)|HF_\w+|DISABLE_\w+|"
    r"DATABASE_URL|DIRECT_URL|SQLX_\w+|HTTPS?_PROXY|NO_PROXY|AWS_\w+|S3_\w+|GOOGLE_\w+|AZURE_\w+|MIX_ENV|PHX_\w+|ERL_\w+|RELEASE_\w+|ROCKET_\w+|PHP_\w+|HOSTNAME|DOMAIN|STACK_NAME|TAG|CI|DEBUG|ENV)$"
)
_OF_BUNDLERS = frozenset({"VITE_USER_NODE_ENV", "VITE_CJS_IGNORE_WARNING", "VITE_CJS_TRACE"})
_OF_IMAGES = re.compile(r"^(?:POSTGRES|PG|MYSQL|MARIADB|MONGO|REDIS|RABBITMQ|MINIO|GF)_")


# Frameworks whose settings are read under names that the source never spells.
_BY_NAME = ("spring", "quarkus", "aspnet", "laravel", "symfony")


def check(facts: Facts) -> Iterator[Finding]:
    """One finding per service, with every variable that is set for it and read by nothing."""
    if not facts.reads:
        return
    used = {read.name for read in facts.reads}
    used |= {ref for container in facts.containers for item in container.env for ref in item.refs}
    used |= {item.source[2] for container in facts.containers for item in container.env if item.source}
    used |= {ref for container in facts.containers for port in container.ports for ref in port.host_refs}
    given = {  # to others, which a file for several may be for
        item.name
        for container in facts.containers
        if container.image and is_third_party(container.image.repository) and not container.build
        for item in container.env
        if item.origin != "envfile" or _OF_IMAGES.match(item.name)
    }
    given |= facts.mentioned
    used |= {word for command in facts.commands for word in re.findall(r"[A-Z][A-Z0-9_]{2,}", command.text)}
    used |= {word for container in facts.containers for word in re.findall(r"[A-Z][A-Z0-9_]{2,}", container.command)}
    yield from _bundled(facts, used)
    told: set[str] = set()
    for service in facts.services:
        if service.root is None or len({read.name for read in service.reads}) < 4 or service.framework in _BY_NAME:
            continue
        unread: dict[str, list[EnvVar]] = defaultdict(list)
        beside = _beside(service, facts, used | given)
        told |= {file.path for file in beside}
        shared = (item for file in beside for item in file.variables if item.name not in facts.spelled)
        for item in (*_given(service), *shared):
            known = used | given if item.origin == "envfile" else used
            if item.name not in known and not _READ_BY_TOOLS.match(item.name):
                unread[item.name].append(item)
        if unread:
            yield RULE.finding(
                f"{service.name} is given {len(unread)} variable{'s' if len(unread) > 1 else ''} that nothing reads: {some(sorted(unread), 6)}",  # noqa: E501
                list(dict.fromkeys((item.name_place, name) for name in sorted(unread) for item in unread[name])),
                service=service.name,
                confidence="low",
            )
    if not any(service.framework in _BY_NAME for service in facts.services):
        yield from _shared(facts, used | given, told)


def _bundled(facts: Facts, used: set[str]) -> Iterator[Finding]:
    """One finding per service, with the public variables of a bundler that it is given and its source does not spell,
    beside others of that prefix that the source does.
    """
    read = {prefix: {name for name in facts.bundled if name.startswith(prefix)} for prefix in BUNDLED}
    used = used | {ref for file in facts.env_files for item in file.variables for ref in item.refs}
    for service in facts.services:
        built = (item for one in service.containers if one.build for item in one.build.args)
        unread: dict[str, list[EnvVar]] = defaultdict(list)
        for item in (*_given(service), *built) if service.root is not None else ():
            prefix = public_prefix(item.name)
            known = read.get(prefix, set())
            if known and prefix not in known and item.name not in known | used and item.name not in _OF_BUNDLERS:
                unread[item.name].append(item)
        if unread:
            yield RULE.finding(
                f"{service.name} is given {some(sorted(unread), 6)}, which its source does not read",
                list(dict.fromkeys((item.name_place, name) for name in sorted(unread) for item in unread[name])),
                service=service.name,
                confidence="medium" if len(unread) < 3 else "low",
            )


def _shared(facts: Facts, used: set[str], told: set[str]) -> Iterator[Finding]:
    """Variables of env files that serve no one service; those in `told` are compared with one already."""
    owned = {file.path for service in facts.services for file in service.env_files}
    given = {item.place.path for container in facts.containers for item in container.env if item.origin == "envfile"}
    if len({read.name for read in facts.reads}) < 4:
        return
    for file in facts.env_files:
        unread = [
            item
            for item in file.variables
            if item.name not in used | facts.spelled and not _READ_BY_TOOLS.match(item.name)
        ]
        if file.path in owned | given | told or not unread or not _serves(file, used):
            continue
        shown = list(dict.fromkeys(item.name for item in unread))
        yield RULE.finding(
            f"{file.path} sets {len(shown)} variable{'s' if len(shown) > 1 else ''} that nothing reads: "
            f"{some(shown, 6)}",
            [(item.place, item.name) for item in unread],
            confidence="low",
        )


def _serves(file: EnvFile, used: set[str]) -> bool:
    """Whether much of a file is read: else it belongs to something else than the source here."""
    names = {item.name for item in file.variables}
    return len(names & used) >= len(names) / 2


def _beside(service: Service, facts: Facts, used: set[str]) -> list[EnvFile]:
    """The env files that are not a service's own and can be for no other, since no other reads any variables."""
    if any(other.reads for other in facts.services if other is not service):
        return []
    return [file for file in facts.env_files if file not in service.env_files and _serves(file, used)]


def _given(service: Service) -> Iterator[EnvVar]:
    """What a service is given by containers and its env files."""
    own = {file.path for file in service.env_files}
    for container in service.containers:
        yield from (item for item in container.env if item.place.path not in own)
    for file in service.env_files:
        yield from file.variables


RULE = Rule(
    module=__name__,
    severity="low",
    area="Environment Variables Consistency",
    title="A file sets a variable that nothing reads",
    what="Compares the variables set for a service, and those of env files that belong to none, with those that the "
    "repository's source, scripts and commands read. Variables of runtimes, "
    "frameworks and images are left out, but for the public ones of bundlers, which only their own source reads. Confidence is low, since a library may read a name that the source never spells.",  # noqa: E501
    why="It looks like a setting, and changing it changes nothing; often it is the old name of one that is read.",
    example="docker-compose.yml: ENABLE_LEGACY_MODE: true   # removed from the source last year",
    remedy="Remove it, or correct its name.",
    check=check,
)
