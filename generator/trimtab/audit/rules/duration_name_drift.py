"""A duration, such as a token's lifetime, has different names in different files."""

from __future__ import annotations

from collections.abc import Iterator

from trimtab.audit.facts.envnames import is_duration, meaning
from trimtab.audit.facts.model import Facts
from trimtab.audit.facts.namedrift import name_drifts, reads_of, units
from trimtab.audit.finding import Finding, Rule


def check(facts: Facts) -> Iterator[Finding]:
    """One finding per duration; a refresh token's lifetime goes with the token's."""
    drifts = [drift for drift in name_drifts(facts) if any(is_duration(name) for name in drift.names)]
    names_of_token = {name for drift in drifts if "JWT" in drift.meaning for name in drift.names}
    for drift in drifts:
        if "REFRESH" in drift.meaning and names_of_token - set(drift.names):
            continue
        places = [*drift.places, *reads_of(facts, drift.names)]
        if "JWT" in drift.meaning:
            for unit in units(facts):
                places += [
                    (item.name_place, item.name)
                    for item in unit.variables
                    if meaning(item.name) == drift.meaning | {"REFRESH"}
                ]
        yield RULE.finding(
            f"One duration under {len(drift.names)} names: {', '.join(drift.names)}",
            places,
            confidence="high" if drift.sure else "medium",
        )


RULE = Rule(
    module=__name__,
    kind="2.3",
    severity="medium",
    area="Environment Variables Consistency",
    title="A duration has different names in different files",
    what="""Compares the names of lifetimes, timeouts and intervals between files for the same service; the
unit in a name
(`_SECONDS`, `_MS`) and the words for expiry are read as what they mean.""",
    why="It is not clear which lifetime is in force in which environment, nor in which unit it is read.",
    example="""docker-compose.yml: JWT_EXPIRES_IN: 3600
env.production:     JWT_EXPIRATION=86400""",
    remedy="Use one name with its unit everywhere, such as JWT_EXPIRATION_SECONDS and JWT_REFRESH_EXPIRATION_SECONDS.",
    check=check,
)
