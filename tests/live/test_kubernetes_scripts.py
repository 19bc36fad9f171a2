"""The scripts inside the emitted manifests, unchanged but for their folders, on real servers."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.live.conftest import PASSWORD, Server
from tests.unit.outputs.platforms import platform

pytestmark = pytest.mark.live
FOLDER = "k8s/components"


def _container(path: str, kind: str) -> dict[str, Any]:
    """The container of the workload of this kind in an emitted file of the example platform."""
    documents = list(yaml.safe_load_all(platform("platform").files[f"{FOLDER}/{path}"]))
    spec = next(d["spec"] for d in documents if d["kind"] == kind)
    template = spec["jobTemplate"]["spec"]["template"] if kind == "CronJob" else spec["template"]
    container: dict[str, Any] = template["spec"]["containers"][0]
    return container


@pytest.fixture
def database(server: Server) -> str:
    name = f"backup_{time.monotonic_ns()}"
    server.sql("postgres", f'CREATE DATABASE "{name}"')
    server.sql(name, "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 500)")
    return name


def _run(
    container: dict[str, Any], server: Server, database: str, backups: Path, **env: str
) -> subprocess.CompletedProcess[str]:
    shell, flag, script = container["command"]
    assert [v["name"] for v in container["env"][:4]] == ["PGHOST", "PGPORT", "PGUSER", "PGDATABASE"]
    connection = {"PGHOST": "127.0.0.1", "PGPORT": str(server.port), "PGUSER": "app", "PGDATABASE": database}
    return subprocess.run(
        [shell, flag, script.replace("/backups", str(backups))],
        env={**os.environ, **connection, "PGPASSWORD": PASSWORD, "BACKUP": "", **env},
        capture_output=True,
        text=True,
        check=False,
    )


needs_dump = pytest.mark.skipif(not shutil.which("pg_dump"), reason="no pg_dump here (Debian: postgresql-client)")


@needs_dump
def test_a_backup_is_restored(server: Server, database: str, tmp_path: Path) -> None:
    backup, restore = _container("postgres/backup.yaml", "CronJob"), _container("postgres/restore.yaml", "Job")
    done = _run(backup, server, database, tmp_path)
    assert done.returncode == 0, done.stderr
    (dump,) = tmp_path.glob("nightly-*.dump")
    server.sql(database, "DELETE FROM t WHERE id > 10; CREATE TABLE later (id int REFERENCES t)")
    done = _run(restore, server, database, tmp_path)
    assert done.returncode == 0, done.stderr
    assert dump.name in done.stdout
    assert server.sql(database, "SELECT count(*), to_regclass('later') IS NULL FROM t") == "500|t"
    (before,) = tmp_path.glob("before-restore-*.dump")  # what was there can be had back, too
    server.sql(database, "DROP TABLE t")
    done = _run(restore, server, database, tmp_path, BACKUP=before.name)
    assert done.returncode == 0, done.stderr
    assert server.sql(database, "SELECT count(*) FROM t") == "10"


@needs_dump
def test_a_restore_beside_an_open_connection_changes_nothing(server: Server, database: str, tmp_path: Path) -> None:
    backup, restore = _container("postgres/backup.yaml", "CronJob"), _container("postgres/restore.yaml", "Job")
    assert _run(backup, server, database, tmp_path).returncode == 0
    server.sql(database, "DELETE FROM t WHERE id > 10")
    url = server.url(database)
    with subprocess.Popen(["psql", "-qX", url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as session:
        assert session.stdin
        assert session.stdout
        print("SELECT 1;", file=session.stdin, flush=True)
        session.stdout.readline()
        done = _run(restore, server, database, tmp_path)
        session.stdin.close()
    assert done.returncode != 0
    assert "is being accessed by other users" in done.stderr
    assert server.sql(database, "SELECT count(*) FROM t") == "10"
    assert _run(restore, server, database, tmp_path).returncode == 0
    assert server.sql(database, "SELECT count(*) FROM t") == "500"


@needs_dump
def test_old_backups_go_and_a_failed_one_leaves_none(server: Server, database: str, tmp_path: Path) -> None:
    old, recent = tmp_path / "nightly-old.dump", tmp_path / "nightly-recent.dump"
    for path, days in ((old, 16), (recent, 3)):
        path.touch()
        os.utime(path, (time.time() - days * 86400,) * 2)
    backup = _container("postgres/backup.yaml", "CronJob")
    failed = _run(backup, server, "no_such_database", tmp_path)
    assert failed.returncode != 0
    assert {p.name for p in tmp_path.iterdir()} == {"nightly-old.dump", "nightly-recent.dump"}
    assert _run(backup, server, database, tmp_path).returncode == 0
    assert not old.exists()
    assert recent.exists()


@needs_dump
def test_a_restore_of_nothing_changes_nothing(server: Server, database: str, tmp_path: Path) -> None:
    restore = _container("postgres/restore.yaml", "Job")
    for env in ({}, {"BACKUP": "typo.dump"}):
        done = _run(restore, server, database, tmp_path, **env)
        assert done.returncode == 1
        assert "no such backup" in done.stdout
    assert server.sql(database, "SELECT count(*) FROM t") == "500"
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not shutil.which("redis-server"), reason="redis-server is not installed (Debian: redis-server)")
@pytest.mark.parametrize("password", ["0123456789abcdef", "with \" quotes' \\ and $HOME"])
def test_redis_wants_its_password_and_no_argument_shows_it(tmp_path: Path, password: str) -> None:
    files = platform("platform").files
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # The entrypoint is the image's own: it loads modules, then runs what it is given.
    places = {
        "docker-entrypoint.sh ": "",
        "/etc/redis": tmp_path,
        "/run/redis": tmp_path / "run",
        "dir /data": f"dir {tmp_path}",
    }
    (tmp_path / "run").mkdir()
    for name in ("redis.conf", "start.sh"):
        text = files[f"{FOLDER}/redis/{name}"].replace("port 6379", f"port {port}")
        for place, mine in places.items():
            text = text.replace(place, str(mine))
        (tmp_path / name).write_text(text)
    env = {**os.environ, "REDIS_PASSWORD": password}
    server = subprocess.Popen(["sh", str(tmp_path / "start.sh")], env=env, stdout=subprocess.DEVNULL)
    try:
        assert _ping(port, REDISCLI_AUTH=password, attempts=50) == "PONG"
        assert "NOAUTH" in _ping(port)
        assert "NOAUTH" in _ping(port, REDISCLI_AUTH="wrong") or "WRONGPASS" in _ping(port, REDISCLI_AUTH="wrong")
        spoken = Path(f"/proc/{server.pid}/cmdline").read_bytes().decode()
        assert password not in spoken
        assert (tmp_path / "run" / "password.conf").stat().st_mode & 0o077 == 0
    finally:
        server.terminate()
        server.wait(10)


def _ping(port: int, attempts: int = 1, **env: str) -> str:
    """The emitted probe's own command."""
    probe = _container("redis/stateful-set.yaml", "StatefulSet")["readinessProbe"]["exec"]["command"]
    command = [probe[0], "-p", str(port), *probe[1:]]
    text = ""
    for _ in range(attempts):
        done = subprocess.run(command, env={**os.environ, **env}, capture_output=True, text=True, check=False)
        text = (done.stdout + done.stderr).strip()
        assert (done.returncode == 0) == (text == "PONG")  # what the kubelet sees
        if text == "PONG":
            break
        time.sleep(0.1)
    return text
