"""The report as SARIF 2.1.0 (OASIS), for code scanning: the first location is the result's, the others
are related ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from trimtab import __version__
from trimtab.audit.report.plain import as_json
from trimtab.audit.rules import all_rules

if TYPE_CHECKING:
    from trimtab.audit.engine import Report
    from trimtab.audit.finding import Finding, Location

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS = {"critical": "error", "high": "error", "medium": "warning", "low": "note"}
# GitHub sorts by this number: from 9 critical, from 7 high, from 4 medium.
_SCORES = {"critical": "9.5", "high": "8.0", "medium": "5.0", "low": "2.0"}


def render(report: Report) -> str:
    """One SARIF log with one run."""
    used = {finding.rule for finding in report.findings}
    rules = [rule for rule in all_rules() if rule.id in used]
    index = {rule.id: number for number, rule in enumerate(rules)}
    driver = {
        "name": "Trimtab",
        "semanticVersion": __version__,
        "informationUri": "https://github.com/trimtab/trimtab",
        "rules": [
            {
                "id": rule.id,
                "name": "".join(part.title() for part in rule.id.split("-")),
                "shortDescription": {"text": rule.title},
                "fullDescription": {"text": " ".join(rule.what.split())},
                "help": {"text": rule.remedy, "markdown": f"{rule.why}\n\n{rule.remedy}"},
                "defaultConfiguration": {"level": _LEVELS[rule.severity]},
                "properties": {"security-severity": _SCORES[rule.severity], "tags": [rule.area]},
            }
            for rule in rules
        ],
    }
    notices = [
        {"level": "warning", "message": {"text": _plain(text)}}
        for text in [*(f"{item.path} was not read: {item.reason}" for item in report.unread), *report.warnings]
    ]
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(finding, index[finding.rule]) for finding in report.findings],
        "invocations": [{"executionSuccessful": True, "toolExecutionNotifications": notices}],
    }
    return as_json({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]})


def _result(finding: Finding, index: int) -> dict[str, object]:
    groups = "; ".join(
        f"{value} at {', '.join(f'{place.path}:{place.line}' for place in places)}"
        for value, places in finding.by_value().items()
    )
    body: dict[str, object] = {
        "ruleId": finding.rule,
        "ruleIndex": index,
        "level": _LEVELS[finding.severity],
        "message": {"text": _plain(f"{finding.title}. {groups}. {finding.remediation}")},
        "locations": [_location(finding.locations[0])] if finding.locations else [],
        "partialFingerprints": {"trimtab/v1": finding.fingerprint},
        "properties": {
            "severity": finding.severity,
            "confidence": finding.confidence,
            **({"kind": finding.kind} if finding.kind else {}),
        },
    }
    if len(finding.locations) > 1:
        body["relatedLocations"] = [
            {"id": number, **_location(place), "message": {"text": _plain(place.value) or "(empty)"}}
            for number, place in enumerate(finding.locations[1:], start=1)
        ]
    return body


def _plain(text: str) -> str:
    """A message in which nothing is taken for an embedded link. Source: SARIF 2.1.0, 3.11.6."""
    return text.replace("](", "] (")


def _location(place: Location) -> dict[str, object]:
    return {
        "physicalLocation": {
            "artifactLocation": {"uri": quote(place.path), "uriBaseId": "%SRCROOT%"},
            "region": {"startLine": place.line},
        }
    }
