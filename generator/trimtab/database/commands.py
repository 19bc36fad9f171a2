"""Commands on migrations."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add this module's commands to the command line."""
    app.command("adopt-indexes")(adopt_indexes)


def adopt_indexes(
    script: Annotated[Path, typer.Argument(help="SQL script that creates indexes outside of the migrations.")],
    tool: Annotated[str, typer.Option(help="Migration tool, as in `migrations.tool`.")],
    directory: Annotated[Path, typer.Option(help="Folder of the migrations.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the files; write nothing.")] = False,
) -> None:
    """Fold a stray index script into the migrations, as proper migrations of their tool.

    Example: trimtab adopt-indexes scripts/indexes.sql --tool alembic --directory api/alembic/versions
    """
    from datetime import UTC, datetime

    from trimtab.database.adopt import plan_adoption, write_adoption

    adoption = plan_adoption(script, tool, directory, datetime.now(UTC))
    if not dry_run:
        write_adoption(adoption, directory)
    for path, text in adoption.files.items():
        typer.echo(f"{'would write' if dry_run else 'wrote'} {directory / path}")
        if dry_run:
            typer.echo("".join(f"    {line}\n" for line in text.splitlines()))
    typer.echo("\nAdd to the service's settings:\n  migrations:\n    expect_indexes:")
    for entry in adoption.entries:
        typer.echo(f"      - {entry}")
    typer.echo(f"Then delete {script} and whatever still runs it.")
