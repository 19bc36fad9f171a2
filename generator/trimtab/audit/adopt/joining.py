"""Services as adoption takes them: those of the facts, joined where the whole repository shows that several are one.

The facts keep apart what no file alone says belongs together. One settings file must decide: a workload whose image no
file here builds is the one program that is built here; the same folder under another name is the same program.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from trimtab.audit.adopt.model import brief_list, shown
from trimtab.audit.facts import model as m
from trimtab.audit.facts.commands import migration_of
from trimtab.audit.facts.frameworks import FRONTENDS
from trimtab.audit.facts.naming import environment_of, is_auxiliary
from trimtab.audit.facts.products import DATASTORES, is_third_party, product_of_image
from trimtab.audit.facts.servicenames import tokens

_HELPER = re.compile(r"(?:^|[-_])(?:migrat\w*|prestart|init|seed\w*|setup|db-?push|schema)$")
_WORKER = frozenset(
    {"worker", "workers", "celery", "queue", "jobs", "cron", "scheduler", "beat", "consumer", "sidekiq"}
)
_FRONT = frozenset({"frontend", "front", "web", "ui", "client", "webapp", "site", "dashboard", "spa", "react", "next"})
_BACK = frozenset({"backend", "back", "api", "server", "fastapi", "django", "flask", "express", "rails", "spring"})
_NUMBERED = re.compile(r"(.+?)[-_]?\d{1,3}")
# What a Dockerfile's ending says of the same program, rather than that it is another one.
_STAGES = frozenset(
    {"dockerfile", "containerfile", "dev", "develop", "development", "local", "prod", "production", "staging", "debug"}
)
_RUNTIMES = {
    "cargo": {"rust"},
    "node": {"node", "bun", "deno"},
    "python": {"python"},
    "go": {"go"},
    "jvm": {"java"},
    "dotnet": {"dotnet"},
    "ruby": {"ruby"},
    "php": {"php"},
    "elixir": {"elixir"},
}


@dataclass(slots=True)
class Joined:
    """The services; what to say beside some, and why others cannot be known, by the service's name."""

    services: list[m.Service]
    remarks: dict[str, list[str]] = field(default_factory=dict)
    unknown: dict[str, str] = field(default_factory=dict)


def joined(facts: m.Facts) -> Joined:
    """The services of a repository, each program once."""
    result = Joined([])
    apart = [_without_foreign_source(one, result) for one in facts.services]
    result.services = _with_copied_source(_with_named_folders(apart))
    _with_workloads(result)
    _with_dockerfiles(result, facts)
    _with_instances(result)
    return result


def is_worker(service: m.Service, services: list[m.Service]) -> bool:
    """Whether a service only works in the background: it listens on nothing, beside one of its source that does."""
    if any(one.ports or any(probe.path for probe in one.probes) for one in service.containers):
        return False
    beside = any(
        other is not service and other.root == service.root and other.root is not None and _listens(other)
        for other in services
    )
    told = bool(tokens(service.name) & _WORKER)
    quiet = bool(service.dockerfiles) and not any(one.ports for one in service.dockerfiles)
    return service.role == "worker" or (beside and (told or quiet or any(one.command for one in service.containers)))


def is_helper(service: m.Service, services: list[m.Service]) -> bool:
    """Whether a service is a one-shot that migrates or prepares: the work of another service's `migrations`."""
    if not service.containers:
        return False
    if not any(other is not service and shares(other, service) for other in services):
        return False
    if all(one.job or is_target(one, "migrate") for one in service.containers):
        return True
    quiet = not any(one.ports for one in service.containers)
    return quiet and migrates(service.name, list(service.containers))


def migrates(name: str, containers: list[m.Container]) -> bool:
    """Whether a name, or a command of some containers, is that of preparing a database."""
    runs = any(migration_of(m.Command(one.command, one.place, "compose")) for one in containers if one.command)
    return runs or bool(_HELPER.search(name)) or bool(tokens(name) & {"migrate", "migration", "migrations", "migrator"})


def shares(one: m.Service, other: m.Service) -> bool:
    """Whether two services run one image: of the same source, the same Dockerfile, or the same name."""
    if one.root is not None and one.root == other.root:
        return True
    return bool(dockerfiles(one) & dockerfiles(other) or images(one) & images(other))


def dockerfiles(service: m.Service) -> set[str]:
    """The paths of a service's Dockerfiles."""
    return {one.path for one in service.dockerfiles}


def images(service: m.Service) -> set[str]:
    """The repositories of the images that a service is deployed as and that nobody else publishes."""
    return {
        one.image.repository
        for one in service.containers
        if one.image and one.image.repository and not is_third_party(one.image.repository)
    }


def _listens(service: m.Service) -> bool:
    return any(True for _ in _ports(service))


def _ports(service: m.Service) -> Iterator[m.Port]:
    for container in service.containers:
        yield from container.ports
    for dockerfile in service.dockerfiles:
        yield from dockerfile.ports


def is_target(container: m.Container, name: str) -> bool:
    """Whether a container is built from a Dockerfile's stage of this name."""
    return container.build is not None and container.build.target == name


def _without_foreign_source(service: m.Service, result: Joined) -> m.Service:
    """A service whose image is built on another language's than its folder's manifest is of: the source is not its."""
    package = service.package
    stages = [stage for one in service.dockerfiles for stage in one.stages]
    runtimes = {product_of_image(stage.image.repository) for stage in stages} & set().union(*_RUNTIMES.values())
    if package is None or not runtimes or runtimes & _RUNTIMES.get(package.ecosystem, runtimes):
        return service
    first = next(one for one in stages if product_of_image(one.image.repository) in runtimes)
    result.unknown[service.name] = (
        f"{shown(first.place)} builds it on {first.image.repository}, and no manifest of such a program was found"
    )
    return replace(
        service, root=None, package=None, framework="", role="service", env_files=(), binds=(), routes=(), reads=()
    )


def _with_named_folders(services: list[m.Service]) -> list[m.Service]:
    """The services, with manifests that name no build joined to the folder that has their name."""
    homes: dict[str, list[m.Service]] = {}
    for one in services:
        if one.root and not one.containers:
            homes.setdefault(one.root.rsplit("/", 1)[-1], []).append(one)
    pairs = []
    for one in services:
        if _is_loose(one):
            named = homes.get(one.name, [])
            if len(named) == 1:
                pairs.append((named[0], one))
    return _paired(services, pairs)


def _with_copied_source(services: list[m.Service]) -> list[m.Service]:
    """The services, each image that copies from the folder of one server with that folder: nothing else runs it, but
    perhaps jobs.
    """
    found = list(services)
    for index, guest in enumerate(services):
        if guest.package is not None or guest.role in DATASTORES or all(one.job for one in guest.containers):
            continue
        sources = [source.removeprefix("./") for one in guest.dockerfiles for source, _ in one.copies]
        homes = [
            (at, one)
            for at, one in enumerate(found)
            if one.root
            and one.framework
            and one.framework not in FRONTENDS
            and all(held.job for held in one.containers)
            and any(f"{source}/".startswith(f"{one.root}/") for source in sources)
        ]
        if len(homes) == 1:
            at, home = homes[0]
            found[index] = replace(
                home, name=guest.name, containers=guest.containers, dockerfiles=guest.dockerfiles, role=guest.role
            )
            found[at] = replace(home, root=None, package=None, framework="", binds=(), routes=(), reads=())
    return [one for one in found if one.root is not None or one.containers or one.dockerfiles]


def _is_loose(service: m.Service) -> bool:
    return (
        service.root is None
        and service.role not in DATASTORES
        and bool(service.containers)
        and not any(one.build for one in service.containers)
    )


def _paired(services: list[m.Service], pairs: list[tuple[m.Service, m.Service]]) -> list[m.Service]:
    """The services, with the containers of each pair's second in its first."""
    given: dict[int, list[m.Service]] = {}
    for home, guest in pairs:
        given.setdefault(id(home), []).append(guest)
    guests = {id(guest) for _, guest in pairs}
    found = []
    for one in services:
        if id(one) in given:
            name = one.name if one.containers else given[id(one)][0].name
            extra = [held for guest in given[id(one)] for held in guest.containers]
            found.append(replace(one, name=name, containers=(*one.containers, *extra)))
        elif id(one) not in guests:
            found.append(one)
    return found


def _with_workloads(result: Joined) -> None:
    """Give workloads whose image no file here builds to the one program of their kind that no manifest deploys."""
    services = result.services
    loose = [
        one
        for one in services
        if _is_loose(one)
        and images(one)
        and not all(held.job for held in one.containers)
        and one.role != "worker"
        and environment_of(one.name) != "test"
    ]
    homes = [
        one
        for one in services
        if one.root is not None
        and one.role not in DATASTORES
        and not any(held.origin == "kubernetes" for held in one.containers)
        and not is_worker(one, services)
        and not is_helper(one, services)
    ]
    deployed = [one for one in loose if any(held.origin == "kubernetes" for held in one.containers)]
    built = [one for one in homes if one.dockerfiles]
    pairs: list[tuple[m.Service, m.Service]] = []
    apart = not any(one.root and held.origin == "kubernetes" for one in services for held in one.containers)
    if len(deployed) == len(built) == 1 and apart and _agree(built[0], deployed[0]):
        pairs = [(built[0], deployed[0])]
    else:
        for kind in (_is_front, _is_back):
            pairs += _of_kind(kind, homes, loose)
    for home, guest in pairs:
        name = home.name if home.containers else guest.name
        result.remarks.setdefault(name, []).append(
            f"{guest.name} at {shown(_main(guest))} was taken for it: no file says what builds that image"
        )
    result.services = _paired(services, pairs)


def _main(service: m.Service) -> m.Place:
    """Where a service is declared in full, rather than patched."""
    whole = [one.place for one in service.containers if not one.partial and one.image]
    return (whole or [one.place for one in service.containers])[0]


def _with_dockerfiles(result: Joined, facts: m.Facts) -> None:
    """Give Dockerfiles that are named for a backend or a frontend to the one service of that kind that has none."""
    owned = {path for one in result.services for path in dockerfiles(one)}
    free = [one for one in facts.dockerfiles if one.path not in owned and not is_auxiliary(one.path)]
    for words, kind in ((_FRONT, _is_front), (_BACK, _is_back)):
        named = [one for one in free if tokens(one.path.rsplit("/", 1)[-1]) & words]
        without = [one for one in result.services if one.root is not None and not one.dockerfiles and kind(one)]
        if len(named) == len(without) == 1 and without[0].containers:
            result.services = [
                replace(one, dockerfiles=(named[0],)) if one is without[0] else one for one in result.services
            ]


def _of_kind(
    kind: Callable[[m.Service], bool], homes: list[m.Service], loose: list[m.Service]
) -> list[tuple[m.Service, m.Service]]:
    """The one program and the one workload of a kind, where there is just one of each."""
    first = [one for one in homes if kind(one) and (one.framework or one.dockerfiles)]
    second = [one for one in loose if kind(one)]
    return [(first[0], second[0])] if len(first) == len(second) == 1 and _agree(first[0], second[0]) else []


def _words(service: m.Service) -> frozenset[str]:
    names = {service.name, *(one.workload for one in service.containers), *(name for name in images(service))}
    return frozenset().union(*(tokens(name) for name in names))


def _is_front(service: m.Service) -> bool:
    if service.framework:
        return service.framework in FRONTENDS
    return bool(_words(service) & _FRONT) and not _words(service) & _BACK


def _is_back(service: m.Service) -> bool:
    if service.framework:
        return service.framework not in FRONTENDS
    return bool(_words(service) & _BACK) and not _words(service) & _FRONT


def _agree(home: m.Service, guest: m.Service) -> bool:
    """Whether a program and a workload have a port in common, or a name."""
    ports = {bind.port for bind in home.binds} | {port.number for port in _ports(home)}
    theirs = {port.number for one in guest.containers for port in one.ports}
    if (ports & theirs) - {None}:
        return True
    package = home.package.name if home.package else ""
    return bool(tokens(package) - _BACK - _FRONT and tokens(package) <= _words(guest))


def _with_instances(result: Joined) -> None:
    """Join what is built from one folder under several names: in another file, or once more in the same."""
    services = result.services
    found: list[m.Service] = []
    names: list[dict[str, m.Place]] = []  # what each is called, and where
    for one in services:
        at = next((index for index, other in enumerate(found) if _is_instance(other, one, services)), None)
        if at is None:
            found.append(one)
            names.append({one.name: one.containers[0].place} if one.containers else {})
            continue
        other = found[at]
        files = {held.place.path for held in other.containers}
        extra = tuple(held for held in one.containers if held.place.path not in files)
        more = tuple(held for held in one.dockerfiles if held.path not in dockerfiles(other))
        name = _name(other, extra)
        names[at].setdefault(one.name, one.containers[0].place)
        if name != other.name and other.name in result.remarks:
            result.remarks[name] = result.remarks.pop(other.name)
        found[at] = replace(
            other, name=name, containers=(*other.containers, *extra), dockerfiles=(*other.dockerfiles, *more)
        )
    for service, called in zip(found, names, strict=True):
        others = [f"{name} ({shown(place)})" for name, place in called.items() if name != service.name]
        if len(called) > 1 and others:
            told = f"{brief_list(others)}: the same program under another name"
            result.remarks.setdefault(service.name, []).append(told)
    result.services = found


def _is_instance(one: m.Service, other: m.Service, services: list[m.Service]) -> bool:
    if one.root is None or one.root != other.root or one.role in DATASTORES or other.role in DATASTORES:
        return False
    if not one.containers or not other.containers or is_helper(other, services) or is_worker(other, services):
        return False
    if is_helper(one, services) or is_worker(one, services) or not _same_build(one, other):
        return False
    here = {held.place.path for held in one.containers} & {held.place.path for held in other.containers}
    if not here:
        return True
    beside = {held.name for held in one.containers if held.place.path in here}
    return all(_base(other.name) == _base(name) for name in beside)


def _base(name: str) -> str:
    match = _NUMBERED.fullmatch(name)
    return match[1] if match else name


def _same_build(one: m.Service, other: m.Service) -> bool:
    """Whether two services are built alike: by one Dockerfile, by its variants, or by one that is not there."""
    if not one.dockerfiles or not other.dockerfiles or dockerfiles(one) & dockerfiles(other):
        return True
    return all(tokens(path.rsplit("/", 1)[-1]) <= _STAGES for path in dockerfiles(one) | dockerfiles(other))


def _name(service: m.Service, extra: tuple[m.Container, ...]) -> str:
    """The name of a service by the file for production, where one of several has another name for it."""
    names = [one.name for one in _production(extra)]
    if not names or any(True for _ in _production(service.containers)):
        return service.name
    return _base(names[0])


def _production(containers: tuple[m.Container, ...]) -> Iterator[m.Container]:
    return (one for one in containers if one.origin == "compose" and one.environment == "production")
