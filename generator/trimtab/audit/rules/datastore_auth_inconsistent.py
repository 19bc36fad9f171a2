"""A Redis (or similar) asks for a password in one environment and not in another."""

from __future__ import annotations

import re
from collections.abc import Iterator

from trimtab.audit.facts.configured import given
from trimtab.audit.facts.model import Container, Facts, Place
from trimtab.audit.facts.query import datastores
from trimtab.audit.finding import Finding, Rule
from trimtab.errors import some

_PRODUCTS = ("redis", "valkey", "keydb", "dragonfly", "mongodb", "elasticsearch")
_COMMAND = re.compile(r"--requirepass(?:\s+|=)(?!\"\"|''|$)\S|--auth\b")
_SERVER = re.compile(r"\b(?:redis|valkey|keydb)-server\b")
_ASKED = re.compile(r"\bif\s{1,9}(?:\[{1,2}|test)\s{1,9}(?:-n\s{1,9})?\W{0,6}([A-Z][A-Z0-9_]{1,60})\b")
_VARIABLES = frozenset(
    {
        "REDIS_PASSWORD",
        "VALKEY_PASSWORD",
        "MONGO_INITDB_ROOT_PASSWORD",
        "MONGODB_ROOT_PASSWORD",
        "ELASTIC_PASSWORD",
        "REDIS_ARGS",
        "DFLY_requirepass",
    }
)
_PASSWORD = re.compile(r"^(?:\w+_)?(?:REDIS|VALKEY|CACHE)_?(?:PASS|PASSWORD|AUTH)$")
_WITH_PASSWORD = re.compile(r"^rediss?://[^/@:\s]{0,100}:[^/@\s]{1,200}@")
_OPEN = re.compile(r"^rediss?://[^/@:\s]{0,100}:[^/@\s]{0,200}@")
_WITHOUT = re.compile(r"^rediss?://([\w.-]+)(?::\d+)?(?:[/?]|$)")
_URL = re.compile(r"^rediss?://([^/@]*)@?")


def check(facts: Facts) -> Iterator[Finding]:
    """One finding per product."""
    yield from _open_clients("redis", facts)
    yield from _open_clients("valkey", facts)
    for product in _PRODUCTS:
        with_auth: list[tuple[Place, str]] = []
        without: list[tuple[Place, str]] = []
        environments: dict[str, set[str]] = {"with": set(), "without": set()}
        for service in datastores(facts, product):
            for container in service.containers:
                if container.partial and not _SERVER.search(container.command):
                    continue  # a patch that leaves the server's command as it is
                place = _auth(container, facts)
                environments["with" if place else "without"].add(container.environment)
                if place:
                    with_auth.append((place, "password"))
                else:
                    at = container.command_place if container.partial or _SERVER.search(container.command) else None
                    without.append((at or container.place, "no password"))
        if product == "redis" and (with_auth or without):
            _add_urls(facts, with_auth, without)
        if with_auth and without and _must_agree(environments):
            yield RULE.finding(
                f"{product} asks for a password in some places and not in others", [*without, *with_auth]
            )
        elif without and not with_auth and product in ("redis", "valkey"):
            clients = list(_clients(facts))
            if clients and environments["without"] - {"test"}:
                yield RULE.finding(
                    f"{product} asks for no password in one place, and clients are given one in another",
                    [*without, *clients],
                )


def _open_clients(product: str, facts: Facts) -> Iterator[Finding]:
    """Clients whose URL holds no password for a server that asks for one, in the same file or cluster."""
    servers: dict[Place, None] = {}
    clients: dict[tuple[Place, str], str] = {}
    for service in datastores(facts, product):
        for server in service.containers:
            place = None if server.partial else _auth(server, facts)
            for client in facts.containers if place else ():
                same = server.place.path == client.place.path if server.origin == "compose" else True
                given = any(_PASSWORD.match(item.name) and item.value != "" for item in client.env)
                if client.origin != server.origin or not same or given:
                    continue
                names = _addresses(server, facts)
                for item in client.env:
                    url = _WITHOUT.match(item.value or "")
                    if place and url and url[1].split(".")[0] in names:
                        servers[place] = None
                        clients[(item.place, str(item.value))] = client.name
    if clients:
        who = some(sorted(set(clients.values())), 3)
        yield RULE.finding(
            f"{product} asks for a password, and the URL of {who} holds none",
            [*clients, *((place, "password") for place in servers)],
            severity="high",
        )


def _addresses(server: Container, facts: Facts) -> set[str]:
    """The names under which a server is reached from beside it."""
    if server.origin == "compose":
        return set(server.names)
    labels = [one.pod_labels for one in facts.workloads if server in one.containers]
    return {
        kube.name
        for kube in facts.kube_services
        if kube.selector and any(kube.selector.items() <= label.items() for label in labels)
    }


def _clients(facts: Facts) -> Iterator[tuple[Place, str]]:
    """Where the repository's own services are given a password of Redis that is not empty by default."""
    for service in facts.services:
        names = {read.name for read in service.reads}
        for container in service.containers if service.root is not None else ():
            for item in container.env:
                if item.name in names and _PASSWORD.match(item.name) and item.value != "":
                    yield item.place, f"{item.name} is given"
    for place, name, text, environment, partial in given(facts):
        example = place.path.endswith((".example", ".sample", ".template", ".dist"))
        if not example and environment != "test" and (_OPEN if partial else _WITH_PASSWORD).match(text):
            yield place, f"{name} holds a password"


def _must_agree(environments: dict[str, set[str]]) -> bool:
    return bool((environments["with"] - {"test"}) and (environments["without"] - {"test"}))


def _auth(container: Container, facts: Facts) -> Place | None:
    """Where a container turns authentication on."""
    if _COMMAND.search(container.command) and container.command_place and not _off_by_default(container):
        return container.command_place
    for item in container.env:
        if item.name in _VARIABLES and (item.value is None or item.value):
            from_image = container.image is not None and container.image.repository in (
                "redis",
                "library/redis",
            )
            if not from_image or item.name == "REDIS_ARGS":
                return item.place
    mounted = {mount.source for mount in container.mounts}
    if ".conf" in container.command or any(source.endswith(".conf") for source in mounted):
        for setting in facts.settings:
            if setting.product == "redis" and setting.name == "requirepass":
                return setting.place
    return None


def _off_by_default(container: Container) -> bool:
    """Whether the command asks for a password only where a variable holds one, and by default it holds none."""
    asked = _ASKED.search(container.command)
    return asked is not None and any(item.name == asked[1] and item.value == "" for item in container.env)


def _add_urls(facts: Facts, with_auth: list[tuple[Place, str]], without: list[tuple[Place, str]]) -> None:
    """Redis URLs of env files take part, but do not make a finding where no server is declared."""
    for file in facts.env_files:
        for item in file.variables:
            match = _URL.match(item.value or "") if "REDIS" in item.name else None
            if match and with_auth and without:
                (with_auth if "@" in (item.value or "") else without).append(
                    (item.place, "password" if "@" in (item.value or "") else "no password")
                )


RULE = Rule(
    module=__name__,
    kind="1.3",
    severity="medium",
    area="Docker Configuration",
    title="A datastore asks for a password in one environment only",
    what="""Compares whether Redis, Valkey, MongoDB or Elasticsearch is started with authentication in
compose files and in Kubernetes
(`--requirepass`, configuration files, the images' own variables), and whether the URLs of its clients hold a password
where it asks for one.""",
    why="Code that works without a password fails with one, so the difference shows only after a "
    "deploy; the open one is a hole.",
    example="""docker-compose.yml: command: redis-server --appendonly yes
k8s/redis.yaml:     command: ["redis-server", "--requirepass", "$(REDIS_PASSWORD)"]""",
    remedy="Require a password in every environment and pass it from the environment's own secret.",
    check=check,
)
