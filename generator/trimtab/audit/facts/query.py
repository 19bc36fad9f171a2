"""Questions that several rules ask of the facts."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import TypeVar

from trimtab.audit.facts.commands import migration_of
from trimtab.audit.facts.model import Command, Container, EnvVar, Facts, Job, Place, Service, Workflow
from trimtab.audit.facts.products import datastore_of, is_third_party

P = TypeVar("P", Command, Container)
_WORDS = re.compile(r"[\w.@%+-]+")


def built_services(facts: Facts) -> list[Service]:
    """Services that the repository builds or has source for."""
    return [
        service
        for service in facts.services
        if service.root is not None or any(one.build for one in service.containers)
    ]


def datastores(facts: Facts, *products: str) -> list[Service]:
    """Services that are one of the given datastores, or any datastore."""
    from trimtab.audit.facts.products import DATASTORES

    wanted = products or tuple(DATASTORES)
    return [service for service in facts.services if service.role in wanted]


def own_variables(facts: Facts) -> Iterator[tuple[EnvVar, str]]:  # noqa: C901
    """Variables that are set for the repository's own services, each with the service's name ("" for shared
    env files).

        Variables of published images (POSTGRES_PASSWORD and the like) are those images' own and are left out.
    """
    seen: set[tuple[str, Place]] = set()
    for service in facts.services:
        for container in service.containers:
            if container.image and is_third_party(container.image.repository) and not container.build:
                continue
            for item in (*container.env, *(container.build.args if container.build else ())):
                if (item.name, item.place) not in seen:
                    seen.add((item.name, item.place))
                    yield item, service.name
        for dockerfile in service.dockerfiles:
            for item in dockerfile.env:
                yield item, service.name
    owned = env_file_owners(facts)
    for file in facts.env_files:
        for item in file.variables:
            if (item.name, item.place) not in seen:
                yield item, owned.get(file.path, "")


def commands_of(facts: Facts, workflow: Workflow, job: Job) -> list[Command]:
    """The command lines of one job."""
    return [
        one
        for one in facts.commands
        if one.context == "workflow" and one.place.path == workflow.path and one.job == job.id
    ]


def commands_by_path(facts: Facts) -> dict[str, list[Command]]:
    """The commands of each file."""
    return facts.once("commands by path", lambda: _by_path(facts.commands))


def is_called(script: str, facts: Facts) -> bool:
    """Whether a command of another file, or a container, names a script."""
    named: dict[str, set[str]] = facts.once("files by name", lambda: _named_files(facts))
    mounted: frozenset[str] = facts.once(
        "mounted", lambda: frozenset(mount.source for one in facts.containers for mount in one.mounts)
    )
    return script in mounted or bool(named.get(script.rsplit("/", 1)[-1], set()) - {script})


def _named_files(facts: Facts) -> dict[str, set[str]]:
    """By the last part of each path that a command names, the files that it stands in; one search for all scripts."""
    found: dict[str, set[str]] = defaultdict(set)
    texts = [(one.place.path, one.text) for one in facts.commands]
    texts += [("", one.command) for one in facts.containers]
    for path, text in texts:
        for word in _WORDS.findall(text):
            if "." in word:
                found[word].add(path)
    return found


def containers_by_path(facts: Facts) -> dict[str, list[Container]]:
    """The containers of each file."""
    return facts.once("containers by path", lambda: _by_path(facts.containers))


def _by_path(items: Iterable[P]) -> dict[str, list[P]]:
    found: dict[str, list[P]] = defaultdict(list)
    for item in items:
        found[item.place.path].append(item)
    return found


def compose_paths(facts: Facts) -> frozenset[str]:
    """The paths of the compose files."""
    return facts.once("compose paths", lambda: frozenset(file.path for file in facts.compose))


def env_file_owners(facts: Facts) -> dict[str, str]:
    """By the path of an env file, the name of the service that it is for."""
    return {file.path: service.name for service in facts.services for file in service.env_files}


def deploy_jobs(facts: Facts) -> Iterator[tuple[Workflow, Job]]:
    """The jobs that deploy."""
    for workflow in facts.workflows:
        for job in workflow.jobs:
            if "deploy" in job.kinds:
                yield workflow, job


def migration_runs(facts: Facts) -> list[tuple[Command, str, str]]:
    """Every command that migrates or reports on a schema: (command, tool, action)."""

    def find() -> list[tuple[Command, str, str]]:
        return [(command, *run) for command in facts.commands if (run := migration_of(command)) is not None]

    return facts.once("migration runs", find)


def is_datastore(container: Container) -> bool:
    """Whether a container is a datastore's."""
    return container.image is not None and bool(datastore_of(container.image.repository))


def first_per_value(places: Iterable[tuple[Place, str]]) -> list[tuple[Place, str]]:
    """The places in path order, without repeats."""
    return sorted(set(places), key=lambda item: (item[0].path, item[0].line, item[1]))
