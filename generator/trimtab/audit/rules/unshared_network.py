"""Two containers that talk to each other share no network."""

from __future__ import annotations

from collections.abc import Iterator

from trimtab.audit.facts.envnames import public_prefix
from trimtab.audit.facts.hosts import ADDRESS
from trimtab.audit.facts.model import ComposeFile, Container, Facts, Place
from trimtab.audit.facts.query import commands_by_path
from trimtab.audit.facts.text import directory_of
from trimtab.audit.finding import Finding, Rule


def check(facts: Facts) -> Iterator[Finding]:
    """One finding per pair of containers."""
    for file in facts.compose:
        if file.override or any(one.partial for one in file.services):
            continue  # what it leaves out, networks among them, stands in the file that it is laid upon
        named = {name: one for one in file.services for name in one.names}
        for container in file.services:
            found: dict[str, list[tuple[Place, str]]] = {}
            for place, host, shown in _asked(container, facts):
                other = named.get(host)
                if other is not None and other is not container and _apart(container, other):
                    found.setdefault(host, []).append((place, shown))
            for host, places in found.items():
                other = named[host]
                yield RULE.finding(
                    f"{container.name} asks {host}, but they share no network",
                    [*places, _networks(container), _networks(other)],
                    confidence="high" if _alone(file, facts) else "medium",
                    service=container.name,
                )


def _asked(container: Container, facts: Facts) -> Iterator[tuple[Place, str, str]]:
    """The hosts in a container's own variables, other than those that a browser is given: (place, host, as shown)."""
    own = {(item.name, item.place) for item in container.env if item.origin != "envfile"}
    for one in facts.upstreams:
        if one.owner == container.name and (one.name, one.place) in own and not public_prefix(one.name):
            yield one.place, one.host, one.host if one.scheme == ADDRESS else f"{one.scheme}://{one.host}"


def _apart(one: Container, other: Container) -> bool:
    if one.network_mode or other.network_mode:
        return False
    return not set(one.networks or ("default",)) & set(other.networks or ("default",))


def _networks(container: Container) -> tuple[Place, str]:
    listed = ", ".join(container.networks or ("default",))
    return container.networks_place or container.place, f"networks of {container.name}: {listed}"


def _alone(file: ComposeFile, facts: Facts) -> bool:
    """Whether a file is known to be used without another one: by its name, or since a command says so."""
    base = file.path.rsplit("/", 1)[-1]
    if base in ("docker-compose.yml", "docker-compose.yaml", "compose.yml", "compose.yaml"):
        return True
    if not any(directory_of(one.path) == directory_of(file.path) for one in facts.compose if one is not file):
        return True
    named = (command.text for commands in commands_by_path(facts).values() for command in commands)
    return any(base in text and text.count(" -f ") == 1 for text in named)


RULE = Rule(
    module=__name__,
    severity="high",
    area="References and Versions",
    title="Two containers that talk share no network",
    what="Takes the hosts in the variables of each compose service that are services of the same file, and compares "
    "the networks of the two. A service without `networks` is on `default` alone, one that lists any is not on it.",
    why="The name does not resolve from there, so the connection fails although both containers run.",
    example="""services:
  db:  { image: postgres:18 }
  api: { environment: { DATABASE_URL: postgresql://db/shop }, networks: [backend] }""",
    remedy="Put both on one network: list it for both, or for neither.",
    check=check,
)
