"""Layouts that the runner applies itself, with their tools' own bookkeeping, on a real PostgreSQL."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tests.live.conftest import Repository

pytestmark = pytest.mark.live


def diesel(repository: Repository) -> None:
    repository.settings("tool = diesel", "directory = migrations", "expect_index = users.idx_users_email")
    repository.write("migrations/.keep", "")
    repository.write("migrations/00000000000000_diesel_initial_setup/up.sql", "-- nothing but a comment\n")
    repository.write("migrations/2025-01-01-000000_create_users/up.sql", "CREATE TABLE users (id int, email text);")
    index = repository.write(
        "migrations/2025-01-02-000000_add_index/up.sql",
        "CREATE INDEX CONCURRENTLY idx_users_email ON users (email);\n",
    )
    (index.parent / "metadata.toml").write_text("# no transaction\nrun_in_transaction = false\n")


def test_diesel_up_twice_applies_once_in_its_own_bookkeeping(repository: Repository) -> None:
    diesel(repository)
    assert repository.versions("pending") == ["00000000000000", "20250101000000", "20250102000000"]
    repository.up()
    second = repository.up()
    assert "applying" not in second.stderr
    assert repository.sql("SELECT string_agg(version, ' ' ORDER BY version) FROM __diesel_schema_migrations") == (
        "00000000000000 20250101000000 20250102000000"
    )
    columns = (
        "SELECT string_agg(column_name || ' ' || data_type || coalesce(character_maximum_length::text, ''),"
        " ', ' ORDER BY ordinal_position)"
    )
    assert repository.sql(f"{columns} FROM information_schema.columns WHERE table_name LIKE '\\_\\_diesel%'") == (
        "version character varying50, run_on timestamp without time zone"
    )
    assert repository.run("verify").returncode == 0


def test_diesel_continues_what_its_own_program_began(repository: Repository) -> None:
    diesel(repository)
    repository.sql(
        "CREATE TABLE __diesel_schema_migrations (version VARCHAR(50) PRIMARY KEY NOT NULL,"
        " run_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP);"
        "CREATE TABLE users (id int, email text);"
        "INSERT INTO __diesel_schema_migrations (version) VALUES ('00000000000000'), ('20250101000000')"
    )
    done = repository.up()
    assert done.stderr.count("applying") == 1


@pytest.mark.parametrize(
    ("metadata", "in_transaction"),
    [
        (None, True),
        ("run_in_transaction = true\n", True),
        ("run_in_transaction=false", False),
        ("[x]\na = 1\n", False),
    ],
)
def test_diesel_metadata_has_diesels_own_defaults(
    repository: Repository, metadata: str | None, in_transaction: bool
) -> None:
    repository.settings("tool = diesel", "directory = migrations")
    up = repository.write("migrations/1_two/up.sql", "SELECT 1;")
    # Statements of one batch share a transaction either way, so the bookkeeping tells the two apart.
    up.write_text("CREATE TABLE half (id int);")
    if metadata is not None:
        (up.parent / "metadata.toml").write_text(metadata)
    repository.sql(
        "CREATE TABLE __diesel_schema_migrations (version VARCHAR(50) PRIMARY KEY NOT NULL CHECK (version <> '1'),"
        " run_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP)"
    )
    assert repository.run("up").returncode == 1
    assert repository.sql("SELECT to_regclass('half') IS NULL") == ("t" if in_transaction else "f")


def test_hostile_names_and_contents_reach_sql_unchanged(repository: Repository) -> None:
    repository.settings("tool = diesel", "directory = my migrations")
    name = """2025-01-01-000000_it's "quoted" $HOME `id` ; é"""
    text = "INSERT INTO said VALUES ('\\d :name :''x'' $HOME `id` \\ü');"
    repository.write(f"my migrations/{name}/up.sql", f"CREATE TABLE said (t text);\n{text}\n")
    repository.up()
    assert repository.sql("SELECT t FROM said") == "\\d :name :'x' $HOME `id` \\ü"
    assert repository.report()["applied"][0]["name"] == name


def test_a_changed_search_path_does_not_hide_the_bookkeeping(repository: Repository) -> None:
    repository.settings("tool = diesel", "directory = migrations")
    repository.write("migrations/1_dump/up.sql", "SELECT set_config('search_path', '', false);")
    repository.write("migrations/2_next/up.sql", "CREATE TABLE t (id int);")
    repository.up()
    assert repository.versions("applied") == ["1", "2"]


def test_plain_sql_in_version_order_with_a_file_outside_of_a_transaction(repository: Repository) -> None:
    repository.settings("tool = sql", "directory = db", "expect_index = public.users.idx")
    repository.write("db/10_index.sql", "-- no-transaction\nCREATE INDEX CONCURRENTLY idx ON users (email);")
    repository.write("db/2_users.sql", "CREATE TABLE users (email text);")
    repository.write("db/2_users.down.sql", "DROP TABLE users;")
    repository.up()
    assert repository.versions("applied") == ["2_users", "10_index"]
    assert repository.run("verify").returncode == 0
    assert "applying" not in repository.up().stderr


def test_two_services_may_share_a_database_and_a_file_name(repository: Repository) -> None:
    repository.settings("tool = sql", "directory = db")
    repository.write("db/001_init.sql", "CREATE TABLE one (id int);")
    repository.up()
    other = repository.root / "infrastructure/database/services/worker.conf"
    other.write_text("tool = sql\npath = worker\ndirectory = db\n")
    (repository.root / "worker/db").mkdir(parents=True)
    (repository.root / "worker/db/001_init.sql").write_text("CREATE TABLE two (id int);")
    ambiguous = repository.run("up")
    assert (ambiguous.returncode, "--service" in ambiguous.stderr) == (2, True)
    assert repository.run("--service", "worker", "up").returncode == 0
    assert repository.sql("SELECT to_regclass('two')") == "two"


def test_sqlx_bookkeeping_has_its_checksums(repository: Repository) -> None:
    repository.settings("tool = sqlx", "directory = migrations")
    first = repository.write("migrations/20250101000000_create_users.up.sql", "CREATE TABLE users (email text);\n")
    repository.write("migrations/20250101000000_create_users.down.sql", "DROP TABLE users;")
    repository.write(
        "migrations/20250102000000_add_index.up.sql",
        "-- no-transaction\nCREATE INDEX CONCURRENTLY i ON users (email);",
    )
    repository.up()
    row = repository.sql(
        "SELECT version, description, success, encode(checksum, 'hex'), execution_time > 0"
        " FROM _sqlx_migrations ORDER BY version LIMIT 1"
    )
    assert row == f"20250101000000|create users|t|{hashlib.sha384(first.read_bytes()).hexdigest()}|t"
    assert repository.report()["ok"]
    first.write_text("CREATE TABLE other (email text);\n")
    assert repository.report()["problems"] == ["migration 20250101000000 was edited after it was applied"]
    assert repository.run("up").returncode == 1


@pytest.mark.parametrize("tool", ["sql", "diesel", "sqlx"])
def test_an_empty_directory_is_up_to_date(repository: Repository, tool: str) -> None:
    repository.settings(f"tool = {tool}", "directory = migrations")
    Path(repository.root / "backend/migrations").mkdir()
    repository.up()
    assert repository.report()["applied"] == []


def test_a_version_twice_is_refused(repository: Repository) -> None:
    repository.settings("tool = diesel", "directory = migrations")
    repository.write("migrations/1_a/up.sql", "SELECT 1;")
    repository.write("migrations/1_b/up.sql", "SELECT 1;")
    done = repository.run("up")
    assert done.returncode == 1
    assert "version '1'" in done.stderr
