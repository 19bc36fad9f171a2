"""One env file sends variables of one datastore to hosts of two environments."""

from __future__ import annotations

import re
from collections.abc import Iterator

from trimtab.audit.facts.model import EnvFile, EnvVar, Facts
from trimtab.audit.facts.text import urls
from trimtab.audit.finding import Finding, Rule

_FAMILIES = {
    **dict.fromkeys(("redis", "rediss"), "redis"),
    **dict.fromkeys(("postgres", "postgresql"), "postgres"),
    **dict.fromkeys(("mysql", "mariadb"), "mysql"),
    **dict.fromkeys(("mongodb",), "mongodb"),
    **dict.fromkeys(("amqp", "amqps"), "rabbitmq"),
}
_HERE = ("localhost", "127.0.0.1")
# Names that say for which place the value is meant.
_MEANT = re.compile(
    r"DOCKER|CONTAINER|COMPOSE|LOCAL|HOST|TEST|CI_|DEV|PROD|STAG|INTERNAL|EXTERNAL|TUNNEL|SHADOW|DIRECT"
)


def check(facts: Facts) -> Iterator[Finding]:
    """One finding per env file and datastore."""
    containers = {name for one in facts.containers if one.origin == "compose" for name in one.names}
    for file in facts.env_files:
        by_family: dict[str, list[tuple[EnvVar, str]]] = {}
        for item in file.variables:
            for scheme, host, _, _ in urls(item.value or ""):
                if scheme in _FAMILIES and not _MEANT.search(item.name):
                    by_family.setdefault(_FAMILIES[scheme], []).append((item, host))
        for family, uses in by_family.items():
            here = [one for one in uses if one[1] in _HERE]
            there = [one for one in uses if one[1] in containers]
            if here and there and not _twice(file, uses):
                yield RULE.finding(
                    f"{file.path} sends {family} to {here[0][1]} and to the container {there[0][1]}",
                    [(item.place, f"{item.name}: {host}") for item, host in (*here, *there)],
                )


def _twice(file: EnvFile, uses: list[tuple[EnvVar, str]]) -> bool:
    """Whether the file has a variable twice, as one that lists the choices for two places."""
    return any(sum(one.name == item.name for one in file.variables) > 1 for item, _ in uses)


RULE = Rule(
    module=__name__,
    kind="2.4",
    severity="medium",
    area="Environment Variables Consistency",
    title="An env file has a host of another environment",
    what="Compares the hosts of the URLs of one datastore in one env file: `localhost` beside the name of a compose "
    "service. Variables whose names say for which place they are meant are left out.",
    why="A name of compose's network resolves in containers only and localhost on the machine only, so one of the "
    "variables fails wherever the file is used.",
    example="""REDIS_URL=redis://localhost:6379/0
RESULT_BACKEND=redis://redis:6379/1""",
    remedy="Use one host throughout the file, and set the other in the compose file.",
    check=check,
)
