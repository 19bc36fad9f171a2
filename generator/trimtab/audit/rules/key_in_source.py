"""A key that signs or encrypts is a literal in the source."""

from __future__ import annotations

from collections.abc import Iterator

from trimtab.audit.facts.model import Facts
from trimtab.audit.finding import Finding, Rule
from trimtab.errors import some


def check(facts: Facts) -> Iterator[Finding]:
    """One finding for all of them."""
    read = {one.place for one in facts.reads}  # a default of a variable, of which another rule tells
    kept = [one for one in facts.source_keys if one[1] not in read]
    if kept:
        names = some(list(dict.fromkeys(name for name, _ in kept)), 4)
        yield RULE.finding(
            f"Source holds keys that sign or encrypt: {names}",
            ((place, name) for name, place in kept),
            confidence="medium",
        )


RULE = Rule(
    module=__name__,
    severity="high",
    area="Environment Variables Consistency",
    title="A key is a literal in the source",
    what="Looks for assignments of a literal to a name such as `jwtSecret`, `SECRET_KEY` or `encryption_key` in "
    "application source. Names of variables and settings are no keys; tests, scripts, examples and settings of "
    "development are left out.",
    why="Whoever can read the repository can sign tokens for production, no environment can have a key of its own, and "
    "changing it takes a release.",
    example="""var jwtKey = []byte("super-secret-key-change-me")""",
    remedy="Read the key from a variable without a default, give each environment its own, and change this one.",
    check=check,
)
