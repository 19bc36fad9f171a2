"""Database URLs are written with different schemes."""

from __future__ import annotations

from collections.abc import Iterator

from trimtab.audit.facts.configured import given
from trimtab.audit.facts.model import Facts, Place
from trimtab.audit.facts.query import first_per_value
from trimtab.audit.facts.text import urls
from trimtab.audit.finding import Finding, Rule

_FAMILIES = {
    "postgres": "postgres",
    "postgresql": "postgres",
    "mysql": "mysql",
    "mariadb": "mysql",
    "mongodb": "mongodb",
}


def check(facts: Facts) -> Iterator[Finding]:
    """One finding per database family."""
    seen: dict[str, list[tuple[Place, str, str]]] = {}
    for item in given(facts):
        for scheme, host, _, _ in urls(item.text):
            family = _FAMILIES.get(scheme)
            if family and "jdbc" not in item.text:
                seen.setdefault(family, []).append((item.place, scheme, host))
    for family, places in seen.items():
        schemes = {scheme for _, scheme, _ in places}
        if len(schemes) > 1:
            yield RULE.finding(
                f"{family} URLs are written as {' and '.join(f'{one}://' for one in sorted(schemes))}",
                first_per_value((place, f"{scheme}://{host}") for place, scheme, host in places),
            )


RULE = Rule(
    module=__name__,
    kind="2.4",
    severity="low",
    area="Environment Variables Consistency",
    title="Database URLs are written with different schemes",
    what="Compares the schemes of database URLs in env files, compose, Kubernetes and Dockerfiles: "
    "`postgres://` beside `postgresql://`.",
    why="Some clients accept one spelling only (SQLAlchemy has refused `postgres://` since 1.4), so "
    "a copied URL fails elsewhere.",
    example="""env.example:    DATABASE_URL=postgres://app@localhost/app
env.production: DATABASE_URL=postgresql://app@db/app""",
    remedy="Write `postgresql://` everywhere.",
    check=check,
)
