"""Database URLs are written with different schemes."""

from __future__ import annotations

from collections.abc import Iterator

from trimtab.audit.facts.model import Facts, Place
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
    variables = [item for file in facts.env_files for item in file.variables]
    variables += [item for container in facts.containers for item in container.env]
    variables += [item for dockerfile in facts.dockerfiles for item in dockerfile.env]
    for item in variables:
        for scheme, host, _, _ in urls(item.value or item.outline):
            family = _FAMILIES.get(scheme)
            if family and "jdbc" not in (item.value or ""):
                seen.setdefault(family, []).append((item.place, scheme, host))
    for family, places in seen.items():
        schemes = {scheme for _, scheme, _ in places}
        if len(schemes) > 1:
            yield RULE.finding(
                f"{family} URLs are written as {' and '.join(f'{one}://' for one in sorted(schemes))}",
                [(place, f"{scheme}://{host}") for place, scheme, host in places],
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
