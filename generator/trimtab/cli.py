"""The command line: parse, call the pipeline, print, exit."""

from __future__ import annotations

import io
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from trimtab.audit.adopt.commands import register as register_adopt
from trimtab.audit.commands import register as register_audit
from trimtab.database.commands import register as register_database
from trimtab.errors import TrimtabError

if TYPE_CHECKING:
    from collections.abc import Iterable

app = typer.Typer(
    name="trimtab",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Destination = Annotated[Path, typer.Argument(help="Root of the generated repository.", metavar="[DEST]")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


def _print(lines: Iterable[str]) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))


def _print_json(value: object) -> None:
    import json

    readable = sys.stdout.encoding.lower().replace("-", "") == "utf8"  # elsewhere, what JSON itself escapes
    _print([json.dumps(value, indent=2, ensure_ascii=not readable)])


def _version(wanted: bool) -> None:
    if wanted:
        import trimtab

        _print([f"trimtab {trimtab.__version__}"])
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """One settings file, trimtab.yml, steers every deployment file of a repository.

    Exit codes: 0 clean, 1 drift or findings, 2 bad usage or settings, 3 a fault of trimtab, 130 interrupted.
    """


@app.command()
def init(
    destination: Annotated[Path, typer.Argument(metavar="DEST", help="The repository: a new or an existing folder.")],
    settings: Annotated[Path | None, typer.Option(help="Settings to start from; copied to DEST/trimtab.yml.")] = None,
    defaults: Annotated[bool, typer.Option("--defaults", help="Ask nothing: start from the starter settings.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace files that stand in the way.")] = False,
) -> None:
    """Generate every deployment file into DEST.

    Takes the settings from --settings, from DEST/trimtab.yml, from the sources in DEST, or from a few questions.

    Example: trimtab init shop --settings trimtab.yml
    """
    from trimtab import pipeline, starter
    from trimtab.transaction import complete

    complete(destination)
    source = settings or (destination / "trimtab.yml")
    if settings or source.exists():
        from trimtab.settings.load import read_settings_file

        text = read_settings_file(source)
    elif not defaults and (found := _detected(destination)):
        text = found
        _print([f"settings proposed from what is in {destination}: read trimtab.yml before you commit"])
    else:
        text = starter.starter_settings(destination, ask=None if defaults else _ask)
    written = pipeline.init(destination, text, source.name, force)
    _print([f"{len(written)} files written to {destination}"])
    if written:
        _print(
            [
                "Next: commit them, then",
                "  trimtab env                      # local secrets, into .env",
                "  docker compose up --build --wait # the whole platform, locally",
                "Later: edit trimtab.yml and run `trimtab sync`.",
            ]
        )
    if above := pipeline.repository_above(destination):
        _print([f"Note: git's repository begins at {above}, and CI reads no workflow from a folder below."])


def _detected(destination: Path) -> bytes | None:
    """Settings from the sources in a folder, if there are any that we know."""
    if not destination.is_dir():
        return None
    from trimtab.audit.adopt import proposed_settings

    return proposed_settings(destination)


def _ask(question: str, default: str) -> str:
    try:
        return str(typer.prompt(question, default=default))
    except typer.Abort as error:
        if isinstance(error.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from None
        _print([""])
        raise TrimtabError(
            "the input ended before every question was answered",
            "name the settings with --settings, or take the answers that are proposed with --defaults",
        ) from None


@app.command()
def render(
    file: Annotated[
        str | None, typer.Argument(metavar="[FILE]", help="One generated file, for standard output.")
    ] = None,
    settings: Annotated[Path, typer.Option(help="The settings file.")] = Path("trimtab.yml"),
    out: Annotated[Path | None, typer.Option(help="The folder to write everything to.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace other files that stand in the folder.")] = False,
) -> None:
    """Render to another folder, or one file to standard output; without either, list the files.

    Example: trimtab render --settings trimtab.yml --out /tmp/preview
    Example: trimtab render docker-compose.yml
    """
    from trimtab import pipeline

    tree = pipeline.render(settings)
    if file is not None:
        if file not in tree:
            from trimtab.settings.messages import closest

            close = closest(file, list(tree))
            help_ = f"did you mean '{close}'?" if close else "this command without a file lists them"
            raise TrimtabError(f"{file}: is not a generated file", help_)
        sys.stdout.buffer.write(tree[file].content)
    elif out is not None:
        written = pipeline.write_preview(out, tree, force)
        _print([f"{len(tree)} files in {out}, {len(written)} written"])
    else:
        _print(tree)


@app.command()
def check(
    destination: Destination = Path(),
    as_json: AsJson = False,
    every: Annotated[bool, typer.Option("--all", help="Name the files that are ok, too.")] = False,
    allow_edits: Annotated[
        bool, typer.Option("--allow-hand-edits", help="Hand edits alone are no drift: exit 0.")
    ] = False,
) -> None:
    """Tell which generated files differ from what the settings render; exit 1 if any does.

    ok: as rendered. stale: as rendered from older settings. hand-edited: neither. missing: deleted, or new.
    orphaned: no longer rendered.

    Example: trimtab check --json
    """
    from trimtab import pipeline, show

    repository = pipeline.open_repository(destination)
    result = pipeline.check(repository)
    if as_json:
        _print_json(show.check_json(result, repository.lines))
    else:
        _print(show.check_lines(result, repository.lines if result.causes else {}, every))
    edited = [f for f in result.files if f.state != "ok"]
    tolerated = allow_edits and all(f.state == "hand-edited" and f.current and not f.unresolved for f in edited)
    raise typer.Exit(0 if result.clean or tolerated else 1)


@app.command()
def diff(
    destination: Destination = Path(),
    paths: Annotated[list[str] | None, typer.Option("--path", help="Only this file; may be repeated.")] = None,
) -> None:
    """Show the drift: from what is on disk to what the settings render; exit 1 if there is any.

    Example: trimtab diff --path docker-compose.yml
    """
    from trimtab import pipeline

    lines = list(pipeline.diff(destination, paths or []))
    _print(lines)
    raise typer.Exit(1 if lines else 0)


@app.command()
def sync(
    destination: Destination = Path(),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the changes; write nothing.")] = False,
    restore: Annotated[bool, typer.Option("--restore", help="Bring deleted files back.")] = False,
    template_ref: Annotated[
        str | None, typer.Option(help="Move to this version of the template instead of the newest.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Bring the repository in line with trimtab.yml and the newest template, keeping every hand edit.

    Exit 1 if a conflict is left to you. A hand-edited file that would be deleted is kept as FILE.saved.

    Example: trimtab sync --dry-run
    """
    from trimtab import pipeline, show

    plan, changes = pipeline.sync(destination, restore=restore, dry_run=dry_run, ref=template_ref)
    if as_json:
        _print_json(show.plan_json(plan))
    else:
        _print(changes)
        _print(show.plan_lines(plan, dry_run))
    raise typer.Exit(0 if plan.clean else 1)


@app.command()
def env(destination: Destination = Path()) -> None:
    """Write local secrets: add to .env what .env.example has and it lacks, with random values for secrets.

    Example: trimtab env && docker compose up --build --wait
    """
    from trimtab import pipeline

    written = pipeline.write_local_env(destination)
    if not written.added:
        _print([".env has every variable already"])
        return
    count = f"{len(written.added)} variable{'s' if len(written.added) != 1 else ''}"
    _print([f".env: {count} added, {len(written.generated)} of them random secrets"])
    if written.ignored_now:
        _print([".gitignore: /.env added"])


@app.command()
def schema() -> None:
    """Print the JSON Schema of trimtab.yml, for editors.

    Example: trimtab schema > trimtab.schema.json
    """
    from trimtab.frameworks import Frameworks
    from trimtab.settings.json_schema import settings_schema
    from trimtab.sources import template_root

    _print_json(settings_schema(Frameworks(template_root()).names))


@app.command()
def frameworks(as_json: AsJson = False) -> None:
    """List the frameworks that can be named in the settings.

    Example: trimtab frameworks
    """
    from trimtab.frameworks import Frameworks
    from trimtab.sources import template_root

    known = Frameworks(template_root())
    rows: list[dict[str, Any]] = [
        {
            "name": name,
            "title": known[name]["title"],
            "kind": known[name]["kind"],
            "language": known[name]["language"],
            "port": known[name]["port"],
            "migrations": known[name].get("migrations") or [],
        }
        for name in known.names
    ]
    if as_json:
        _print_json(rows)
        return
    width = max(len(r["name"]) for r in rows)
    for r in rows:
        tools = f"; migrations: {', '.join(r['migrations'])}" if r["migrations"] else ""
        _print([f"{r['name']:{width}}  {r['title']}, {r['kind']} in {r['language']}, port {r['port']}{tools}"])


register_database(app)
register_audit(app)
register_adopt(app)


def _fail(error: TrimtabError) -> NoReturn:
    lines = error.message.splitlines() or [""]
    sys.stderr.write("".join(f"{line}\n" for line in lines))
    if error.help:
        sys.stderr.write(f"  {error.help}\n")
    raise SystemExit(error.exit_code)


def _interrupt(number: int, frame: object) -> NoReturn:
    del number, frame
    raise KeyboardInterrupt


def main() -> None:
    """Run the command line; every error ends here as one line and an exit code."""
    try:
        try:
            signal.signal(signal.SIGTERM, _interrupt)  # ends as Ctrl-C does: nothing half-done, nothing left over
            _run()
        finally:
            _uninterrupted()
    except KeyboardInterrupt:
        _uninterrupted()
        raise SystemExit(130) from None


def _uninterrupted() -> None:
    """What is left is Python's own end: a signal there would print a traceback of no concern to anybody."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def _run() -> None:
    try:
        if isinstance(sys.stdout, io.TextIOWrapper):  # what a terminal cannot show is no reason to fail
            sys.stdout.reconfigure(errors="backslashreplace")
        app()
    except TrimtabError as error:
        _fail(error)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what reads us has seen enough
        raise SystemExit(0) from None
    except Exception as error:
        if os.environ.get("TRIMTAB_DEBUG"):
            raise
        sys.stderr.write(f"trimtab: internal fault: {type(error).__name__}: {error}\n")
        sys.stderr.write("  this is a bug of ours: please report it, with what TRIMTAB_DEBUG=1 prints\n")
        raise SystemExit(3) from None
