"""The command `adopt`: parse, call, print, exit. `register` adds it to an app."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from trimtab.errors import TrimtabError


def register(app: typer.Typer) -> None:
    """Add `adopt` to `app`. It raises TrimtabError for what the user can mend."""
    app.command(name="adopt")(adopt_command)


def adopt_command(
    directory: Annotated[Path, typer.Argument(help="The repository to adopt.", show_default=".")] = Path(),
    out: Annotated[
        Path | None, typer.Option(help="Write the proposed settings to this file, and nothing else.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file of --out.")] = False,
    generate: Annotated[
        bool, typer.Option("--generate", help="Write trimtab.yml and every generated file into the repository.")
    ] = False,
) -> None:
    """Propose a trimtab.yml from the files of an existing repository, each value with its evidence.

    Prints the settings to standard output; what could not be adopted, and the files that the generated ones would
    replace, to standard error. With --generate nothing uncommitted is ever overwritten.

    Example: trimtab adopt . --out trimtab.yml
    Example: trimtab adopt . --generate
    """
    from trimtab.audit.adopt.propose import propose
    from trimtab.audit.adopt.replaced import rendered, write_generated
    from trimtab.frameworks import Frameworks
    from trimtab.sources import template_root
    from trimtab.transaction import complete

    if out is not None and generate:
        raise TrimtabError("--out and --generate exclude each other", "--generate writes trimtab.yml itself")
    if out is not None and out.exists() and not force:
        raise TrimtabError(f"{out}: there is one already", "name another file, or pass --force to replace it")
    if generate:
        complete(directory)
    proposal = propose(directory, Frameworks(template_root()))
    made = rendered(proposal.raw)
    replaced = set(made)
    if generate:
        done = write_generated(directory, made)
        replaced -= {path for path, _ in done.kept}
        typer.echo(f"{len(done.written)} files written to {directory}")
        _tell("left alone", [f"{path} ({why})" for path, why in done.kept])
        if done.kept:
            typer.echo(
                "commit what is yours, then `trimtab diff` shows each difference and `trimtab sync` keeps your edits",
                err=True,
            )
    elif out is not None:
        from trimtab.single_file import write_file

        write_file(out, proposal.raw)
    else:
        sys.stdout.buffer.write(proposal.raw)
        sys.stdout.buffer.flush()
    _tell("not adopted", proposal.left_out)
    _tell("not read", proposal.unread)
    _tell("replaced where they stand", [path for path, _ in proposal.replaced if path in replaced])
    _tell(
        "replaced by generated files, so remove them once those serve you",
        [f"{path} -> {by}" for path, by in proposal.replaced if path not in made],
    )


def _tell(heading: str, lines: list[str] | tuple[str, ...]) -> None:
    if lines:
        typer.echo(f"{heading}:", err=True)
        for line in lines:
            typer.echo(f"  {''.join(char if char.isprintable() else '?' for char in line)}", err=True)
