"""A proxy's configuration that a compose file mounts or builds in sends to containers of another compose file."""

from __future__ import annotations

from collections.abc import Iterator

from trimtab.audit.facts.hosts import ADDRESS
from trimtab.audit.facts.model import ComposeFile, Container, Facts, Place, Upstream
from trimtab.audit.facts.text import directory_of, join
from trimtab.audit.finding import Finding, Rule
from trimtab.errors import some

_PASSES = frozenset({"proxy_pass", "upstream", "fastcgi_pass", "grpc_pass", "uwsgi_pass"})


def check(facts: Facts) -> Iterator[Finding]:
    """One finding per compose file and configuration."""
    sent: dict[str, list[Upstream]] = {}
    for one in facts.upstreams:
        if one.name in _PASSES and not one.owner and one.scheme != ADDRESS and _is_name(one.host):
            sent.setdefault(one.place.path, []).append(one)
    if not sent:
        return
    called = _names(facts.compose) | {one.name for one in facts.kube_services}
    for file in facts.compose:
        if file.override or file.includes or any(one.partial for one in file.services):
            continue  # its services are not all here
        beside = [one for one in facts.compose if directory_of(one.path) == directory_of(file.path)]
        here = _names(beside)
        for container in file.services:
            if container.network_mode or _elsewhere(file, container):
                continue
            for path, place in _configurations(container, facts, frozenset(sent)):
                absent = [one for one in sent[path] if one.host not in here and one.host in called]
                if absent:
                    hosts = list(dict.fromkeys(one.host for one in absent))
                    yield RULE.finding(
                        f"{file.path} runs {path}, which sends to {some(hosts, 4)}: no container there is called that",
                        [*((one.place, one.host) for one in absent), (place, f"{container.name}: {path}")],
                        service=container.name,
                    )


def _is_name(host: str) -> bool:
    return "." not in host and "$" not in host and not host.isdigit() and host != "localhost"


def _names(files: tuple[ComposeFile, ...] | list[ComposeFile]) -> set[str]:
    return {name for file in files for one in file.services for name in one.names}


def _elsewhere(file: ComposeFile, container: Container) -> bool:
    """Whether the container also is on a network with containers that are not known here."""
    return bool(file.outside & set(container.networks or ("default",)))


def _configurations(container: Container, facts: Facts, paths: frozenset[str]) -> Iterator[tuple[str, Place]]:
    """The configurations that a container runs, mounted or copied by its Dockerfile, and where that stands."""
    for mount in container.mounts:
        inside = [path for path in paths if path.startswith(f"{mount.source}/")]
        for path in [mount.source] if mount.source in paths else inside if len(inside) == 1 else ():
            if not mount.named:
                yield path, mount.place
    build = container.build
    if build is None or build.context is None:
        return
    for dockerfile in facts.dockerfiles:
        if dockerfile.path == build.dockerfile and not build.target:
            for source, stage in dockerfile.carried:
                copied = join(build.context, source.lstrip("/")) if not stage else None
                if copied in paths and not container.mounts:
                    yield str(copied), build.place


RULE = Rule(
    module=__name__,
    severity="high",
    area="References and Versions",
    title="A proxy's hosts are containers of another compose file",
    what="Takes the nginx configurations that a compose file mounts into a container, or whose copy its Dockerfile "
    "keeps, and looks for their upstreams among the services of the compose files in that folder. Networks that are "
    "made elsewhere and files of which others complete the services are left out.",
    why="nginx looks its upstreams up when it starts, and exits with `host not found in upstream`: the configuration "
    "holds for one environment only.",
    example="""staging/compose.yml: gateway mounts ../gateway/nginx.conf; services: api, db
gateway/nginx.conf:  proxy_pass http://users:8081;   # a service of ../compose.yml only""",
    remedy="Give the environment a configuration of its own, or its services the names that the configuration has.",
    check=check,
)
