"""Files set PORT, and the source listens on a fixed port."""

from __future__ import annotations

from collections.abc import Iterator

from trimtab.audit.facts.binds import PORT_NAME
from trimtab.audit.facts.model import Facts
from trimtab.audit.finding import Finding, Rule


def check(facts: Facts) -> Iterator[Finding]:
    """One finding per service."""
    for service in facts.services:
        fixed = [bind for bind in service.binds if bind.port and not bind.variable]
        if not fixed or any(bind.variable for bind in service.binds):
            continue
        if any(PORT_NAME.match(read.name) for read in service.reads):
            continue
        given = [
            (item.place, item.value)
            for container in service.containers
            for item in container.env
            if item.name == "PORT" and item.value
        ]
        given += [
            (item.place, item.value)
            for dockerfile in service.dockerfiles
            for item in dockerfile.env
            if item.name == "PORT" and item.value
        ]
        ports = {str(bind.port) for bind in fixed}
        wrong = [(place, f"PORT={value}") for place, value in given if value not in ports]
        if wrong:
            yield RULE.finding(
                f"PORT is set for {service.name}, whose source listens on {', '.join(sorted(ports))} whatever it says",
                [*((bind.place, str(bind.port)) for bind in fixed), *wrong],
                service=service.name,
                confidence="medium",
            )


RULE = Rule(
    module=__name__,
    severity="high",
    area="Environment Variables Consistency",
    title="The source does not read the PORT that files set",
    what="Looks for services whose source listens on a literal port and reads no port variable, "
    "while a file sets PORT to another one.",
    why="The variable changes nothing: the service listens elsewhere than every file says.",
    example="""src/main.rs:        .bind(("0.0.0.0", 8000))
docker-compose.yml: PORT: 2000""",
    remedy="Read the variable in the source, with the same default.",
    check=check,
)
