"""The report as Markdown, in the form of the audit that this product began with: summary, findings by
area, remediation plan.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from trimtab.audit.finding import AREAS, SEVERITIES
from trimtab.audit.report.plain import one_line

if TYPE_CHECKING:
    from trimtab.audit.engine import Report
    from trimtab.audit.finding import Finding

# The seed audit's priorities, and the severities that belong to each.
_PLAN = (
    ("P0 (within 24-48h)", "critical"),
    ("P1 (within sprint)", "high"),
    ("P2 (next sprint)", "medium"),
    ("P3 (backlog)", "low"),
)


def render(report: Report) -> str:
    """The whole document."""
    parts = ["# Deployment audit", "", *_summary(report)]
    if report.findings:
        parts += ["---", "", "## Findings by Area", ""]
    number = 0
    for area in AREAS:
        found = [finding for finding in report.findings if finding.area == area]
        if found:
            number += 1
            parts += [f"### {number}) {area}", ""]
            for index, finding in enumerate(found, start=1):
                parts += _finding(finding, f"{number}.{index}")
    parts += ["---", "", *_plan(report), *_unread(report), *_warnings(report)]
    return "\n".join(parts).rstrip() + "\n"


def _summary(report: Report) -> list[str]:
    counts = {severity: sum(one.severity == severity for one in report.findings) for severity in SEVERITIES}
    total = len(report.findings)
    said = (
        f"{total} finding{'' if total == 1 else 's'} in {report.files} files"
        if total
        else f"No findings in {report.files} files"
    )
    lines = ["## Executive Summary", "", f"{said}.", ""]
    lines += [f"- {severity.title()}: {count} finding{'' if count == 1 else 's'}" for severity, count in counts.items()]
    if report.accepted:
        lines.append(f"- Accepted, not counted: {len(report.accepted)}")
    top = list(dict.fromkeys(finding.remediation for finding in report.findings))[:3]
    if top:
        lines += ["", "Top actions:", *[f"- {_text(action)}" for action in top]]
    return [*lines, ""]


def _finding(finding: Finding, number: str) -> list[str]:
    lines = [f"#### {number} {finding.severity.upper()}: {_text(finding.title)}", "", "- Files:"]
    for value, places in finding.by_value().items():
        where = ", ".join(_code(f"{place.path}:{place.line}") for place in places)
        lines.append(f"  - {_code(value)} at {where}")
    lines += [
        f"- Impact: {_text(finding.impact)}",
        f"- Severity: {finding.severity.title()} (confidence: {finding.confidence})",
        f"- Recommendation: {_text(finding.remediation)}",
        f"- Rule: `{finding.rule}`",
    ]
    if finding.evidence:
        lines.append(f"- Service matched by: {_text(finding.evidence)}")
    return [*lines, ""]


def _plan(report: Report) -> list[str]:
    lines = ["## Remediation Plan", ""]
    for name, severity in _PLAN:
        found = [finding for finding in report.findings if finding.severity == severity]
        if found:
            lines += [
                f"{name}:",
                "",
                *[f"- {_text(finding.title)}: {_text(finding.remediation)}" for finding in found],
                "",
            ]
    if not report.findings:
        lines += ["Nothing to do.", ""]
    return lines


def _unread(report: Report) -> list[str]:
    if not report.unread:
        return []
    return ["## Not read", "", *[f"- {_code(item.path)}: {_text(item.reason)}" for item in report.unread], ""]


def _warnings(report: Report) -> list[str]:
    if not report.warnings:
        return []
    return ["## Ignores that were not applied", "", *[f"- {_text(warning)}" for warning in report.warnings], ""]


def _text(text: str) -> str:
    """One line in which nothing is taken for markup, wherever it stands."""
    escaped = re.sub(r"([\\`*_\[\]<>|~$&])", r"\\\1", one_line(text))
    return re.sub(r"^(\d*)([#+.)-])", r"\1\\\2", escaped)


def _code(text: str) -> str:
    """A code span, fenced by more backticks than stand in it. Source: CommonMark, code spans."""
    plain = one_line(text) or "(empty)"
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", plain)), default=0))
    blank = " " if "`" in plain else ""
    return f"{fence}{blank}{plain}{blank}{fence}"
