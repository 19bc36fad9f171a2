"""Migrations run before their service, and stop it when they fail."""

from __future__ import annotations

import json

import pytest

from tests.live.platform.running import Running

pytestmark = pytest.mark.live

BROKEN = """from alembic import op

revision, down_revision = "0002", "0001"


def upgrade() -> None:
    op.execute("ALTER TABLE no_such_table ADD COLUMN x int")
"""


def psql(platform: Running, statement: str) -> None:
    platform.run_in("postgres", "sh", "-c", f'PGPASSWORD=$POSTGRES_PASSWORD psql -h 127.0.0.1 -U live -c "{statement}"')


def migrate(platform: Running, service: str, command: str) -> tuple[int, dict[str, object]]:
    done = platform.compose("run", "--rm", "--no-deps", "-T", f"{service}-migrate", command, check=False)
    return done.returncode, json.loads(done.stdout)


@pytest.mark.parametrize(("service", "applied"), [("api", 1), ("board", 2)])
def test_everything_is_applied_and_verified(platform: Running, service: str, applied: int) -> None:
    assert platform.inspect(f"{service}-migrate")["State"]["ExitCode"] == 0
    code, report = migrate(platform, service, "verify")
    assert code == 0
    assert isinstance(report["applied"], list)
    assert len(report["applied"]) == applied
    assert report["pending"] == []


def test_a_second_run_changes_nothing(platform: Running) -> None:
    for service in ("api", "board"):
        platform.compose("run", "--rm", "--no-deps", "-T", f"{service}-migrate")


def test_a_dropped_index_fails_verify(platform: Running) -> None:
    psql(platform, "DROP INDEX cards_by_column")
    try:
        code, report = migrate(platform, "board", "verify")
    finally:
        psql(platform, "CREATE INDEX cards_by_column ON cards (column_name)")
    assert code == 1
    assert "cards_by_column" in json.dumps(report)
    assert migrate(platform, "board", "verify")[0] == 0


def test_a_broken_migration_keeps_the_service_from_starting(platform: Running) -> None:
    file = platform.folder / "api/alembic/versions/0002_broken.py"
    file.write_text(BROKEN)
    platform.compose("rm", "--stop", "--force", "api", "api-migrate")
    try:
        failed = platform.compose("up", "--detach", "--wait", "--build", "api", check=False)
        state = platform.compose("ps", "--all", "--format", "{{.Service}} {{.State}}").stdout.splitlines()
        logs = platform.compose("logs", "--no-color", "api-migrate").stdout
        code, report = migrate(platform, "api", "status")
    finally:
        file.unlink()
        platform.compose("up", "--detach", "--wait", "--build", "api")
    assert failed.returncode != 0
    assert "api running" not in state
    assert "no_such_table" in logs
    assert code == 0
    assert "0002" in json.dumps(report["pending"])
    assert platform.get("/api/notes").status == 200
