"""The port of one service is stated differently by different files."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from trimtab.audit.facts.model import Facts, Service
from trimtab.audit.facts.naming import comparable
from trimtab.audit.facts.ports import Claim, claims, witnesses
from trimtab.audit.facts.query import first_per_value
from trimtab.audit.facts.servicenames import tokens
from trimtab.audit.finding import Finding, Rule

_OTHERS = frozenset({"proxy", "nginx", "traefik", "caddy", "haproxy"})
_DATABASES = frozenset({"db", "database", "postgres", "mysql", "mongo", "redis"})


def check(facts: Facts) -> Iterator[Finding]:
    """One finding per service whose files do not agree."""
    for service in facts.services:
        if (
            service.role in _OTHERS
            or tokens(service.name) & _DATABASES
            or (service.root is None and not _in_cluster_and_compose(service))
        ):
            continue
        stated = claims(service, facts)
        disagreeing = conflicting(stated)
        if not disagreeing:
            yield from _second_ports(service, facts, stated)
            continue
        ports = {claim.port for claim in disagreeing}
        places = sorted(
            {(claim.place, str(claim.port)) for claim in disagreeing}
            | {(place, str(port)) for place, port in witnesses(service, facts) if port in ports},
            key=lambda item: (item[1], item[0].path, item[0].line),
        )
        values = list(dict.fromkeys(value for _, value in places))
        yield RULE.finding(
            f"{service.name} listens on {' and '.join(values)}, depending on the file",
            places,
            confidence="high" if _sure(disagreeing) else "medium",
            severity="medium" if _only_an_example(stated) else None,
            service=service.name,
            evidence="; ".join(service.evidence),
        )


def _second_ports(service: Service, facts: Facts, stated: list[Claim]) -> Iterator[Finding]:
    """A finding where image and container share a port, and each opens one more that the other does not have."""
    opened: dict[str, list[Claim]] = defaultdict(list)
    for claim in stated:
        if claim.what == "declared":
            opened[claim.unit].append(claim)
    images = [unit for unit in opened if "#" not in unit]
    apart: set[int] = set()
    for image in images:
        for unit in (one for one in opened if "#" in one):
            left, right = _ports(opened[image]), _ports(opened[unit])
            same = comparable(opened[image][0].environment, opened[unit][0].environment)
            if same and left & right and len(left - right) == len(right - left) == 1:
                apart |= left ^ right
    if apart:
        places = [(claim.place, str(claim.port)) for claim in stated if claim.port in apart]
        places += [(place, str(port)) for place, port in witnesses(service, facts) if port in apart]
        yield RULE.finding(
            f"The second port of {service.name} is {' and '.join(map(str, sorted(apart)))}, depending on the file",
            first_per_value(places),
            confidence="medium",
            severity="medium",
            service=service.name,
        )


def _in_cluster_and_compose(service: Service) -> bool:
    return {container.origin for container in service.containers} == {"compose", "kubernetes"}


def conflicting(stated: list[Claim]) -> list[Claim]:
    """The claims that take part in a disagreement: two units without a port in common, or one unit that
    contradicts itself.
    """
    units: dict[str, list[Claim]] = defaultdict(list)
    for claim in stated:
        units[claim.unit].append(claim)
    involved: set[str] = set()
    names = sorted(units)
    for index, one in enumerate(names):
        if _contradicts_itself(units[one]):
            involved.add(one)
        for other in names[index + 1 :]:
            same = any(comparable(a.environment, b.environment) for a in units[one] for b in units[other])
            if same and not _ports(units[one]) & _ports(units[other]):
                involved |= {one, other}
    if not involved:
        return []
    bad = {claim.port for name in involved for claim in units[name]}
    keep = [claim for name in names for claim in units[name] if name in involved or claim.port in bad]
    return keep if len({claim.port for claim in keep}) > 1 else []


def _ports(unit: list[Claim]) -> set[int]:
    return {claim.port for claim in unit}


def _contradicts_itself(unit: list[Claim]) -> bool:
    """Whether the process of a unit listens on a port that the unit does not open; with several open, a
    proxy may be in front.
    """
    listening = {claim.port for claim in unit if claim.what == "listen"}
    declared = {claim.port for claim in unit if claim.what == "declared"}
    return len(declared) == 1 and bool(listening) and not listening & declared


def _only_an_example(stated: list[Claim]) -> bool:
    """Whether nothing deploys the service here and only an example file disagrees: it may be for running
    by hand.
    """
    deployed = any("#" in claim.unit for claim in stated)
    return not deployed and not conflicting([claim for claim in stated if claim.environment != "example"])


def _sure(stated: list[Claim]) -> bool:
    """Whether two places that deploy disagree, rather than a default and what overrides it."""
    deployed = {claim.port for claim in stated if "#" in claim.unit or claim.environment not in ("", "example")}
    return len(deployed) > 1 or len({claim.port for claim in stated if claim.what == "declared"}) > 1


RULE = Rule(
    module=__name__,
    kind="1.1",
    severity="critical",
    area="Docker Configuration",
    title="The port of a service differs between files",
    what="""Compares every place that states the port a service listens on: compose targets and `expose`,
`containerPort`,
`EXPOSE`, PORT variables, `--port` options, env files and the application source. The port published on the
host is not compared,
since it may differ by design, and neither are development files with all others.""",
    why="Traffic and health checks go to a port on which nothing listens, so the deploy fails or the "
    "service never answers.",
    example="""docker-compose.yml: PORT: 2000
k8s/backend.yaml:   containerPort: 3001
env.production:     PORT=8080""",
    remedy="Choose one port per service and write it in every file; in Kubernetes name it once and refer to the name.",
    check=check,
)
