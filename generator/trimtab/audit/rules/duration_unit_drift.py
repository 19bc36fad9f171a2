"""One duration is written in different units."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

from trimtab.audit.facts.envnames import is_duration, unit_of
from trimtab.audit.facts.model import EnvVar, Facts
from trimtab.audit.facts.query import own_variables
from trimtab.audit.finding import Finding, Rule

_VALUE = re.compile(
    r"^\s*(\d+(?:\.\d+)?)\s*(?:(ms|s|sec|secs|seconds?|m|min|mins|minutes?|h|hours?|hrs?|d|days?)\s*)?$",
    re.IGNORECASE,
)


def check(facts: Facts) -> Iterator[Finding]:
    """One finding per variable."""
    by_name: dict[str, list[EnvVar]] = defaultdict(list)
    for item, _ in own_variables(facts):
        if item.value and is_duration(item.name):
            by_name[item.name].append(item)
    for name, items in sorted(by_name.items()):
        parsed = [(item, found) for item in items if (found := _VALUE.match(item.value or ""))]
        bare = {item.value or "" for item, found in parsed if not found[2]}
        suffixed = {item.value or "" for item, found in parsed if found[2]}
        numbers = sorted({float(found[1]) for _, found in parsed if not found[2]})
        thousandfold = any(
            high / low in (1000.0, 60000.0, 3600000.0)
            for low in numbers
            for high in numbers
            if low and high > low and high % 1000 == 0
        )
        if (bare and suffixed) or thousandfold or (unit_of(name) and suffixed):
            yield RULE.finding(
                f"{name} is written in different units: {', '.join(sorted(bare | suffixed))}",
                [(item.place, item.value or "") for item, _ in parsed],
                confidence="high" if bare and suffixed else "medium",
            )


RULE = Rule(
    module=__name__,
    severity="medium",
    area="Environment Variables Consistency",
    title="One duration is written in different units",
    what="Compares the values of one duration variable between files: a bare number beside one with "
    "a unit, or numbers a thousandfold apart. "
    "`5m` and `300s` both carry their unit and are no finding.",
    why="The source reads one form: elsewhere a token lives for a thousand times as long, or the "
    "service does not start.",
    example="""docker-compose.yml: JWT_EXPIRATION: 3600
env.production:     JWT_EXPIRATION=24h""",
    remedy="Put the unit into the name (`_SECONDS`) and write bare numbers of that unit everywhere.",
    check=check,
)
