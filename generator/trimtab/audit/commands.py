"""The commands `audit`, `explain` and `rules`: parse, call one function, print, exit. `register` adds
them to an app.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from trimtab.errors import TrimtabError

CLEAN, FINDINGS = 0, 1


def register(app: typer.Typer) -> None:
    """Add the audit's commands to `app`. They raise `TrimtabError` for what the user can mend."""
    app.command(name="audit")(audit_command)
    app.command(name="explain")(explain_command)
    app.command(name="rules")(rules_command)


def audit_command(  # noqa: PLR0913, PLR0917 - each is an option of the command line
    directory: Annotated[Path, typer.Argument(help="The repository to audit.", show_default=".")] = Path(),
    output_format: Annotated[
        str, typer.Option("--format", "-f", help="text, json, sarif, markdown or github.")
    ] = "text",
    fail_on: Annotated[
        str,
        typer.Option(help="Exit 1 for findings of this severity or above: critical, high, medium, low, or never."),
    ] = "low",
    min_confidence: Annotated[
        str, typer.Option(help="Leave out findings below this confidence: high, medium or low.")
    ] = "low",
    rule: Annotated[list[str] | None, typer.Option("--rule", "-r", help="Run this rule only; may be repeated.")] = None,
    baseline: Annotated[Path | None, typer.Option(help="Leave out the findings recorded in this file.")] = None,
    write_baseline: Annotated[
        Path | None, typer.Option(help="Record today's findings in this file and exit 0.")
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write the report to this file.")] = None,
) -> None:
    """Report where a repository's deployment files disagree. Reads only; runs nothing and uses no network.

    Example: trimtab audit . --fail-on high
    """
    from trimtab.audit import baseline as recorded
    from trimtab.audit import engine
    from trimtab.audit.report import FORMATS

    if output_format not in FORMATS:
        raise TrimtabError(f"{output_format!r} is no report format", f"Use one of {', '.join(FORMATS)}.")
    limit = None if fail_on == "never" else engine.severity(fail_on)
    options = engine.Options(
        rules=tuple(rule or ()),
        min_confidence=engine.confidence(min_confidence),
        fail_on=limit,
        baseline=recorded.load(baseline) if baseline else frozenset(),
        progress=_progress(),
    )
    report = engine.audit(directory, options)
    if write_baseline:
        _write(write_baseline, recorded.dump(report))
        typer.echo(f"{len(report.findings)} findings recorded in {write_baseline}", err=True)
        raise typer.Exit(CLEAN)
    _emit(_rendered(report, output_format, to_file=output is not None), output)
    raise typer.Exit(FINDINGS if report.fails(limit) else CLEAN)


def explain_command(
    rule: Annotated[str, typer.Argument(help="A rule's id, or the number of a finding of the seed audit.")],
) -> None:
    """Explain one rule: what it does, why the pattern is bad, an example, and the remedy.

    Example: trimtab explain port-mismatch
    """
    from trimtab.audit.reference import explain
    from trimtab.audit.rules import rule as find

    typer.echo(explain(find(rule)).rstrip("\n"))


def rules_command(
    as_json: Annotated[bool, typer.Option("--json", help="Every rule with its documentation, as JSON.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="The reference page, as docs/rules.md has it.")] = False,
) -> None:
    """List the audit's rules.

    Example: trimtab rules --json
    """
    from trimtab.audit import reference
    from trimtab.audit.rules import all_rules

    if as_json:
        typer.echo(reference.as_json(), nl=False)
    elif markdown:
        typer.echo(reference.page(), nl=False)
    else:
        for one in all_rules():
            typer.echo(f"{one.severity:<9} {one.id:<33} {one.title}")


def _rendered(report: object, form: str, *, to_file: bool) -> str:
    from trimtab.audit.engine import Report
    from trimtab.audit.report import render, text

    assert isinstance(report, Report)  # noqa: S101 - named late, since the engine is imported late
    return text.render(report, colour=not to_file and _coloured()) if form == "text" else render(report, form)


def _coloured() -> bool:
    """Whether standard output takes colours: on a terminal, unless the user says otherwise. Sources: no-color.org and
    force-color.org, where an empty variable says nothing.
    """
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def _emit(text: str, output: Path | None) -> None:
    if output is not None:
        _write(output, text)
    else:
        typer.echo(text, nl=False, color=True)  # what is coloured was decided before


def _write(path: Path, text: str) -> None:
    from trimtab.single_file import write_file

    write_file(path, text.encode())


def _progress() -> Callable[[int, int], None] | None:
    """A bar on a terminal's standard error, shown when the run takes longer than a second."""
    if not sys.stderr.isatty():
        return None
    start = time.monotonic()
    width = 40

    def show(done: int, total: int) -> None:
        if total and time.monotonic() - start > 1:
            filled = width * done // total
            end = "\r\033[K" if done >= total else ""
            sys.stderr.write(f"\r[{'#' * filled}{' ' * (width - filled)}] {done}/{total} files{end}")
            sys.stderr.flush()

    return show
