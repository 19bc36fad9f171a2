"""How each migration tool lays out a migration. To add a tool: one function here, and its entry in LAYOUTS.

A layout gets the migrations to write, oldest first, and returns {path in the migration directory: text}.
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from trimtab.database.indexes import Index
from trimtab.errors import TrimtabError


@dataclass(frozen=True)
class Migration:
    """What becomes one migration: either a single concurrent index or a run of ordinary ones."""

    slug: str
    indexes: tuple[Index, ...]

    @property
    def concurrently(self) -> bool:
        """Whether it must run outside of a transaction."""
        return self.indexes[0].concurrently

    @property
    def up(self) -> str:
        """The statements, one a line."""
        return "".join(f"{index.create}\n" for index in self.indexes)

    @property
    def down(self) -> str:
        """The statements that undo them, last first."""
        return "".join(f"{index.drop}\n" for index in reversed(self.indexes))


Layout = Callable[[Path, list[Migration], datetime], dict[str, str]]


def diesel(_directory: Path, migrations: list[Migration], now: datetime) -> dict[str, str]:
    """One folder a migration; metadata.toml only where there must be no transaction."""
    files: dict[str, str] = {}
    for second, migration in enumerate(migrations):
        folder = f"{now + timedelta(seconds=second):%Y-%m-%d-%H%M%S}_{migration.slug}"
        files[f"{folder}/up.sql"] = migration.up
        files[f"{folder}/down.sql"] = migration.down
        if migration.concurrently:
            files[f"{folder}/metadata.toml"] = "run_in_transaction = false\n"
    return files


def prisma(_directory: Path, migrations: list[Migration], now: datetime) -> dict[str, str]:
    """One folder a migration. Prisma has no down migrations."""
    return {
        f"{now + timedelta(seconds=second):%Y%m%d%H%M%S}_{migration.slug}/migration.sql": migration.up
        for second, migration in enumerate(migrations)
    }


def plain_sql(directory: Path, migrations: list[Migration], now: datetime) -> dict[str, str]:
    """Trimtab's own layout: NUMBER_name.sql, NUMBER_name.down.sql."""
    return _up_and_down(directory, migrations, now, up="", marker="-- no-transaction\n")


def sqlx(directory: Path, migrations: list[Migration], now: datetime) -> dict[str, str]:
    """Simple or reversible, like what is there already, since sqlx refuses to mix the two."""
    simple = any(not re.search(r"\.(up|down)\.sql$", file.name) for file in directory.glob("*_*.sql"))
    files = _up_and_down(directory, migrations, now, up="" if simple else ".up", marker="-- no-transaction\n")
    return {path: text for path, text in files.items() if not (simple and path.endswith(".down.sql"))}


def golang_migrate(directory: Path, migrations: list[Migration], now: datetime) -> dict[str, str]:
    """NUMBER_title.up.sql and .down.sql; a file with one statement is in no transaction by itself."""
    return _up_and_down(directory, migrations, now, up=".up", marker="")


def goose(directory: Path, migrations: list[Migration], now: datetime) -> dict[str, str]:
    """One annotated file a migration."""
    return {
        f"{number}_{migration.slug}.sql": ("-- +goose NO TRANSACTION\n" if migration.concurrently else "")
        + f"-- +goose Up\n{migration.up}\n-- +goose Down\n{migration.down}"
        for number, migration in zip(_numbers(directory, len(migrations), now), migrations, strict=True)
    }


def flyway(directory: Path, migrations: list[Migration], _now: datetime) -> dict[str, str]:
    """V<next>__name.sql. Flyway has no free down migrations, and sees by itself what cannot be in a transaction."""
    used = [int(m[1]) for f in directory.rglob("V*__*.sql") if (m := re.match(r"V(\d+)", f.name))]
    first = max(used, default=0) + 1
    return {f"V{first + n}__{migration.slug}.sql": migration.up for n, migration in enumerate(migrations)}


def alembic(directory: Path, migrations: list[Migration], now: datetime) -> dict[str, str]:
    """One revision a migration, on top of the one head that there is."""
    versions = directory / "versions" if (directory / "versions").is_dir() else directory
    parent = _alembic_head(versions)
    files: dict[str, str] = {}
    for migration in migrations:
        revision = hashlib.sha256(f"{parent}{migration.up}".encode()).hexdigest()[:12]
        upgrade = [index.create for index in migration.indexes]
        downgrade = [index.drop for index in reversed(migration.indexes)]
        text = ALEMBIC.format(
            message=migration.slug.replace("_", " "), revision=revision, parent=parent,
            now=f"{now:%Y-%m-%d %H:%M:%S}",
            upgrade=_alembic_body(upgrade, migration.concurrently),
            downgrade=_alembic_body(downgrade, migration.concurrently),
        )  # fmt: skip
        files[(versions / f"{revision}_{migration.slug}.py").relative_to(directory).as_posix()] = text
        parent = revision
    return files


def django(directory: Path, migrations: list[Migration], _now: datetime) -> dict[str, str]:
    """RunSQL in the app whose `migrations` folder is given; the app's label is the folder above it."""
    existing = sorted(f.stem for f in directory.glob("[0-9]*_*.py"))
    parent = existing[-1] if existing else None
    number = int(parent.split("_")[0]) if parent else 0
    files: dict[str, str] = {}
    for migration in migrations:
        number += 1
        name = f"{number:04}_{migration.slug}"
        operations = "".join(
            f"        migrations.RunSQL(sql={index.create!r}, reverse_sql={index.drop!r}),\n"
            for index in migration.indexes
        )
        depends = f"[({directory.resolve().parent.name!r}, {parent!r})]" if parent else "[]"
        files[f"{name}.py"] = DJANGO.format(atomic=not migration.concurrently, depends=depends, operations=operations)
        parent = name
    return files


def rails(directory: Path, migrations: list[Migration], now: datetime) -> dict[str, str]:
    """One class a migration, of the oldest version of its interface that has `/up`, which the framework asks for."""
    return {
        f"{number}_{migration.slug}.rb": RAILS.format(
            name=_camel(migration.slug),
            outside="  disable_ddl_transaction!\n\n" if migration.concurrently else "",
            up=_indented(migration.up, 6),
            down=_indented(migration.down, 6),
        )
        for number, migration in zip(_numbers(directory, len(migrations), now), migrations, strict=True)
    }


def laravel(_directory: Path, migrations: list[Migration], now: datetime) -> dict[str, str]:
    """One anonymous class a migration, each statement on its own."""
    return {
        f"{now + timedelta(seconds=second):%Y_%m_%d_%H%M%S}_{migration.slug}.php": LARAVEL.format(
            outside="    public $withinTransaction = false;\n\n" if migration.concurrently else "",
            up="".join(LARAVEL_STATEMENT.format(index.create) for index in migration.indexes),
            down="".join(LARAVEL_STATEMENT.format(index.drop) for index in reversed(migration.indexes)),
        )
        for second, migration in enumerate(migrations)
    }


def ecto(directory: Path, migrations: list[Migration], now: datetime) -> dict[str, str]:
    """One module a migration, each statement on its own."""
    return {
        f"{number}_{migration.slug}.exs": ECTO.format(
            name=_camel(migration.slug),
            outside=ECTO_OUTSIDE if migration.concurrently else "",
            up="".join(ECTO_STATEMENT.format(index.create) for index in migration.indexes),
            down="".join(ECTO_STATEMENT.format(index.drop) for index in reversed(migration.indexes)),
        )
        for number, migration in zip(_numbers(directory, len(migrations), now), migrations, strict=True)
    }


# Not `ef`: beside each of its migrations stands a model of the whole schema, which only its program writes.
LAYOUTS: dict[str, Layout] = {
    "alembic": alembic,
    "diesel": diesel,
    "django": django,
    "ecto": ecto,
    "flyway": flyway,
    "golang-migrate": golang_migrate,
    "goose": goose,
    "laravel": laravel,
    "prisma": prisma,
    "rails": rails,
    "sql": plain_sql,
    "sqlx": sqlx,
}


def _up_and_down(directory: Path, migrations: list[Migration], now: datetime, up: str, marker: str) -> dict[str, str]:
    files: dict[str, str] = {}
    for number, migration in zip(_numbers(directory, len(migrations), now), migrations, strict=True):
        head = marker if migration.concurrently else ""
        files[f"{number}_{migration.slug}{up}.sql"] = head + migration.up
        files[f"{number}_{migration.slug}.down.sql"] = head + migration.down
    return files


def _numbers(directory: Path, count: int, now: datetime) -> list[str]:
    """The next versions in the directory's own habit: timestamps, or numbers of one width."""
    used = [m[1] for f in directory.iterdir() if (m := re.match(r"(\d+)_", f.name))]
    newest = max(used, key=int, default="")
    if not newest or len(newest) >= 14:
        stamps = [f"{now + timedelta(seconds=n):%Y%m%d%H%M%S}" for n in range(count)]
        if newest and int(newest) >= int(stamps[0]):
            raise TrimtabError(
                f"{directory}: the version {newest} lies in the future", "Correct that migration's name."
            )
        return stamps
    return [str(int(newest) + n).zfill(len(newest)) for n in range(1, count + 1)]


def _camel(slug: str) -> str:
    return "".join(part.capitalize() for part in slug.split("_"))


def _indented(text: str, columns: int) -> str:
    return "".join(f"{' ' * columns}{line}\n" for line in text.splitlines())


def _alembic_head(versions: Path) -> str | None:
    revisions: set[str] = set()
    parents: set[str] = set()
    for file in sorted(versions.glob("*.py")):
        for name, value in _assignments(file).items():
            values = value if isinstance(value, (tuple, list)) else [value]
            if name == "revision":
                revisions.update(str(v) for v in values)
            elif name == "down_revision":
                parents.update(str(v) for v in values if v is not None)
    heads = sorted(revisions - parents)
    if len(heads) > 1:
        raise TrimtabError(f"{versions}: several heads: {', '.join(heads)}", "Run `alembic merge heads` first.")
    return heads[0] if heads else None


def _assignments(file: Path) -> dict[str, object]:
    found: dict[str, object] = {}
    for node in ast.parse(file.read_text(encoding="utf-8"), str(file)).body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and isinstance(target, ast.Name) and node.value:
            try:
                found[target.id] = ast.literal_eval(node.value)
            except ValueError:
                continue
    return found


def _alembic_body(statements: list[str], concurrently: bool) -> str:
    lines = [f"op.execute({statement!r})" for statement in statements]
    if concurrently:
        lines = ["with op.get_context().autocommit_block():", *(f"    {line}" for line in lines)]
    return "\n".join(f"    {line}" for line in lines)


ALEMBIC = '''"""{message}

Revision ID: {revision}
Revises: {parent}
Create Date: {now}
"""

from alembic import op

revision = {revision!r}
down_revision = {parent!r}
branch_labels = None
depends_on = None


def upgrade() -> None:
{upgrade}


def downgrade() -> None:
{downgrade}
'''

DJANGO = """from django.db import migrations


class Migration(migrations.Migration):
    atomic = {atomic}

    dependencies = {depends}

    operations = [
{operations}    ]
"""

RAILS = """class {name} < ActiveRecord::Migration[7.1]
{outside}  def up
    execute <<~'SQL'
{up}    SQL
  end

  def down
    execute <<~'SQL'
{down}    SQL
  end
end
"""

LARAVEL = """<?php

use Illuminate\\Database\\Migrations\\Migration;
use Illuminate\\Support\\Facades\\DB;

return new class extends Migration
{{
{outside}    public function up(): void
    {{
{up}    }}

    public function down(): void
    {{
{down}    }}
}};
"""
LARAVEL_STATEMENT = """        DB::unprepared(<<<'SQL'
            {}
            SQL);
"""

ECTO = """defmodule Migrations.{name} do
  use Ecto.Migration

{outside}  def up do
{up}  end

  def down do
{down}  end
end
"""
ECTO_OUTSIDE = "  @disable_ddl_transaction true\n  @disable_migration_lock true\n\n"
ECTO_STATEMENT = '''    execute(~S"""
    {}
    """)
'''
