"""The report as JSON: `findings` and `unread`, in a form that stays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.audit.report.plain import as_json

if TYPE_CHECKING:
    from trimtab.audit.engine import Report
    from trimtab.audit.finding import Finding


def render(report: Report) -> str:
    """One JSON object, with a line end."""
    body = {
        "findings": [as_dict(finding) for finding in report.findings],
        "unread": [{"path": item.path, "reason": item.reason} for item in report.unread],
        "accepted": [
            {"rule": item.finding.rule, "title": item.finding.title, "reason": item.reason} for item in report.accepted
        ],
        "warnings": list(report.warnings),
        "files": report.files,
    }
    return as_json(body)


def as_dict(finding: Finding) -> dict[str, object]:
    """One finding; what is empty is left out, apart from what every finding has."""
    body: dict[str, object] = {
        "rule": finding.rule,
        "severity": finding.severity,
        "confidence": finding.confidence,
        "title": finding.title,
        "remediation": finding.remediation,
        "locations": [{"path": place.path, "line": place.line, "value": place.value} for place in finding.locations],
        "fingerprint": finding.fingerprint,
    }
    for key in ("kind", "area", "service", "evidence"):
        if getattr(finding, key):
            body[key] = getattr(finding, key)
    return body
