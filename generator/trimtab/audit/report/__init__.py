"""A report in the form that its reader needs: terminal, JSON, SARIF, Markdown or GitHub annotations."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from trimtab.errors import TrimtabError

if TYPE_CHECKING:
    from trimtab.audit.engine import Report

FORMATS = ("text", "json", "sarif", "markdown", "github")


def render(report: Report, form: str) -> str:
    """The report as text in one of `FORMATS`. Raises `TrimtabError` for any other."""
    return _renderer(form)(report)


def _renderer(form: str) -> Callable[[Report], str]:
    if form == "json":
        from trimtab.audit.report.as_json import render as chosen
    elif form == "sarif":
        from trimtab.audit.report.sarif import render as chosen
    elif form == "markdown":
        from trimtab.audit.report.markdown import render as chosen
    elif form == "github":
        from trimtab.audit.report.github import render as chosen
    elif form == "text":
        from trimtab.audit.report.text import render as chosen
    else:
        raise TrimtabError(f"{form!r} is no report format", f"Use one of {', '.join(FORMATS)}.")
    return chosen
