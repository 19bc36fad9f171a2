"""Two services of one compose file publish the same port."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from trimtab.audit.facts.model import Facts, Place
from trimtab.audit.finding import Finding, Rule


def check(facts: Facts) -> Iterator[Finding]:
    """One finding per file and port."""
    for file in facts.compose:
        used: dict[tuple[str, str], dict[str, tuple[Place, str]]] = defaultdict(dict)
        for service in file.services:
            for port in service.ports:
                if port.host.isdigit() and not service.profiles:
                    used[(port.host, port.protocol)].setdefault(
                        service.name, (port.place, f"{service.name}: {port.host}")
                    )
        for (number, _), places in sorted(used.items()):
            if len(places) > 1:
                yield RULE.finding(f"{file.path}: {' and '.join(places)} publish port {number}", list(places.values()))


RULE = Rule(
    module=__name__,
    severity="medium",
    area="Docker Configuration",
    title="Two services publish the same port",
    what="Compares the host ports that the services of one compose file publish, defaults of interpolation filled in.",
    why="The second of the two does not start.",
    example="""api:   ports: ["8080:8080"]
admin: ports: ["8080:80"]""",
    remedy="Publish one of them on another port.",
    check=check,
)
