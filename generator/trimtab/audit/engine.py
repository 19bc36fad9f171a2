"""The audit as a data flow: repository -> facts -> findings -> report. Nothing is run, written or fetched."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from trimtab.audit.facts.collect import collect
from trimtab.audit.facts.model import Facts
from trimtab.audit.finding import CONFIDENCES, SEVERITIES, Confidence, Finding, Location, Rule, Severity
from trimtab.audit.ignores import Accepted, apply_ignores
from trimtab.audit.rules import all_rules
from trimtab.errors import TrimtabError
from trimtab.repo import Repo, Unread

MAX_CONTINUED = 100


@dataclass(frozen=True, slots=True)
class Options:
    """What a caller can choose. `rules` limits the run to these ids; empty means all."""

    rules: tuple[str, ...] = ()
    min_confidence: Confidence = "low"
    fail_on: Severity | None = "low"
    baseline: frozenset[str] = frozenset()
    progress: Callable[[int, int], None] | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """The findings by severity, what was accepted by ignores or the baseline, and what could not be read."""

    findings: tuple[Finding, ...]
    unread: tuple[Unread, ...]
    accepted: tuple[Accepted, ...] = ()
    files: int = 0
    root: str = ""
    warnings: tuple[str, ...] = field(default=())

    def fails(self, fail_on: Severity | None) -> bool:
        """Whether a finding is at or above `fail_on`; never when that is None."""
        if fail_on is None:
            return False
        return any(SEVERITIES.index(one.severity) <= SEVERITIES.index(fail_on) for one in self.findings)


def audit(root: Path, options: Options = Options()) -> Report:
    """Audit the repository at `root`. Raises `TrimtabError` when there is no such directory or rule."""
    return audit_repo(Repo.from_disk(root), options, str(root))


def audit_repo(repo: Repo, options: Options = Options(), root: str = "") -> Report:
    """Audit a file tree that is already open."""
    chosen = _chosen(options.rules)
    facts = collect(repo, options.progress)
    findings = told_apart(sorted(_run(chosen, facts), key=_order))
    limit = CONFIDENCES.index(options.min_confidence)
    shown = [one for one in findings if CONFIDENCES.index(one.confidence) <= limit]
    kept, accepted, warnings = apply_ignores(shown, repo, facts)
    lines: dict[str, list[str]] = {}
    fresh = [_within_commands(one, repo, lines) for one in kept if one.fingerprint not in options.baseline]
    accepted += [Accepted(one, "recorded in the baseline") for one in kept if one.fingerprint in options.baseline]
    return Report(tuple(fresh), repo.unread, tuple(accepted), len(repo.files), root, tuple(warnings))


def _chosen(ids: Iterable[str]) -> list[Rule]:
    from trimtab.audit.rules import rule

    wanted = list(ids)
    return [rule(one) for one in wanted] if wanted else list(all_rules())


def _run(rules: list[Rule], facts: Facts) -> list[Finding]:
    """Every finding of every rule. What two services of one source have in common is one cause, so one finding."""
    found: dict[tuple[str, frozenset[Location] | str], Finding] = {}
    for rule in rules:
        for bare in rule.check(facts):
            finding = _with_evidence(_with_origins(bare, facts), facts)
            found.setdefault((finding.rule, frozenset(finding.locations) or finding.title), finding)
    return list(found.values())


def told_apart(findings: Iterable[Finding]) -> list[Finding]:
    """The findings with a fingerprint each: of those that differ in their lines only, the second is number 2."""
    seen: Counter[str] = Counter()
    told: list[Finding] = []
    for finding in findings:
        mark = finding.fingerprint
        seen[mark] += 1
        told.append(finding if seen[mark] == 1 else replace(finding, occurrence=seen[mark]))
    return told


def _with_origins(finding: Finding, facts: Facts) -> Finding:
    """A finding in a chart with the places in the values file that fill the lines of its templates."""
    places: dict[Location, None] = {}
    for one in finding.locations:
        places[one] = None
        for value, place in facts.origins.get((one.path, one.line), ()):
            if _stands_in(value, one.value):
                places[Location(place.path, place.line, one.value)] = None
    return finding if len(places) == len(finding.locations) else replace(finding, locations=tuple(places))


def _with_evidence(finding: Finding, facts: Facts) -> Finding:
    """A finding on one service in several files, with the reasons for which they were taken for one service."""
    if finding.evidence or not finding.service or len({one.path for one in finding.locations}) < 2:
        return finding
    named = [service for service in facts.services if service.name == finding.service]
    return replace(finding, evidence="; ".join(named[0].evidence)) if len(named) == 1 else finding


def _within_commands(finding: Finding, repo: Repo, lines: dict[str, list[str]]) -> Finding:
    """A finding with the line of a command of several lines that has the value, in place of the command's first."""
    for one in finding.locations:
        if one.path not in lines:
            lines[one.path] = ((repo.read(one.path) or "") if repo.is_file(one.path) else "").split("\n")
    places = tuple(dict.fromkeys(_continued(one, lines[one.path]) for one in finding.locations))
    return finding if places == finding.locations else replace(finding, locations=places)


def _continued(one: Location, lines: list[str]) -> Location:
    value = one.value.rsplit(": ", 1)[-1]
    for offset, line in enumerate(lines[one.line - 1 : one.line - 1 + MAX_CONTINUED] if value else ()):
        if value in line:
            return replace(one, line=one.line + offset)
        if not line.rstrip().endswith("\\"):
            break
    return one


def _stands_in(value: str, shown: str) -> bool:
    """Whether a value of a values file is what a location shows, or a part of it, or holds all of its words."""
    words = shown.split()
    if words and len(shown) > 3 and all(word in value for word in words):
        return True
    start = r"(?<![\w.-])" if value[:1].isalnum() else ""
    end = r"(?![\w-])" if value[-1:].isalnum() else ""
    return bool(value) and re.search(start + re.escape(value) + end, shown) is not None


def _order(finding: Finding) -> tuple[int, int, str, str, tuple[str, int]]:
    first = finding.locations[0] if finding.locations else None
    return (
        SEVERITIES.index(finding.severity),
        CONFIDENCES.index(finding.confidence),
        finding.kind or "~",
        finding.rule,
        (first.path, first.line) if first else ("", 0),
    )


def severity(text: str) -> Severity:
    """A severity by its name. Raises `TrimtabError` for any other word."""
    for known in SEVERITIES:
        if text == known:
            return known
    raise TrimtabError(f"{text!r} is no severity", f"Use one of {', '.join(SEVERITIES)}.")


def confidence(text: str) -> Confidence:
    """A confidence by its name. Raises `TrimtabError` for any other word."""
    for known in CONFIDENCES:
        if text == known:
            return known
    raise TrimtabError(f"{text!r} is no confidence", f"Use one of {', '.join(CONFIDENCES)}.")
