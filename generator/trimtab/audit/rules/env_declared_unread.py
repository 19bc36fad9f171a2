"""A file sets a variable that nothing reads."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

from trimtab.audit.facts.model import EnvVar, Facts, Service
from trimtab.audit.finding import Finding, Rule

# Read by runtimes, frameworks, servers and images themselves.
_READ_BY_TOOLS = re.compile(
    r"^(?:PATH|HOME|TZ|LANG|LC_\w+|PORT|HOST|NODE_\w+|npm_\w+|NPM_\w+|YARN_\w+|PNPM_\w+|PYTHON\w+|PIP_\w+|UV_\w+|VIRTUAL_ENV|RUST_\w+|CARGO_\w+|RUSTFLAGS|GO\w+|"
    r"CGO_\w+|JAVA_\w+|JVM_\w+|SPRING_\w+|SERVER_\w+|MANAGEMENT_\w+|LOGGING_\w+|EUREKA_\w+|ASPNETCORE_\w+|DOTNET_\w+|ConnectionStrings\w*|\w{1,100}?__\w+|RAILS_\w+|RACK_\w+|BUNDLE_\w+|"
    r"SECRET_KEY_BASE|DJANGO_\w+|FLASK_\w+|GUNICORN_\w+|UVICORN_\w+|WEB_CONCURRENCY|CELERY\w*|C_FORCE_ROOT|APP_\w+|LOG_\w+|DB_\w+|CACHE_\w+|SESSION_\w+|QUEUE_\w+|MAIL_\w+|"
    r"NEXT_\w+|NUXT_\w+|NITRO_\w+|VITE_\w+|REACT_APP_\w+|PUBLIC_\w+|OTEL_\w+|SENTRY_\w+|DD_\w+|NEW_RELIC_\w+|PROMETHEUS_\w+|COMPOSE_\w+|DOCKER_\w+|BUILDKIT\w*|"
    r"POSTGRES_\w+|PG\w+|MYSQL_\w+|MARIADB_\w+|MONGO_\w+|REDIS_\w+|RABBITMQ_\w+|TRAEFIK_\w+|CHOKIDAR_\w+|WATCHPACK_\w+|DEBIAN_FRONTEND|TERM|DISABLE_\w+|"
    r"DATABASE_URL|DIRECT_URL|SQLX_\w+|HTTPS?_PROXY|NO_PROXY|AWS_\w+|S3_\w+|GOOGLE_\w+|AZURE_\w+|MIX_ENV|PHX_\w+|ERL_\w+|RELEASE_\w+|ROCKET_\w+|PHP_\w+|BROADCAST_\w+|HOSTNAME|DOMAIN|STACK_NAME|TAG|CI|DEBUG|ENV)$"
)


def check(facts: Facts) -> Iterator[Finding]:
    """One finding per service, with every variable that is set for it and read by nothing."""
    if not facts.reads:
        return
    used = {read.name for read in facts.reads}
    used |= {ref for container in facts.containers for item in container.env for ref in item.refs}
    used |= {item.source[2] for container in facts.containers for item in container.env if item.source}
    used |= {ref for container in facts.containers for port in container.ports for ref in port.host_refs}
    used |= {word for command in facts.commands for word in re.findall(r"[A-Z][A-Z0-9_]{2,}", command.text)}
    used |= {word for container in facts.containers for word in re.findall(r"[A-Z][A-Z0-9_]{2,}", container.command)}
    for service in facts.services:
        if (
            service.root is None
            or len({read.name for read in service.reads}) < 4
            or service.framework in ("spring", "quarkus", "aspnet", "laravel", "symfony")
        ):
            continue
        unread: dict[str, list[EnvVar]] = defaultdict(list)
        for item in _given(service):
            if item.name not in used and not _READ_BY_TOOLS.match(item.name):
                unread[item.name].append(item)
        if unread:
            yield RULE.finding(
                f"{service.name} is given {len(unread)} variable{'s' if len(unread) > 1 else ''} that nothing reads: {', '.join(sorted(unread)[:6])}",  # noqa: E501
                [(item.name_place, name) for name in sorted(unread) for item in unread[name]],
                service=service.name,
                confidence="low",
            )


def _given(service: Service) -> Iterator[EnvVar]:
    for container in service.containers:
        yield from (item for item in container.env if item.origin != "envfile")
    for file in service.env_files:
        yield from file.variables


RULE = Rule(
    module=__name__,
    severity="low",
    area="Environment Variables Consistency",
    title="A file sets a variable that nothing reads",
    what="Compares the variables set for a service with those that the repository's source, scripts "
    "and commands read. Variables of runtimes, "
    "frameworks and images are left out. Confidence is low, since a library may read a name that the source never spells.",  # noqa: E501
    why="It looks like a setting, and changing it changes nothing; often it is the old name of one that is read.",
    example="docker-compose.yml: ENABLE_LEGACY_MODE: true   # removed from the source last year",
    remedy="Remove it, or correct its name.",
    check=check,
)
