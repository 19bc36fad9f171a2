"""The report for a terminal: 80 columns, coloured only by the caller's word."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from trimtab.audit.finding import SEVERITIES
from trimtab.audit.report.plain import clean, one_line

if TYPE_CHECKING:
    from trimtab.audit.engine import Report
    from trimtab.audit.finding import Finding

WIDTH = 80
MAX_PLACES = 8
MAX_UNREAD = 10
_COLOURS = {"critical": "\033[1;31m", "high": "\033[31m", "medium": "\033[33m", "low": "\033[36m"}
_RESET = "\033[0m"


def render(report: Report, *, colour: bool = False) -> str:
    """Every finding with its places grouped by value, then the counts and what was not read."""
    lines: list[str] = []
    for finding in report.findings:
        lines += _finding(finding, colour=colour)
    counts = [
        f"{count} {severity}"
        for severity in SEVERITIES
        if (count := sum(one.severity == severity for one in report.findings))
    ]
    total = len(report.findings)
    lines.append(f"{total} finding{'' if total == 1 else 's'} ({', '.join(counts)})" if total else "No findings.")
    if report.accepted:
        lines.append(f"{len(report.accepted)} accepted by ignores or the baseline.")
    lines += [line for warning in report.warnings for line in _wrap(f"warning: {warning}", "")]
    if report.unread:
        lines.append(f"{len(report.unread)} not read:")
        for item in report.unread[:MAX_UNREAD]:
            lines += _wrap(f"{item.path}: {item.reason}", "  ")
        if len(report.unread) > MAX_UNREAD:
            lines.append(f"  and {len(report.unread) - MAX_UNREAD} more: see --format json")
    return "\n".join(lines) + "\n"


def _finding(finding: Finding, *, colour: bool) -> list[str]:
    tag = finding.severity.upper()
    head = _wrap(f"{tag} {finding.title}", "", hang="  ")
    if colour:
        head[0] = head[0].replace(tag, f"{_COLOURS[finding.severity]}{tag}{_RESET}", 1)
    lines = [*head, f"  [{finding.rule}] confidence: {finding.confidence}"]
    for value, places in finding.by_value().items():
        lines += _wrap(value or "(empty)", "  ", hang="    ")
        lines += [f"    {clean(place.path)}:{place.line}" for place in places[:MAX_PLACES]]
        if len(places) > MAX_PLACES:
            lines.append(f"    and {len(places) - MAX_PLACES} more")
    if finding.evidence:
        lines += _wrap(f"matched by: {finding.evidence}", "  ", hang="       ")
    return [*lines, *_wrap(f"fix: {finding.remediation}", "  ", hang="       "), ""]


def _wrap(text: str, indent: str, hang: str | None = None) -> list[str]:
    return textwrap.wrap(
        one_line(text),
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent if hang is None else hang,
        break_on_hyphens=False,
        break_long_words=False,
    ) or [indent]
