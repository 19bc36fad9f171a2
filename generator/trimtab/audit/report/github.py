"""The report as workflow commands, which GitHub shows beside the lines of a pull request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.audit.report.plain import clean, one_line

if TYPE_CHECKING:
    from trimtab.audit.engine import Report

_LEVELS = {"critical": "error", "high": "error", "medium": "warning", "low": "notice"}


def render(report: Report) -> str:
    """One annotation per finding, at its first place, with the others in the message; then what was not read, and
    ignores that were not applied.
    """
    lines = []
    for finding in report.findings:
        groups = [
            one_line(f"{value}: {', '.join(f'{place.path}:{place.line}' for place in places)}")
            for value, places in finding.by_value().items()
        ]
        message = "\n".join([one_line(finding.title), *groups, one_line(finding.remediation)])
        first = finding.locations[0] if finding.locations else None
        where = f"file={_property(first.path)},line={first.line}," if first else ""
        lines.append(
            f"::{_LEVELS[finding.severity]} {where}title={_property(f'{finding.severity}: {finding.rule}')}::{_data(message)}"  # noqa: E501
        )
    lines.extend(f"::notice title=not read::{_data(one_line(f'{item.path}: {item.reason}'))}" for item in report.unread)
    lines.extend(f"::warning title=not applied::{_data(one_line(warning))}" for warning in report.warnings)
    return "".join(line + "\n" for line in lines)


def _data(text: str) -> str:
    """Escaped as the runner reads a command's message. Source: actions/toolkit,
    packages/core/src/command.ts.
    """
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(clean(text)).replace(":", "%3A").replace(",", "%2C")
