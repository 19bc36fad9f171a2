"""Adopted index scripts, applied where the script had run before and where it had not."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.live.conftest import Repository

pytest.importorskip("pglast", reason="pglast is not installed (pip install 'trimtab[sql]')")

from tests.live.test_migrate_programs import USERS, alembic, needs
from trimtab.database.adopt import plan_adoption, write_adoption

pytestmark = pytest.mark.live

SCRIPT = "CREATE INDEX CONCURRENTLY idx ON users (email);\nCREATE INDEX idx_lower ON users (lower(email));\n"


def adopt(repository: Repository, tool: str, directory: str) -> None:
    script = repository.write("apply-indexes.sql", SCRIPT)
    folder = repository.root / "backend" / directory
    adoption = plan_adoption(script, tool, folder, datetime.now(UTC))
    assert adoption.entries == ["users.idx", "users.idx_lower"]
    write_adoption(adoption, folder)


@pytest.mark.parametrize("script_ran", [False, True])
@pytest.mark.parametrize(
    ("tool", "first"), [("diesel", "1_users/up.sql"), ("sql", "001_users.sql"), ("sqlx", "1_users.up.sql")]
)
def test_an_adopted_script_is_applied_and_verified(
    repository: Repository, tool: str, first: str, script_ran: bool
) -> None:
    lines = ["expect_index = users.idx", "expect_index = users.idx_lower"]
    repository.settings(f"tool = {tool}", "directory = migrations", *lines)
    repository.write(f"migrations/{first}", "CREATE TABLE users (email text);")
    repository.up()
    if script_ran:
        repository.sql(SCRIPT)
    adopt(repository, tool, "migrations")
    assert len(repository.versions("pending")) == 2
    done = repository.run("up", "verify")
    assert done.returncode == 0, done.stderr


@needs("alembic", "sqlalchemy", "psycopg")
def test_adopted_revisions_run_under_alembic(repository: Repository) -> None:
    alembic(repository, USERS)
    repository.up()
    adopt(repository, "alembic", "alembic")
    done = repository.run("up", "verify")
    assert done.returncode == 0, done.stderr
