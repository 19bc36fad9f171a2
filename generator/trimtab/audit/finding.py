"""What a rule is, and what it finds."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from trimtab.audit.facts.model import Facts, Place

Severity = Literal["critical", "high", "medium", "low"]
Confidence = Literal["high", "medium", "low"]
SEVERITIES: tuple[Severity, ...] = ("critical", "high", "medium", "low")
CONFIDENCES: tuple[Confidence, ...] = ("high", "medium", "low")

# The areas of the seed audit, in its order; the last takes what it had no area for.
AREAS = (
    "Docker Configuration",
    "Environment Variables Consistency",
    "CI/CD Pipeline",
    "Kubernetes",
    "Database Migration Strategy",
    "Deployment Automation",
    "References and Versions",
)
Area = Literal[
    "Docker Configuration",
    "Environment Variables Consistency",
    "CI/CD Pipeline",
    "Kubernetes",
    "Database Migration Strategy",
    "Deployment Automation",
    "References and Versions",
]


@dataclass(frozen=True, slots=True, order=True)
class Location:
    """One place that takes part in a finding, and the value that stands there."""

    path: str
    line: int
    value: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One cause, with every place that takes part. `rule` is the rule's id."""

    rule: str
    severity: Severity
    confidence: Confidence
    title: str
    remediation: str
    locations: tuple[Location, ...]
    kind: str = ""
    area: str = ""
    service: str = ""
    impact: str = ""
    evidence: str = ""
    occurrence: int = 1

    @property
    def fingerprint(self) -> str:
        """The finding's identity without line numbers, so that a baseline survives edits elsewhere in a
        file. `occurrence` tells apart those that differ in nothing else.
        """
        places = sorted({f"{place.path}\0{place.value}" for place in self.locations})
        if self.occurrence > 1:
            places.append(str(self.occurrence))
        return hashlib.sha256("\0".join([self.rule, *places]).encode("utf-8", "surrogatepass")).hexdigest()[:20]

    def by_value(self) -> dict[str, list[Location]]:
        """The locations grouped by value, in the order in which each value first stands."""
        groups: dict[str, list[Location]] = {}
        for place in self.locations:
            groups.setdefault(place.value, []).append(place)
        return groups


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule and its documentation. `check` yields findings from facts and does nothing else.

    `module` is the rule's `__name__`; the id is its last part in kebab-case, so that id, file, test and
    anchor agree.
    `kind` is the number of the seed audit's finding, where the rule stands for one.
    """

    module: str
    severity: Severity
    area: Area
    title: str
    what: str
    why: str
    example: str
    remedy: str
    kind: str = ""
    check: Callable[[Facts], Iterable[Finding]] = field(default=lambda _: (), repr=False, compare=False)

    @property
    def id(self) -> str:
        """The rule's id, as in reports, ignores and the reference page."""
        return self.module.rsplit(".", 1)[-1].replace("_", "-")

    def finding(  # noqa: PLR0913 - each is a field of the finding; all but two are optional
        self,
        title: str,
        locations: Iterable[tuple[Place, str]],
        *,
        confidence: Confidence = "high",
        severity: Severity | None = None,
        service: str = "",
        evidence: str = "",
        remedy: str = "",
    ) -> Finding:
        """A finding of this rule; locations are put in order and given once each."""
        return Finding(
            rule=self.id,
            severity=severity or self.severity,
            confidence=confidence,
            title=title,
            remediation=remedy or self.remedy,
            locations=tuple(_unique(locations)),
            kind=self.kind,
            area=self.area,
            service=service,
            impact=self.why,
            evidence=evidence,
        )


def _unique(locations: Iterable[tuple[Place, str]]) -> Iterator[Location]:
    seen: set[Location] = set()
    for place, value in locations:
        location = Location(place.path, max(1, place.line), value)
        if location not in seen:
            seen.add(location)
            yield location
