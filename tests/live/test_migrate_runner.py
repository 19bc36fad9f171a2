"""What every tool gets: one runner at a time, truthful reports, verified indexes, no leaked password."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import jsonschema
import pytest

from tests.live.conftest import PASSWORD, RUNNER, Repository

pytestmark = pytest.mark.live

SCHEMA = json.loads((RUNNER / "status.schema.json").read_text())
HOLDERS = (
    "pg_locks JOIN pg_stat_activity USING (pid)"
    " WHERE locktype = 'advisory' AND granted AND datname = current_database()"
)
LOCKS = f"SELECT count(*) FROM {HOLDERS}"


def plain(repository: Repository, *lines: str, **files: str) -> None:
    repository.settings("tool = sql", "directory = db", *lines)
    (repository.root / "backend/db").mkdir(exist_ok=True)
    for name, text in files.items():
        repository.write(f"db/{name.removeprefix('_')}.sql", text)


def eventually(condition: Callable[[], bool], seconds: float = 15) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.1)
    return False


def running(repository: Repository, text: str) -> bool:
    count = repository.sql(
        f"SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%{text}%' AND state = 'active'"
        " AND pid <> pg_backend_pid() AND datname = current_database()"
    )
    return count != "0"


# --- one at a time ----------------------------------------------------------------------------------------


def test_of_two_runners_one_waits_and_says_for_whom(repository: Repository) -> None:
    plain(
        repository,
        _1="CREATE TABLE t (id int); SELECT pg_sleep(3); INSERT INTO t VALUES (1);",
        _2="-- no-transaction\nCREATE INDEX CONCURRENTLY idx ON t (id);",
    )
    first = repository.start("up")
    assert eventually(lambda: running(repository, "pg_sleep"))
    second = repository.run("up")
    _, first_log = first.communicate(timeout=60)
    assert (first.returncode, second.returncode) == (0, 0), first_log + second.stderr
    assert "waits for migrate:backend@" in second.stderr
    assert "applying" not in second.stderr
    assert repository.sql("SELECT count(*) FROM t") == "1"


def test_a_waiting_runner_gives_up_after_its_timeout(repository: Repository) -> None:
    plain(repository, _1="SELECT pg_sleep(20);")
    first = repository.start("up")
    assert eventually(lambda: running(repository, "pg_sleep"))
    repository.environment["MIGRATE_LOCK_TIMEOUT"] = "1"
    second = repository.run("up")
    first.terminate()
    first.communicate(timeout=30)
    assert second.returncode == 75
    assert "gave up after 1s" in second.stderr


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_killing_the_runner_ends_the_migration_and_frees_the_lock(repository: Repository, how: signal.Signals) -> None:
    plain(repository, _1="CREATE TABLE t (id int); SELECT pg_sleep(60);")
    runner = repository.start("up")
    assert eventually(lambda: running(repository, "pg_sleep"))
    assert repository.sql(LOCKS) == "1"
    runner.send_signal(how)
    runner.communicate(timeout=30)
    assert runner.returncode in (-signal.SIGKILL, 128 + signal.SIGTERM)
    assert eventually(lambda: repository.sql(LOCKS) == "0")
    assert not running(repository, "pg_sleep")
    assert repository.versions("pending") == ["1"]
    repository.write("db/1.sql", "CREATE TABLE t (id int);")
    repository.up()


def test_the_lock_session_is_idle_and_outside_of_a_transaction(repository: Repository) -> None:
    repository.write("db/1_a.up.sql", "SELECT 1;")
    repository.write("bin/tool", "#!/bin/sh\nsleep 3\n").chmod(0o755)
    repository.settings("tool = golang-migrate", "directory = db", "command = bin/tool")
    runner = repository.start("up")
    assert eventually(lambda: repository.sql(LOCKS) == "1")
    idle = f"SELECT state = 'idle' AND backend_xmin IS NULL AND xact_start IS NULL FROM {HOLDERS}"
    assert eventually(lambda: repository.sql(idle) == "t", seconds=2)
    runner.communicate(timeout=30)
    assert runner.returncode == 0


def test_killing_the_runner_ends_the_tools_own_program_too(repository: Repository, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    repository.settings("tool = goose", "directory = db", "command = bin/tool")
    repository.write("db/1_a.sql", "SELECT 1;")
    repository.write("bin/tool", f"#!/bin/sh\necho $$ > {pid}\nexec sleep 60\n").chmod(0o755)
    runner = repository.start("up")
    assert eventually(lambda: pid.exists() and pid.read_text().strip() != "")
    runner.kill()
    runner.communicate(timeout=30)
    tool = Path("/proc") / pid.read_text().strip() / "stat"
    assert eventually(lambda: not tool.exists() or ") Z " in tool.read_text())
    assert eventually(lambda: repository.sql(LOCKS) == "0")


# --- truthful reports -------------------------------------------------------------------------------------


def test_a_failing_migration_leaves_status_truthful(repository: Repository) -> None:
    plain(repository, _1="CREATE TABLE t (id int);", _2="CREATE TABLE u (id int); SELECT 1/0;", _3="SELECT 1;")
    done = repository.run("up")
    assert done.returncode == 1
    assert "division by zero" in done.stderr
    assert "2.sql failed" in done.stderr
    assert repository.sql("SELECT to_regclass('u') IS NULL") == "t"
    report = repository.report()
    assert [m["version"] for m in report["applied"]] == ["1"]
    assert [m["version"] for m in report["pending"]] == ["2", "3"]
    assert report["problems"] == ["migration 2 is pending", "migration 3 is pending"]
    assert repository.run("verify").returncode == 1


def test_an_edited_migration_and_one_that_the_code_lost_are_told_apart(repository: Repository) -> None:
    plain(repository, _1="CREATE TABLE t (id int);", _2="CREATE TABLE u (id int);")
    repository.up()
    repository.write("db/1.sql", "CREATE TABLE other (id int);")
    (repository.root / "backend/db/2.sql").unlink()
    report = repository.report("verify")
    assert report["problems"] == ["migration 1 was edited after it was applied"]
    assert report["unknown"] == ["2"]


def test_reports_match_the_published_schema(repository: Repository, tmp_path: Path) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    plain(
        repository,
        "expect_index = t.i",
        "expect_index = t.none",
        _1="CREATE TABLE t (id int); CREATE INDEX i ON t (id);",
    )
    summary, output = tmp_path / "summary.md", tmp_path / "out/status.json"
    repository.environment["MIGRATE_SUMMARY"] = str(summary)
    jsonschema.validate(repository.report("status"), SCHEMA)
    repository.up()
    assert repository.run("--output", str(output), "verify").returncode == 1
    report = json.loads(output.read_text())
    jsonschema.validate(report, SCHEMA)
    assert [m["version"] for m in report["applied"]] == ["1"]
    assert report["indexes"]["expected"] == ["t.i", "t.none"]
    assert [f["entry"] for f in report["indexes"]["found"]] == ["t.i"]
    text = summary.read_text()
    assert "| applied | 0 |\n| pending | 1 |" in text
    assert "| applied | 1 |\n| pending | 0 |" in text
    assert "- index t.none is missing" in text


def test_wait_ends_when_nothing_is_pending(repository: Repository) -> None:
    plain(repository, _1="CREATE TABLE t (id int);")
    repository.environment["MIGRATE_LOCK_TIMEOUT"] = "1"
    assert repository.run("wait").returncode == 75
    repository.environment["MIGRATE_LOCK_TIMEOUT"] = "30"
    waiting = repository.start("wait")
    repository.up()
    waiting.communicate(timeout=30)
    assert waiting.returncode == 0


# --- expected indexes -------------------------------------------------------------------------------------


def indexed(repository: Repository, sql: str) -> subprocess.CompletedProcess[str]:
    plain(
        repository,
        "expect_index = users.idx_users_email",
        _1="CREATE TABLE users (email text); CREATE TABLE idx_users (email text);"
        "CREATE INDEX idx_users_email ON users (email);",
    )
    done = repository.run("up", "verify")
    assert done.returncode == 0, done.stderr
    repository.sql(sql)
    return repository.run("verify")


def test_verify_fails_on_a_dropped_index(repository: Repository) -> None:
    done = indexed(repository, "DROP INDEX idx_users_email")
    assert done.returncode == 1
    assert "index users.idx_users_email is missing" in done.stderr


def test_verify_fails_on_an_index_left_invalid_by_a_failed_build(repository: Repository) -> None:
    indexed(repository, "DROP INDEX idx_users_email; INSERT INTO users VALUES ('same'), ('same');")
    repository.sql("CREATE UNIQUE INDEX CONCURRENTLY idx_users_email ON users (email)", check=False)
    assert repository.sql("SELECT indisvalid FROM pg_index WHERE indexrelid = 'idx_users_email'::regclass") == "f"
    done = repository.run("verify")
    assert done.returncode == 1
    assert "index users.idx_users_email is INVALID" in done.stderr
    assert json.loads(done.stdout)["indexes"]["found"][0]["valid"] is False


@pytest.mark.parametrize(("flag", "message"), [("indisready", "is not ready"), ("indisvalid", "is INVALID")])
def test_verify_needs_both_flags(repository: Repository, flag: str, message: str) -> None:
    # A build that ends at different steps leaves either flag down; both at once is what a test gets by itself.
    unset = f"UPDATE pg_index SET {flag} = false WHERE indexrelid = 'idx_users_email'::regclass"
    done = indexed(repository, unset)
    assert done.returncode == 1
    assert message in done.stderr


@pytest.mark.parametrize(
    ("sql", "problem"),
    [
        ("CREATE INDEX idx_users_email ON idx_users (email)", "is on another table: public.idx_users"),
        (
            "CREATE SCHEMA s; CREATE TABLE s.users (email text); CREATE INDEX idx_users_email ON s.users (email)",
            "is on another table: s.users",
        ),
        ("CREATE INDEX idxXusers_email ON users (email)", "is missing"),
    ],
    ids=["other table", "other schema", "underscore is no wildcard"],
)
def test_verify_fails_on_the_right_name_in_the_wrong_place(repository: Repository, sql: str, problem: str) -> None:
    done = indexed(repository, f"DROP INDEX idx_users_email; {sql}")
    assert done.returncode == 1
    assert f"index users.idx_users_email {problem}" in done.stderr


def test_an_entry_may_name_its_schema(repository: Repository) -> None:
    plain(
        repository,
        "expect_index = s.users.i",
        _1="CREATE SCHEMA s; CREATE TABLE s.users (id int); CREATE INDEX i ON s.users (id);",
    )
    assert repository.run("up", "verify").returncode == 0


# --- the connection ---------------------------------------------------------------------------------------


def test_no_password_in_any_argument_list_or_log(repository: Repository) -> None:
    plain(repository, _1="SELECT pg_sleep(2);")
    runner = repository.start("up", "verify")
    assert eventually(lambda: running(repository, "pg_sleep"))
    seen = subprocess.run(["ps", "-ewwo", "args"], text=True, capture_output=True, check=True).stdout
    out, log = runner.communicate(timeout=60)
    assert runner.returncode == 0
    assert "psql --no-psqlrc" in seen
    for text in (seen, out, log):
        assert PASSWORD not in text
        assert quote(PASSWORD, safe="") not in text


def test_a_wrong_password_is_not_echoed(repository: Repository) -> None:
    plain(repository)
    repository.environment["DATABASE_URL"] = repository.server.url(repository.database, "wr0ng secret")
    repository.environment["MIGRATE_CONNECT_TIMEOUT"] = "0"
    done = repository.run("up")
    assert done.returncode == 75
    assert "password authentication failed" in done.stderr
    assert "wr0ng" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgres://u:p@h/d", "h|5432|u|p|d|"),
        ("postgresql+psycopg://u:p%40%3A%2F%27%22%24%20@h:6432/d%20b", "h|6432|u|p@:/'\"$ |d b|"),
        ("postgresql://u:a@b:c$x@h/d", "h|5432|u|a@b:c$x|d|"),
        ("postgresql://u@[::1]:6/d?sslmode=require&connection_limit=5", "::1|6|u||d|require"),
        ("postgresql://a:1,b:2/d", "a,b|1,2|||d|"),
        ("postgresql:///d?host=/run/x%20y&user=u&password=%5Cn", "/run/x y||u|\\n|d|"),
    ],
)
def test_urls_become_libpq_variables(url: str, expected: str) -> None:
    script = (
        'misuse() { echo "misuse: $*"; exit 2; }; service=s; source "$1"; read_url;'
        'printf "%s|%s|%s|%s|%s|%s" "${PGHOST-}" "${PGPORT-}" "${PGUSER-}" "${PGPASSWORD-}"'
        ' "${PGDATABASE-}" "${PGSSLMODE-}"'
    )
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PG")}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script, "bash", str(RUNNER / "connection.sh")],
        env={**environment, "DATABASE_URL": url}, text=True, capture_output=True, check=False,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == (expected, "")


@pytest.mark.parametrize(
    ("change", "arguments", "message"),
    [
        ({"DATABASE_URL": ""}, ["up"], "DATABASE_URL must be"),
        ({"DATABASE_URL": "mysql://u:hidden@h/d"}, ["up"], "DATABASE_URL must be"),
        ({"DATABASE_URL": "postgresql://u:100%@h/d"}, ["up"], "two hexadecimal digits"),
        ({"MIGRATE_SERVICE": "../x"}, ["up"], "no settings for the service"),
        ({"MIGRATE_LOCK_TIMEOUT": "5m"}, ["up"], "whole seconds"),
        ({}, ["down"], "unknown command"),
        ({}, [], "COMMAND"),
        ({}, ["up", "--service"], "--service needs a value"),
    ],
)
def test_bad_usage_exits_2(repository: Repository, change: dict[str, str], arguments: list[str], message: str) -> None:
    plain(repository)
    repository.environment.update(change)
    done = repository.run(*arguments)
    assert (done.returncode, message in done.stderr) == (2, True), done.stderr
    assert "hidden" not in done.stderr


def test_a_conf_is_read_and_never_run(repository: Repository, tmp_path: Path) -> None:
    plain(repository, f"expect_index = $(touch {tmp_path}/ran)", f"expect_index = `touch {tmp_path}/ran`")
    assert repository.run("verify").returncode == 1
    assert not (tmp_path / "ran").exists()


def test_an_image_may_have_the_service_elsewhere(repository: Repository, tmp_path: Path) -> None:
    plain(repository, _1="CREATE TABLE t (id int);")
    (repository.root / "backend").rename(tmp_path / "app")
    assert repository.run("up").returncode == 2
    repository.environment["MIGRATE_PATH"] = str(tmp_path / "app")
    repository.up()


def test_a_large_migration_passes(repository: Repository) -> None:
    rows = ",\n".join(f"({n}, '{'x' * 90}')" for n in range(40_000))
    plain(repository, _1=f"CREATE TABLE t (id int, s text); INSERT INTO t VALUES {rows};")
    repository.up()
    assert repository.sql("SELECT count(*) FROM t") == "40000"


def test_the_scripts_are_clean_for_shellcheck() -> None:
    scripts = [
        str(RUNNER / "migrate.sh"),
        str(RUNNER / "connection.sh"),
        *map(str, sorted((RUNNER / "tools").glob("*.sh"))),
    ]
    done = subprocess.run(["shellcheck", "-x", *scripts], text=True, capture_output=True, check=False)
    assert done.stdout == ""
    assert done.returncode == 0


def test_a_slim_image_is_enough(repository: Repository, tmp_path: Path) -> None:
    """Nothing but bash, psql, coreutils, sed, grep and awk: no Python, no jq, no procps."""
    coreutils = "env cat cp cut basename dirname head mkdir mktemp paste rm sha256sum sleep sort tr uniq"
    (tmp_path / "bin").mkdir()
    for program in ["bash", "sh", "sed", "grep", "awk", *coreutils.split()]:
        (tmp_path / "bin" / program).symlink_to(str(shutil.which(program)))
    (tmp_path / "bin/psql").symlink_to(repository.server.bin / "psql")
    plain(repository, "expect_index = t.i", _1="CREATE TABLE t (id int);", _2="CREATE INDEX i ON t (id);")
    repository.environment["PATH"] = str(tmp_path / "bin")
    done = repository.run("up", "verify", "wait")
    assert done.returncode == 0, done.stderr
    assert "not found" not in done.stderr
