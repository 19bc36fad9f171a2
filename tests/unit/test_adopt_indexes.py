"""`trimtab adopt-indexes`: what it reads, refuses and writes, per tool."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

pytest.importorskip("pglast", reason="pglast is not installed (pip install 'trimtab[sql]')")

from trimtab.database.adopt import Adoption, plan_adoption, write_adoption
from trimtab.database.commands import register
from trimtab.database.layouts import LAYOUTS
from trimtab.errors import TrimtabError

NOW = datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC)
SCRIPT = """-- indexes, é
BEGIN;
CREATE INDEX idx_a ON users (a);
create unique index if not exists idx_b on app.users (b);
COMMIT;
CREATE INDEX CONCURRENTLY "Idx C" ON users (c) WHERE c > ';';
"""


def plan(tmp_path: Path, tool: str, sql: str = SCRIPT, **existing: str) -> Adoption:
    directory = tmp_path / "shop/migrations"
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in existing.items():
        (directory / name.removeprefix("_").replace("__dot__", ".")).write_text(text)
    script = tmp_path / "20250102000000_add_performance_indexes.sql"
    script.write_text(sql)
    return plan_adoption(script, tool, directory, NOW)


def test_diesel_gets_folders_and_metadata_only_for_the_concurrent_index(tmp_path: Path) -> None:
    adoption = plan(tmp_path, "diesel")
    assert adoption.entries == ["users.idx_a", "app.users.idx_b", "users.Idx C"]
    assert adoption.files == {
        "2025-01-02-030405_add_performance_indexes/up.sql": (
            "CREATE INDEX IF NOT EXISTS idx_a ON users (a);\n"
            "create unique index if not exists idx_b on app.users (b);\n"
        ),
        "2025-01-02-030405_add_performance_indexes/down.sql": (
            "DROP INDEX IF EXISTS app.idx_b;\nDROP INDEX IF EXISTS idx_a;\n"
        ),
        "2025-01-02-030406_add_idx_c/up.sql": (
            """CREATE INDEX CONCURRENTLY IF NOT EXISTS "Idx C" ON users (c) WHERE c > ';';\n"""
        ),
        "2025-01-02-030406_add_idx_c/down.sql": 'DROP INDEX CONCURRENTLY IF EXISTS "Idx C";\n',
        "2025-01-02-030406_add_idx_c/metadata.toml": "run_in_transaction = false\n",
    }


@pytest.mark.parametrize(
    ("tool", "existing", "expected"),
    [
        ("sql", {}, ["20250102030405_add_performance_indexes", "20250102030406_add_idx_c"]),
        ("sql", {"_009_x__dot__sql": ""}, ["010_add_performance_indexes", "011_add_idx_c"]),
        ("goose", {"_00009_x__dot__sql": ""}, ["00010_add_performance_indexes", "00011_add_idx_c"]),
        ("flyway", {"V9__x__dot__sql": ""}, ["V10__add_performance_indexes", "V11__add_idx_c"]),
        ("django", {"_0009_x__dot__py": ""}, ["0010_add_performance_indexes", "0011_add_idx_c"]),
        ("golang-migrate", {"_9_x.up__dot__sql": ""}, ["10_add_performance_indexes.up", "11_add_idx_c.up"]),
        ("rails", {}, ["20250102030405_add_performance_indexes", "20250102030406_add_idx_c"]),
        ("ecto", {}, ["20250102030405_add_performance_indexes", "20250102030406_add_idx_c"]),
        ("laravel", {}, ["2025_01_02_030405_add_performance_indexes", "2025_01_02_030406_add_idx_c"]),
        ("sqlx", {"_9_x__dot__sql": ""}, ["10_add_performance_indexes", "11_add_idx_c"]),
        ("sqlx", {"_9_x.up__dot__sql": ""}, ["10_add_performance_indexes.up", "11_add_idx_c.up"]),
    ],
)
def test_numbers_continue_what_is_there(
    tmp_path: Path, tool: str, existing: dict[str, str], expected: list[str]
) -> None:
    files = [Path(f).stem for f in plan(tmp_path, tool, **existing).files if not f.endswith(".down.sql")]
    assert files == expected


def test_tools_mark_what_must_be_outside_of_a_transaction(tmp_path: Path) -> None:
    last = {tool: [t for f, t in plan(tmp_path, tool).files.items() if "down" not in f][-1] for tool in LAYOUTS}
    assert last["sqlx"].startswith("-- no-transaction\nCREATE INDEX CONCURRENTLY")
    assert last["sql"].startswith("-- no-transaction\nCREATE INDEX CONCURRENTLY")
    assert last["goose"].startswith("-- +goose NO TRANSACTION\n-- +goose Up\nCREATE INDEX CONCURRENTLY")
    assert "autocommit_block" in last["alembic"]
    assert "atomic = False" in last["django"]
    assert "disable_ddl_transaction!" in last["rails"]
    assert "$withinTransaction = false;" in last["laravel"]
    assert "@disable_ddl_transaction true" in last["ecto"]
    assert last["golang-migrate"].count(";\n") == last["prisma"].count(";\n") == last["flyway"].count(";\n") == 1


@pytest.mark.parametrize("tool", sorted(LAYOUTS))
def test_python_migrations_compile_and_every_file_is_new(tmp_path: Path, tool: str) -> None:
    adoption = plan(tmp_path, tool)
    assert len(adoption.files) >= 2
    write_adoption(adoption, tmp_path / "shop/migrations")
    for path, text in adoption.files.items():
        if path.endswith(".py"):
            compile(text, path, "exec")
    with pytest.raises(TrimtabError, match="already speaks of"):
        plan(tmp_path, tool)


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("CREATE INDEX i ON t (a);\nANALYZE t;", r"\.sql:2: not a CREATE INDEX: ANALYZE t"),
        ("CREATE INDEX ON t (a);", "has no name"),
        ("CREATE INDEX i ON t (a); CREATE INDEX i ON t (b);", "i is created twice"),
        ('CREATE INDEX "a.b" ON t (a);', "a dot in the name"),
        ("\\echo hello\nCREATE INDEX i ON t (a);", "syntax error"),
        ("-- nothing\n", "no CREATE INDEX"),
    ],
)
def test_what_cannot_be_adopted_whole_is_refused(tmp_path: Path, sql: str, message: str) -> None:
    with pytest.raises(TrimtabError, match=message):
        plan(tmp_path, "diesel", sql)


def test_an_index_whose_name_only_begins_alike_is_no_duplicate(tmp_path: Path) -> None:
    assert plan(tmp_path, "sql", **{"_1_x__dot__sql": "CREATE INDEX idx_ab ON users (a);"}).files


def test_alembic_refuses_to_choose_between_heads(tmp_path: Path) -> None:
    heads = {f"{r}__dot__py": f"revision: str = '{r}'\ndown_revision = None\n" for r in ("a1", "b2")}
    with pytest.raises(TrimtabError, match="several heads: a1, b2"):
        plan(tmp_path, "alembic", **heads)


def test_the_command_prints_what_to_add_and_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    app = typer.Typer()
    register(app)
    app.callback()(lambda: None)
    script = tmp_path / "x.sql"
    script.write_text(SCRIPT)
    (tmp_path / "m").mkdir()
    arguments = ["adopt-indexes", str(script), "--tool", "diesel", "--directory", str(tmp_path / "m")]
    dry = CliRunner().invoke(app, [*arguments, "--dry-run"])
    assert (dry.exit_code, list((tmp_path / "m").iterdir())) == (0, [])
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0
    assert "      - app.users.idx_b\n" in done.output
    assert len(list((tmp_path / "m").iterdir())) == 2
