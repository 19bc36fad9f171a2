"""Some services have resource limits and their siblings have none."""

from __future__ import annotations

from collections.abc import Iterator

from trimtab.audit.facts.model import Container, Facts, Place
from trimtab.audit.finding import Finding, Rule


def check(facts: Facts) -> Iterator[Finding]:
    """One finding for all files, if any file limits some of its containers and not others."""
    places: list[tuple[Place, str]] = []
    for file in facts.compose:
        if not file.override and file.environment not in ("local", "test"):
            places.extend(_compare([one for one in file.services if not one.partial]))
    workloads: dict[str, list[Container]] = {}
    for workload in facts.workloads:
        if not workload.patch and workload.environment not in ("local", "test"):
            workloads.setdefault(workload.group, []).extend(
                one for one in workload.containers if not one.init and not one.partial
            )
    for containers in workloads.values():
        places.extend(_compare(containers))
    if places:
        without = sorted({place.path for place, value in places if value.startswith("no limits")})
        yield RULE.finding(f"Resource limits are set for some services only ({', '.join(without)})", places)


def _compare(containers: list[Container]) -> list[tuple[Place, str]]:
    limited = [one for one in containers if one.limits]
    unlimited = [one for one in containers if not one.limits]
    if not limited or not unlimited:
        return []
    return [(one.limits or one.place, f"limits: {one.name}") for one in limited] + [
        (one.place, f"no limits: {one.name}") for one in unlimited
    ]


RULE = Rule(
    module=__name__,
    kind="1.4",
    severity="low",
    area="Docker Configuration",
    title="Resource limits are set for some services only",
    what="Looks for containers without CPU or memory limits beside siblings, in the same file or "
    "group of manifests, that have them.",
    why="A service without limits can starve the others on its host, and behaves differently under "
    "load in each environment.",
    example="""services:
  postgres: { deploy: { resources: { limits: { memory: 1G } } } }
  backend: {}""",
    remedy="Give every service CPU and memory limits, the same ones in compose and in Kubernetes.",
    check=check,
)
