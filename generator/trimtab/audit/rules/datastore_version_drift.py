"""The version of one datastore differs between files."""

from __future__ import annotations

from collections.abc import Iterator

from trimtab.audit.facts.model import Facts
from trimtab.audit.facts.products import DATASTORES
from trimtab.audit.facts.versions import drifts
from trimtab.audit.finding import Finding, Rule


def check(facts: Facts) -> Iterator[Finding]:
    """One finding per datastore and service directory."""
    for title, places in drifts(facts, DATASTORES):
        yield RULE.finding(title, places)


RULE = Rule(
    module=__name__,
    severity="medium",
    area="References and Versions",
    title="The version of a datastore differs between files",
    what="Compares the versions of Postgres, MySQL, Redis and other datastores in compose files, "
    "manifests and workflow services.",
    why="Queries, extensions and data formats differ between the versions, so what passed in CI can "
    "fail in production.",
    example="""docker-compose.yml: image: postgres:15
ci.yml:             image: postgres:13""",
    remedy="Use the version of production everywhere.",
    check=check,
)
