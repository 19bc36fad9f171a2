"""Which port a service listens on, as each file states it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from trimtab.audit.facts.binds import PORT_NAME
from trimtab.audit.facts.frameworks import STATIC_FRONTENDS
from trimtab.audit.facts.model import Bind, Container, Dockerfile, EnvVar, Facts, Place, Probe, Service
from trimtab.audit.facts.naming import environment_of as named_environment
from trimtab.audit.facts.text import join, to_port

_OPTION = re.compile(
    r"(?:--port[ =]|--http-port[ =]|\s-p[ =]?|--bind[ =]\S*:|\s-b[ =]?\S*:|\bPORT=|runserver\s+\S*:|--server\.port=|-Dserver\.port=|--urls?[ =]\S*:)(\d{2,5})\b"  # noqa: E501
)
# What starts a development server: it runs on a port of its own, another one than what serves the build.
_DEV_SERVER = re.compile(
    r"\b(?:npm|pnpm|yarn|bun)\s+(?:run\s+)?(?:dev|start:dev|serve|watch)\b|\b(?:next|nuxt|astro|remix)\s+dev\b|"
    r"\b(?:ng|vue-cli-service)\s+serve\b|\breact-scripts\s+start\b|\bvite(?:\s+(?:dev|serve|--\S+)|\s*$)|"
    r"\bwebpack-dev-server\b|\bflutter\s+run\b|\b(?:nodemon|air)\b|\bcargo\s+watch\b|--reload\b"
)
_START = re.compile(r"\b(?:npm|yarn|pnpm)\s+start\b")  # the development server of the frameworks below
_START_DEVELOPS = frozenset({"cra", "angular", "vue-cli"})
_DEBUGGERS = frozenset({9229, 5005, 5678, 2345, 35729, 24678, 9003, 9230})
# Ports beside the one that serves: nobody else has to state them.
_SIDE_PORT = re.compile(
    r"metrics|prom|admin|manage|mgmt|debug|health|probe|status|actuator|grpc|gossip|cluster|peer|raft|pprof|profil|jmx|inspect",
    re.IGNORECASE,
)
_EXPORTER = re.compile(r"(?:^|[-_])exporter$")
_FRAMEWORK_PORT = {"ASPNETCORE_HTTP_PORTS", "ASPNETCORE_URLS", "SERVER_PORT", "ROCKET_PORT"}


@dataclass(frozen=True, slots=True)
class Claim:
    """One statement of a service's port. `unit` is who states it: claims of one unit are alternatives
    that hold together.
    """

    port: int
    place: Place
    what: (
        str  # listen: the process; declared: the container; probe: a health check; upstream: another service's address
    )
    unit: str
    environment: str


def claims(service: Service, facts: Facts) -> list[Claim]:
    """Every statement of the port that `service` listens on, in containers, images, env files and source."""
    known: dict[int, list[Claim]] = facts.once("port claims", dict)
    if id(service) not in known:
        known[id(service)] = _claims(service, facts)
    return known[id(service)]


def _shared_dockerfiles(facts: Facts) -> frozenset[str]:
    """Dockerfiles whose image runs as several services, so that their own EXPOSE speaks for none of them."""
    counts = Counter(path for service in facts.services for path in {one.path for one in service.dockerfiles})
    return frozenset(path for path, count in counts.items() if count > 1)


def _published(facts: Facts) -> frozenset[str]:
    """Variables that stand for ports on the host."""
    return frozenset(name for container in facts.containers for port in container.ports for name in port.host_refs)


def _claims(service: Service, facts: Facts) -> list[Claim]:
    found: list[Claim] = []
    for container in service.containers:
        if not container.job and (not _EXPORTER.search(container.name) or len(service.containers) == 1):
            # an exporter beside the service has a port of its own
            found.extend(_container(container, environment_of(container, service)))
    for dockerfile in service.dockerfiles:
        if dockerfile.path in facts.once("shared dockerfiles", lambda: _shared_dockerfiles(facts)):
            continue
        unit = dockerfile.path
        found.extend(_nginx(service, dockerfile, facts))
        found.extend(
            Claim(port.number, port.place, "declared", unit, dockerfile.environment)
            for port in dockerfile.ports
            if port.number and port.protocol == "tcp"
        )
        found.extend(_variables(dockerfile.env, unit, dockerfile.environment))
        found.extend(_options(dockerfile.command, dockerfile.command_place, unit, dockerfile.environment))
    found.extend(_env_files(service, facts))
    if _served_by_nginx(service, {claim.port for claim in found}, facts):
        return [claim for claim in found if claim.port not in _DEBUGGERS]
    found.extend(_defaults(service, {claim.port for claim in found}))
    overridable = any(claim.what == "listen" for claim in found)
    for bind in _own_binds(service, {claim.port for claim in found}):
        if bind.port and not (bind.variable and overridable):
            found.append(Claim(bind.port, bind.place, "listen", bind.place.path, ""))  # noqa: PERF401
    return [claim for claim in found if claim.port not in _DEBUGGERS]


def _defaults(service: Service, stated: set[int]) -> Iterator[Claim]:
    """The source's default, for each container that is not given the variable by anything that is known here."""
    binds = _own_binds(service, stated)
    if len({bind.port for bind in binds}) != 1 or not binds[0].port or not all(bind.variable for bind in binds):
        return
    names = {bind.variable for bind in binds}
    given = {item.name for dockerfile in service.dockerfiles for item in dockerfile.env}
    for container in service.containers:
        told = {item.name for item in container.env} | given
        files = {item.place.path for item in container.env if item.origin == "envfile"}
        if container.job or container.partial or container.env_from or len(files) < len(container.env_files):
            continue
        if not names & told and len(told & {read.name for read in service.reads}) > 1:
            where = unit_of(container)
            yield Claim(binds[0].port, binds[0].place, "listen", where, environment_of(container, service))


def witnesses(service: Service, facts: Facts) -> Iterator[tuple[Place, int]]:
    """Where a port of the service is repeated rather than decided: health checks, variables that end in PORT, the
    target of its Kubernetes Service, the default in its source. They take part in a disagreement; alone they make none.
    """
    for container in service.containers:
        yield from _repeated(container.probes, container.env)
    for dockerfile in service.dockerfiles:
        yield from _repeated(dockerfile.probes, dockerfile.env)
    workloads = {container.workload for container in service.containers}
    labels = [one.pod_labels for one in facts.workloads if one.name in workloads and not one.patch]
    for kube in facts.kube_services:
        if kube.selector and any(kube.selector.items() <= label.items() for label in labels):
            for port in kube.ports:
                number = to_port(port.target)
                if number is not None:
                    yield port.place, number
    for bind in service.binds:
        if bind.port:
            yield bind.place, bind.port
    shared = facts.once("shared dockerfiles", lambda: _shared_dockerfiles(facts))
    exposed = [port for one in service.dockerfiles if one.path in shared for port in one.ports]
    yield from ((port.place, port.number) for port in exposed if port.number)


def _repeated(probes: tuple[Probe, ...], env: tuple[EnvVar, ...]) -> Iterator[tuple[Place, int]]:
    for probe in probes:
        if isinstance(probe.port, int):
            yield probe.place, probe.port
    for item in env:
        number = to_port(item.value or "") if item.name.endswith("PORT") else None
        if number is not None:
            yield item.place, number


def _own_binds(service: Service, stated: set[int]) -> list[Bind]:
    """What the service itself binds: where one file's port is the one that other files state, the other files of
    the source are other programs (a mock, a demo, a second server of its own image). Where nothing states a port,
    files that bind different ones are programs of which nobody says that this service runs any.
    """
    if not stated and len({bind.port for bind in service.binds if bind.port}) > 1:
        return []
    agreeing = {bind.place.path for bind in service.binds if bind.port in stated}
    return [bind for bind in service.binds if not agreeing or bind.place.path in agreeing]


def _served_by_nginx(service: Service, stated: set[int], facts: Facts) -> bool:
    """Whether the service's folder has an nginx configuration for the very port that its containers open, and no
    Dockerfile that says what else they run: the source's own server is then for other places.
    """
    return (
        not service.dockerfiles
        and bool(service.root)
        and any(
            one.product == "nginx"
            and one.name == "listen"
            and one.place.path.startswith(f"{service.root}/")
            and to_port((one.value.split() or [""])[0].rsplit(":", 1)[-1]) in stated
            for one in facts.settings
        )
    )


def _nginx(service: Service, dockerfile: Dockerfile, facts: Facts) -> Iterator[Claim]:
    """What nginx listens on, where the image is nginx with the configuration of the service's own
    directory.
    """
    if not dockerfile.stages[-1].image.base.startswith("nginx"):
        return
    listens = [one for one in facts.settings if one.product == "nginx" and one.name == "listen" and one.value]
    contexts = {service.root or "", dockerfile.directory}
    copied = {join(context, source) for context in contexts for source, _ in dockerfile.copies}
    names = {source.rsplit("/", 1)[-1] for source, _ in dockerfile.copies}
    own = [one for one in listens if one.place.path in copied] or [
        one
        for one in listens
        if (service.root and one.place.path.startswith(f"{service.root}/"))
        or one.place.path.rsplit("/", 1)[-1] in names
    ]
    for setting in own:
        number = to_port(setting.value.split()[0].rsplit(":", 1)[-1])
        if number and number != 443:
            yield Claim(number, setting.place, "listen", dockerfile.path, dockerfile.environment)


def unit_of(container: Container) -> str:
    """Who states what a container says: its workload in its file, and the environment that a patch is for."""
    unit = f"{container.place.path}#{container.workload or container.name}/{container.name}"
    return f"{unit}@{container.environment}" if container.partial and container.environment else unit


def environment_of(container: Container, service: Service) -> str:
    """What a container is for: its file's environment, else development where it runs a frontend's development server,
    whose port is another one by nature, or the source as it lies here.
    """
    if _develops(container) or (service.framework in STATIC_FRONTENDS and _serves_source(container, service)):
        return "local"
    if container.environment or container.build is None or service.role != "frontend":
        return container.environment
    return "local" if _built_to_develop(container) or _DEV_SERVER.search(container.command) else ""


def _serves_source(container: Container, service: Service) -> bool:
    """Whether a container runs the development server of a frontend whose build any web server can serve."""
    built = next((one.command for one in service.dockerfiles if container.build is not None), "")
    started = container.command or built
    return (
        _built_to_develop(container)
        or bool(_DEV_SERVER.search(started))
        or (service.framework in _START_DEVELOPS and bool(_START.search(started)))
        or any(item.name == "NODE_ENV" and item.value == "development" for item in container.env)
    )


def _built_to_develop(container: Container) -> bool:
    build = container.build
    if build is None:
        return False
    return "local" in (named_environment(build.dockerfile.rsplit("/", 1)[-1]), named_environment(build.target))


def _container(container: Container, environment: str) -> Iterator[Claim]:
    unit = unit_of(container)
    main = [port for port in container.ports if not _SIDE_PORT.search(port.name)] or container.ports
    several = len({port.number for port in main if port.protocol == "tcp"}) > 1
    for port in main:
        if port.number and port.protocol == "tcp" and not (several and port.number == 443):  # TLS beside it
            yield Claim(port.number, port.place, "declared", unit, environment)
    own = tuple(item for item in container.env if item.origin != "envfile")
    yield from _variables(own, unit, environment)
    yield from _options(container.command, container.command_place, unit, environment)


def _develops(container: Container) -> bool:
    """Whether a container runs the source as it lies here, by a development server in an image that is not built."""
    mounted = any(not mount.named for mount in container.mounts)
    return container.build is None and mounted and bool(_DEV_SERVER.search(container.command))


def _variables(env: tuple[EnvVar, ...], unit: str, environment: str) -> Iterator[Claim]:
    for item in env:
        if item.value and (PORT_NAME.match(item.name) or item.name in _FRAMEWORK_PORT):
            number = to_port(re.split(r"[:/;]", item.value.rstrip("/"))[-1])
            if number:
                yield Claim(number, item.place, "listen", unit, environment or item.environment)


def _options(command: str, place: Place | None, unit: str, environment: str) -> Iterator[Claim]:
    match = _OPTION.search(command) if place else None
    if match and place:
        yield Claim(int(match[1]), place, "listen", unit, environment)


def _env_files(service: Service, facts: Facts) -> Iterator[Claim]:
    """PORT in the service's own env files, and in the root's where no other service could be meant."""
    published = facts.once("published", lambda: _published(facts))
    words = {
        re.sub(r"\W", "_", name).upper() for name in (service.name, (service.root or "").rsplit("/", 1)[-1]) if name
    }
    sole = is_port_owner(service, facts)
    for file in facts.env_files:
        own = bool(service.root) and file.directory == service.root
        if not own and file.directory not in ("", "config", "env", "envs", "deploy", "docker", "infra"):
            continue
        for item in file.variables:
            number = to_port(item.value or "")
            if number is None or item.name in published:
                continue
            direct = PORT_NAME.match(item.name) or item.name in _FRAMEWORK_PORT
            if (
                (own and direct)
                or (item.name in ("PORT", "SERVER_PORT", "APP_PORT") and sole)
                or item.name in {f"{word}_PORT" for word in words}
            ):
                yield Claim(number, item.place, "listen", file.path, file.environment)


def is_port_owner(service: Service, facts: Facts) -> bool:
    """Whether a bare PORT at the root can only mean this service: the one backend, or the one service
    that is built.
    """
    owners: list[Service] = facts.once("port owners", lambda: _port_owners(facts))
    return len(owners) == 1 and owners[0] is service


def _port_owners(facts: Facts) -> list[Service]:
    built = [
        one for one in facts.services if one.root is not None and (one.containers or one.dockerfiles or one.framework)
    ]
    backends = [one for one in built if one.role == "backend"] or [
        one for one in facts.services if one.role == "backend"
    ]
    return backends if len(backends) == 1 else built
