"""A deployed service has migrations that nothing runs."""

from __future__ import annotations

import re
from collections.abc import Iterator

from trimtab.audit.facts.model import Command, Facts, Place, Service
from trimtab.audit.facts.query import migration_runs
from trimtab.audit.finding import Finding, Rule

# Tools that run only when somebody calls them; others run when the program starts, as far as that can be told.
_CALLED = frozenset({"alembic", "django", "prisma", "diesel"})
_BY_HAND = re.compile(r"migrat|prisma|alembic|(?:^|[:_-])db(?:[:_-]|$)|database|upgrade", re.IGNORECASE)
_CALLS_SCRIPT = re.compile(r"\b(?:npm|pnpm|yarn|bun|make|just|task|poe|pdm|hatch)\s[^\n;&|]{0,200}")


def check(facts: Facts) -> Iterator[Finding]:
    """One finding per directory of migrations, of services that compose files or manifests start."""
    if facts.migrators or _automatic(facts):
        return
    created = {call.place.path for call in facts.schema_calls}
    for one in facts.migrations:
        owners = [
            service
            for service in facts.services
            if service.root is not None and service.containers and _within(one.path, service.root)
        ]
        deepest = max((len(service.root or "") for service in owners), default=0)
        services = [service for service in owners if len(service.root or "") == deepest]
        if one.tool not in _CALLED or not services or any(_within(path, services[0].root or "") for path in created):
            continue
        yield RULE.finding(
            f"Nothing runs the migrations in {one.path}",
            [(one.place, f"migrations: {one.tool}"), *_started(services)],
            service=services[0].name,
            confidence="medium",
        )


def _within(path: str, root: str) -> bool:
    return not root or path.startswith(f"{root}/")


def _started(services: list[Service]) -> list[tuple[Place, str]]:
    """Where the services are started, at most one place in each file."""
    places: dict[str, tuple[Place, str]] = {}
    for service in services:
        for container in service.containers:
            places.setdefault(container.place.path, (container.place, f"starts {service.name} without them"))
    return list(places.values())


def _automatic(facts: Facts) -> bool:
    """Whether a command that is not called by hand alone, or the source, runs migrations."""
    if any(call.action == "up" for call in facts.schema_calls):
        return True
    runs = [command for command, _, action in migration_runs(facts) if action == "up"]
    if any(_runs_itself(command) for command in runs):
        return True
    by_hand = {command.job for command in runs if command.job}
    return any(
        re.search(rf"(?<![\w:-]){re.escape(name)}(?![\w:-])", call)
        for command in facts.commands
        if command.context != "makefile"
        for call in _CALLS_SCRIPT.findall(command.text)
        for name in by_hand
        if command.job != name
    )


def _runs_itself(command: Command) -> bool:
    """Whether a command is not only there for somebody to call: the scripts of packages and the targets of Makefiles
    are, when their names speak of migrations.
    """
    if command.context == "makefile":
        return False
    return command.context != "package" or not _BY_HAND.search(command.job)


RULE = Rule(
    module=__name__,
    severity="medium",
    area="Database Migration Strategy",
    title="A deployed service has migrations that nothing runs",
    what="Looks for migrations of tools that run only when called (Alembic, Django, Prisma, Diesel) beside compose "
    "files or manifests that start the service, where no workflow, script, image, manifest or source calls the tool. A "
    "Makefile's target or a package's own migration script alone is a call by hand.",
    why="A new environment starts against an empty database, and an old one keeps the schema of the last time somebody "
    "thought of it.",
    example="""k8s/api.yaml:     kind: Deployment   # and no Job, init container or step that migrates
alembic/versions/: 3f1c_initial.py""",
    remedy="Run the migrations in a Job or step before the new version starts, and let its failure stop the release.",
    check=check,
)
