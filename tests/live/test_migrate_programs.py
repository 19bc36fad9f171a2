"""Tools whose own program applies the migrations. Alembic and Django run for real; for the others a stand-in
records how it was called, and the bookkeeping table is the one that the tool's source creates."""

from __future__ import annotations

import json
import sys
from importlib.util import find_spec
from pathlib import Path

import jsonschema
import pytest

from tests.live.conftest import PASSWORD, RUNNER, Repository

pytestmark = pytest.mark.live

SCHEMA = json.loads((RUNNER / "status.schema.json").read_text())


def needs(*modules: str) -> pytest.MarkDecorator:
    missing = [m for m in modules if find_spec(m) is None]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")


# --- Alembic, for real ------------------------------------------------------------------------------------

REVISION = """
from alembic import op

revision = "{revision}"
down_revision = {down}
branch_labels = None
depends_on = None

def upgrade():
    {upgrade}

def downgrade():
    pass
"""

ENV = """
import os
from alembic import context
from sqlalchemy import create_engine

engine = create_engine(os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://", 1))
with engine.connect() as connection:
    context.configure(connection=connection, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()
"""


def alembic(repository: Repository, *revisions: tuple[str, str, str]) -> None:
    repository.settings(
        "tool = alembic",
        "expect_index = users.idx",
        f"command = {sys.executable}",
        "command = -m",
        "command = alembic",
    )
    repository.write("alembic.ini", "[alembic]\nscript_location = %(here)s/alembic\n")
    repository.write("alembic/env.py", ENV)
    for revision, down, upgrade in revisions:
        text = REVISION.format(revision=revision, down=down, upgrade=upgrade)
        repository.write(f"alembic/versions/{revision}.py", f'"""Message -> of {revision}, (head)"""\n{text}')


USERS = ("a1", "None", "op.execute('CREATE TABLE users (email text)')")
INDEX = (
    "b2",
    "'a1'",
    "with op.get_context().autocommit_block(): op.execute('CREATE INDEX CONCURRENTLY idx ON users (email)')",
)


@needs("alembic", "sqlalchemy", "psycopg")
def test_alembic_up_twice_status_and_verify(repository: Repository) -> None:
    alembic(repository, USERS, INDEX)
    before = repository.report()
    jsonschema.validate(before, SCHEMA)
    assert [m["version"] for m in before["pending"]] == ["a1", "b2"]
    assert before["pending"][0]["name"] == "Message -> of a1, (head)"
    repository.up()
    repository.up()
    after = repository.report("verify")
    assert [m["version"] for m in after["applied"]] == ["a1", "b2"]
    assert (after["pending"], after["ok"]) == ([], True)


@needs("alembic", "sqlalchemy", "psycopg")
def test_alembic_failure_branches_and_lost_revisions(repository: Repository) -> None:
    alembic(
        repository,
        USERS,
        ("c3", "'a1'", "op.execute('CREATE TABLE left_branch (id int)')"),
        ("d4", "'a1'", "op.execute('CREATE TABLE right_branch (id int)')"),
        ("e5", "('c3', 'd4')", "op.execute('SELECT 1/0')"),
    )
    assert repository.run("up").returncode == 1
    report = repository.report()
    assert {m["version"] for m in report["applied"]} == {"a1", "c3", "d4"}
    assert [m["version"] for m in report["pending"]] == ["e5"]
    repository.write("alembic/versions/e5.py", REVISION.format(revision="e5", down="('c3', 'd4')", upgrade="pass"))
    repository.up()
    (repository.root / "backend/alembic/versions/e5.py").unlink()
    assert repository.report()["unknown"] == ["e5"]


@needs("alembic", "sqlalchemy", "psycopg")
def test_alembic_lets_the_application_go_back(repository: Repository) -> None:
    """An undo runs the Job and the init containers of the version before on the schema of the version after."""
    alembic(repository, USERS, INDEX, ("c3", "'b2'", "op.execute('CREATE TABLE later (id int)')"))
    repository.up()
    (repository.root / "backend/alembic/versions/c3.py").unlink()
    repository.environment["MIGRATE_LOCK_TIMEOUT"] = "1"
    done = repository.run("up", "wait", "verify")
    assert done.returncode == 0, done.stderr
    assert "ahead of this code" in done.stderr
    report = json.loads(done.stdout)
    assert [m["version"] for m in report["applied"]] == ["a1", "b2", "c3"]
    assert (report["pending"], report["unknown"]) == ([], ["c3"])
    repository.write("alembic/versions/broken.py", "raise ValueError")
    assert repository.run("up").returncode != 0, "who cannot list its migrations is not behind, but broken"


# --- Django, for real -------------------------------------------------------------------------------------

SETTINGS = """
import os
from urllib.parse import unquote, urlsplit
url = urlsplit(os.environ["DATABASE_URL"])
DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "NAME": unquote(url.path[1:]), "USER": url.username,
                         "PASSWORD": unquote(url.password), "HOST": url.hostname, "PORT": url.port}}
INSTALLED_APPS = ["shop"]
SECRET_KEY = "test"
"""

MIGRATION = """
from django.db import migrations

class Migration(migrations.Migration):
    atomic = {atomic}
    dependencies = {dependencies}
    operations = [migrations.RunSQL("{sql}")]
"""


@needs("django", "psycopg")
def test_django_up_status_failure(repository: Repository) -> None:
    repository.settings(
        "tool = django", "expect_index = users.idx", f"command = {sys.executable}", "command = manage.py"
    )
    repository.write(
        "manage.py",
        "import os, sys\nos.environ['DJANGO_SETTINGS_MODULE'] = 'settings'\n"
        "from django.core.management import execute_from_command_line\nexecute_from_command_line(sys.argv)\n",
    )
    repository.write("settings.py", SETTINGS)
    repository.write("shop/__init__.py", "")
    repository.write("shop/migrations/__init__.py", "")
    first = MIGRATION.format(atomic=True, dependencies=[], sql="CREATE TABLE users (email text)")
    index = MIGRATION.format(
        atomic=False,
        dependencies=[("shop", "0001_users")],
        sql="CREATE INDEX CONCURRENTLY idx ON users (email)",
    )
    repository.write("shop/migrations/0001_users.py", first)
    repository.write("shop/migrations/0002_index.py", index)
    assert repository.versions("pending") == ["shop.0001_users", "shop.0002_index"]
    repository.up()
    repository.up()
    report = repository.report("verify")
    jsonschema.validate(report, SCHEMA)
    assert [m["version"] for m in report["applied"]] == ["shop.0001_users", "shop.0002_index"]
    assert report["ok"]
    broken = MIGRATION.format(atomic=True, dependencies=[("shop", "0002_index")], sql="SELECT 1/0")
    repository.write("shop/migrations/0003_broken.py", broken)
    assert repository.run("up").returncode == 1
    assert repository.versions("pending") == ["shop.0003_broken"]


# --- the others, by a stand-in ----------------------------------------------------------------------------


def stand_in(repository: Repository, tool: str, *bookkeeping: str, code: int = 0) -> Path:
    """A program that records its arguments and a few variables, then does to the database what the tool would."""
    record = repository.root / "record"
    repository.settings(f"tool = {tool}", "directory = migrations", "command = bin/tool")
    repository.write("bin/sql", ";\n".join(bookkeeping) + ";\n")
    repository.write(
        "bin/tool",
        f"""#!/bin/bash
        printf '%s\\n' "$@" >'{record}'
        env | grep -E '^(GOOSE|FLYWAY|ConnectionStrings_)_' | sort >>'{record}'
        psql -qX -f bin/sql >&2
        exit {code}
        """,
    ).chmod(0o755)
    return record


def test_prisma_deploys_and_a_failed_migration_is_told(repository: Repository) -> None:
    # `prisma migrate deploy`: www.prisma.io/docs/cli/migrate/deploy; the table: prisma-engines, schema-engine.
    table = (
        "CREATE TABLE IF NOT EXISTS _prisma_migrations ("
        "id VARCHAR(36) PRIMARY KEY NOT NULL, checksum VARCHAR(64) NOT NULL,"
        " finished_at TIMESTAMPTZ, migration_name VARCHAR(255) NOT NULL, logs TEXT, rolled_back_at TIMESTAMPTZ,"
        " started_at TIMESTAMPTZ NOT NULL DEFAULT now(), applied_steps_count INTEGER NOT NULL DEFAULT 0)"
    )
    insert = "INSERT INTO _prisma_migrations (id, checksum, migration_name, finished_at, rolled_back_at) VALUES"
    record = stand_in(
        repository, "prisma", table,
        f"{insert} ('1', '', '20250101_init', now(), NULL), ('2', '', '20250102_more', NULL, now()),"
        " ('3', '', '20250102_more', NULL, NULL)", code=1,
    )  # fmt: skip
    for name in ("20250101_init", "20250102_more", "20250103_last"):
        repository.write(f"migrations/{name}/migration.sql", "SELECT 1;")
    repository.write("migrations/migration_lock.toml", 'provider = "postgresql"\n')
    assert repository.run("up").returncode == 1
    assert record.read_text().split() == ["migrate", "deploy"]
    report = repository.report()
    jsonschema.validate(report, SCHEMA)
    assert [m["version"] for m in report["applied"]] == ["20250101_init"]
    assert report["failed"] == ["20250102_more"]
    assert [m["version"] for m in report["pending"]] == ["20250103_last"]
    assert "migration 20250102_more failed half-way" in report["problems"]


def test_goose_gets_an_url_without_the_password_by_its_environment(repository: Repository) -> None:
    # -dir, GOOSE_DRIVER, GOOSE_DBSTRING: github.com/pressly/goose, cmd/goose/main.go.
    record = stand_in(
        repository, "goose",
        "CREATE TABLE goose_db_version (id serial PRIMARY KEY, version_id bigint NOT NULL, is_applied boolean NOT NULL,"
        " tstamp timestamp DEFAULT now())",
        "INSERT INTO goose_db_version (version_id, is_applied) VALUES (0, true), (1, true), (2, true), (2, false)",
    )  # fmt: skip
    repository.write("migrations/00001_users.sql", "-- +goose Up\nSELECT 1;")
    repository.write("migrations/00002_more.go", "package migrations")
    repository.up()
    lines = record.read_text().splitlines()
    assert lines[:3] == ["-dir", str(repository.root / "backend/migrations"), "up"]
    assert lines[3].startswith(f"GOOSE_DBSTRING=postgres://app@127.0.0.1:{repository.server.port}/app%20")
    assert lines[4:] == ["GOOSE_DRIVER=postgres"]
    report = repository.report()
    assert [m["version"] for m in report["applied"]] == ["1"]
    assert [m["name"] for m in report["pending"]] == ["00002_more.go"]


def test_golang_migrate_gets_an_url_without_the_password(repository: Repository) -> None:
    # -path, -database, up: github.com/golang-migrate/migrate, internal/cli/main.go; the table: database/postgres.
    record = stand_in(
        repository, "golang-migrate",
        "CREATE TABLE schema_migrations (version bigint NOT NULL PRIMARY KEY, dirty boolean NOT NULL)",
        "INSERT INTO schema_migrations VALUES (2, true)",
    )  # fmt: skip
    repository.environment["DATABASE_URL"] = repository.server.url(repository.database) + "?sslmode=disable"
    for name in ("000001_a", "000002_b", "000003_c"):
        repository.write(f"migrations/{name}.up.sql", "SELECT 1;")
        repository.write(f"migrations/{name}.down.sql", "SELECT 1;")
    repository.up()
    arguments = record.read_text().splitlines()
    assert arguments[:3] == ["-path", str(repository.root / "backend/migrations"), "-database"]
    assert arguments[3].startswith(f"postgres://app@127.0.0.1:{repository.server.port}/app%20")
    assert arguments[3].endswith("?sslmode=disable")
    assert arguments[4:] == ["up"]
    report = repository.report()
    assert [m["version"] for m in report["applied"]] == ["1"]
    assert report["failed"] == ["2"]
    assert [m["version"] for m in report["pending"]] == ["3"]


def test_golang_migrate_lets_the_application_go_back(repository: Repository) -> None:
    # It refuses to go up from a version that it does not have: readUp, versionExists of migrate.go.
    record = stand_in(repository, "golang-migrate")
    repository.sql("CREATE TABLE schema_migrations (version bigint NOT NULL PRIMARY KEY, dirty boolean NOT NULL)")
    repository.sql("INSERT INTO schema_migrations VALUES (3, false)")
    repository.write("migrations/1_a.up.sql", "SELECT 1;")
    repository.write("migrations/2_b.up.sql", "SELECT 1;")
    repository.environment["MIGRATE_LOCK_TIMEOUT"] = "1"
    done = repository.run("up", "wait", "verify")
    assert done.returncode == 0, done.stderr
    assert not record.exists()
    assert json.loads(done.stdout)["unknown"] == ["3"]


def test_flyway_gets_everything_by_its_environment(repository: Repository) -> None:
    # FLYWAY_* and postgresql.transactional.lock: documentation.red-gate.com/fd; the table: flyway-core.
    record = stand_in(
        repository, "flyway",
        "CREATE TABLE flyway_schema_history (installed_rank int PRIMARY KEY, version text, description text NOT NULL,"
        " type text NOT NULL, script text NOT NULL, checksum int, installed_by text NOT NULL,"
        " installed_on timestamp NOT NULL DEFAULT now(), execution_time int NOT NULL, success boolean NOT NULL)",
        "INSERT INTO flyway_schema_history VALUES (1, '1', 'a', 'SQL', 'V1__a.sql', 1, 'app', now(), 1, true),"
        " (2, '2', 'b', 'SQL', 'V2__b.sql', 1, 'app', now(), 1, false)",
    )  # fmt: skip
    for name in ("V1__a", "V2__b", "V10__c"):
        repository.write(f"migrations/{name}.sql", "SELECT 1;")
    repository.up()
    lines = record.read_text().splitlines()
    assert lines[0] == "migrate"
    variables = dict(line.split("=", 1) for line in lines[1:])
    assert variables["FLYWAY_URL"].startswith(f"jdbc:postgresql://127.0.0.1:{repository.server.port}/app%20")
    assert variables["FLYWAY_USER"] == "app"
    assert variables["FLYWAY_PASSWORD"] == PASSWORD
    assert variables["FLYWAY_LOCATIONS"] == f"filesystem:{repository.root / 'backend/migrations'}"
    assert variables["FLYWAY_POSTGRESQL_TRANSACTIONAL_LOCK"] == "false"
    report = repository.report()
    assert [m["version"] for m in report["applied"]] == ["V1__a.sql"]
    assert report["failed"] == ["V2__b.sql"]
    assert [m["version"] for m in report["pending"]] == ["V10__c.sql"]


def test_rails_migrates_and_its_versions_are_numbers(repository: Repository) -> None:
    # db:migrate and schema_migrations: activerecord/lib/active_record/migration.rb, schema_migration.rb.
    record = stand_in(
        repository, "rails",
        "CREATE TABLE schema_migrations (version varchar NOT NULL PRIMARY KEY)",
        "INSERT INTO schema_migrations VALUES ('20250101000000'), ('20240101000000'), ('7')",
    )  # fmt: skip
    for name in ("007_old", "20250101000000_users", "more/20250102000000_index"):
        repository.write(f"migrations/{name}.rb", "class X; end")
    repository.write("migrations/helper.rb", "")
    repository.up()
    assert record.read_text().split() == ["db:migrate"]
    report = repository.report()
    jsonschema.validate(report, SCHEMA)
    assert [m["name"] for m in report["applied"]] == ["007_old.rb", None, "20250101000000_users.rb"]
    assert report["unknown"] == ["20240101000000"]
    assert [m["name"] for m in report["pending"]] == ["more/20250102000000_index.rb"]


def test_laravel_migrates_without_asking_and_without_a_lock_of_its_own(repository: Repository) -> None:
    # migrate --force: laravel.com/docs/migrations; the table: Illuminate, DatabaseMigrationRepository.
    record = stand_in(
        repository, "laravel",
        "CREATE TABLE migrations (id serial PRIMARY KEY, migration varchar(255) NOT NULL, batch integer NOT NULL)",
        "INSERT INTO migrations (migration, batch) VALUES ('0001_01_01_000000_users', 1),"
        " ('2025_01_01_000000_package', 1)",
    )  # fmt: skip
    for name in ("0001_01_01_000000_users", "2025_01_02_000000_index"):
        repository.write(f"migrations/{name}.php", "<?php")
    repository.up()
    assert record.read_text().split() == ["migrate", "--force", "--no-interaction", "--no-ansi"]
    report = repository.report()
    jsonschema.validate(report, SCHEMA)
    assert [m["version"] for m in report["applied"]] == ["0001_01_01_000000_users", "2025_01_01_000000_package"]
    assert report["unknown"] == ["2025_01_01_000000_package"], "a migration that a package brings"
    assert [m["version"] for m in report["pending"]] == ["2025_01_02_000000_index"]


def test_an_ef_bundle_gets_a_connection_string_without_the_password(repository: Repository) -> None:
    # --connection: learn.microsoft.com/ef/core/managing-schemas/migrations; the table: efcore, HistoryRepository.
    record = stand_in(
        repository, "ef",
        'CREATE TABLE "__EFMigrationsHistory"'
        ' ("MigrationId" varchar(150) PRIMARY KEY, "ProductVersion" varchar(32) NOT NULL)',
        "INSERT INTO \"__EFMigrationsHistory\" VALUES ('20250101000000_Users', '10.0.0')",
    )  # fmt: skip
    repository.environment["DATABASE_URL"] = repository.server.url(repository.database) + "?sslmode=prefer"
    for name in ("20250101000000_Users", "20250101000000_Users.Designer", "20250102000000_Index", "ShopModelSnapshot"):
        repository.write(f"migrations/{name}.cs", "// C#")
    repository.up()
    option, text, *variables = record.read_text().splitlines()
    assert option == "--connection"
    name = repository.database
    assert text == (
        f'Host="127.0.0.1";Port="{repository.server.port}";Database="{name}";Username="app";SSL Mode=prefer'
    )
    assert variables == [f"ConnectionStrings__Default{end}={text}" for end in ("", "Connection")]
    report = repository.report()
    jsonschema.validate(report, SCHEMA)
    assert [m["version"] for m in report["applied"]] == ["20250101000000_Users"]
    assert [m["version"] for m in report["pending"]] == ["20250102000000_Index"]


def test_ecto_migrates_by_the_program_of_its_settings(repository: Repository) -> None:
    # schema_migrations: ecto_sql, lib/ecto/migration/schema_migration.ex.
    record = stand_in(
        repository, "ecto",
        "CREATE TABLE schema_migrations (version bigint PRIMARY KEY, inserted_at timestamp(0) NOT NULL)",
        "INSERT INTO schema_migrations VALUES (20250101000000, '2025-01-01 12:00:00')",
    )  # fmt: skip
    for name in ("20250101000000_users", "20250102000000_index"):
        repository.write(f"migrations/{name}.exs", "# Elixir")
    repository.write("migrations/.formatter.exs", "[]")
    repository.up()
    assert record.read_text().split() == []
    report = repository.report()
    jsonschema.validate(report, SCHEMA)
    (applied,) = report["applied"]
    assert (applied["version"], applied["applied_at"]) == ("20250101000000", "2025-01-01T12:00:00Z")
    assert [m["version"] for m in report["pending"]] == ["20250102000000"]


@pytest.mark.parametrize("shared", [True, False])
def test_flyway_may_begin_beside_another_services_tables(repository: Repository, *, shared: bool) -> None:
    # baselineOnMigrate, baselineVersion: documentation.red-gate.com/fd; without it a schema with tables is refused.
    record = stand_in(repository, "flyway")
    repository.write("migrations/V1__a.sql", "SELECT 1;")
    if shared:
        (repository.root / "infrastructure/database/services/other.conf").write_text("tool = sql\n")
        repository.environment["MIGRATE_SERVICE"] = "backend"
    repository.run("up")
    lines = set(record.read_text().splitlines())
    baseline = {"FLYWAY_BASELINE_ON_MIGRATE=true", "FLYWAY_BASELINE_VERSION=0"}
    assert lines & baseline == (baseline if shared else set())


@pytest.mark.parametrize("shared", [True, False])
def test_prisma_may_begin_beside_another_services_tables(repository: Repository, *, shared: bool) -> None:
    # P3005: `migrate deploy` refuses a schema that is not empty, unless its list is there (prisma-engines).
    count = "SELECT count(*) AS lists FROM pg_class WHERE relname = '_prisma_migrations'"
    stand_in(repository, "prisma", f"CREATE TABLE seen AS {count}")
    repository.write("migrations/20250101_init/migration.sql", "SELECT 1;")
    if shared:
        (repository.root / "infrastructure/database/services/other.conf").write_text("tool = sql\n")
        repository.environment["MIGRATE_SERVICE"] = "backend"
    repository.run("up")
    assert repository.sql("SELECT lists FROM seen") == ("1" if shared else "0")
    assert [m["version"] for m in repository.report()["pending"]] == ["20250101_init"]


_PROGRAMS = ["alembic", "django", "prisma", "goose", "golang-migrate", "flyway", "rails", "laravel", "ef", "ecto"]


@pytest.mark.parametrize("tool", _PROGRAMS)
def test_a_missing_program_fails_and_says_so(repository: Repository, tool: str) -> None:
    repository.settings(f"tool = {tool}", "command = no-such-program")
    done = repository.run("up")
    assert done.returncode == 1
    assert "no-such-program" in done.stderr
    if tool in ("alembic", "django"):  # these are asked for the status, too
        assert repository.run("status").returncode == 1
