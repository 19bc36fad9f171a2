"""The Docker engine; a real PostgreSQL in a temporary directory, and a repository with the emitted migration runner."""

from __future__ import annotations

import atexit
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.live.engine import bases, daemon
from tests.live.engine.daemon import Engine, UnavailableError

collect_ignore = ["apps"]  # their tests are for the emitted workflow to run
_TEMPLATE = Path(__file__).parents[2] / "template" / "project" / "infrastructure"


def _plain_runner() -> Path:
    """The runner with the adapters of every tool, under the names that it is emitted with."""
    (source,) = (folder for folder in _TEMPLATE.glob("*database*") if (folder / "migrate.sh").exists())
    target = Path(tempfile.mkdtemp(prefix="runner-"))
    atexit.register(shutil.rmtree, target, ignore_errors=True)
    for file in source.rglob("*"):
        if file.is_file() and file.suffix != ".jinja":
            name = re.sub(r"{%.*?%}", "", file.relative_to(source).as_posix())
            (target / name).parent.mkdir(exist_ok=True)
            shutil.copy(file, target / name)
    return target


RUNNER = _plain_runner()
# Everything that a URL, a shell, SQL or libpq could trip over.
PASSWORD = """p@ss:w/o\\r'd"$HOME `id` %41 ü"""


def postgres_bin() -> Path | None:
    """The newest directory that has both initdb and postgres."""
    found = shutil.which("postgres")
    candidates = [Path(found).resolve().parent] if found else []
    candidates += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name))
    usable = [d for d in candidates if (d / "initdb").exists() and (d / "postgres").exists()]
    return usable[-1] if usable else None


FIGURES: dict[str, object] = {}


@pytest.fixture(scope="session")
def figures() -> dict[str, object]:
    """What the tests measure; the run prints it at its end."""
    return FIGURES


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if FIGURES:
        terminalreporter.section("what was measured")
        for name, value in FIGURES.items():
            terminalreporter.write_line(f"{name}: {value}")


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """Skips with the reason where there is no engine; fails instead where TRIMTAB_LIVE_REQUIRED is set."""
    found = None
    try:
        found = daemon.find()
        bases.provide(
            found,
            ["debian", "uv", "python", "node", "nginx", "rust", "go", "distroless"],
            {"postgres": "postgres:18", "redis": "redis:8.10"},
        )
    except UnavailableError as reason:
        if found:
            found.stop()
        if os.environ.get("TRIMTAB_LIVE_REQUIRED"):
            pytest.fail(f"live tests are required here: {reason}", pytrace=False)
        pytest.skip(str(reason))
    yield found
    found.stop()


@dataclass(frozen=True)
class Server:
    port: int
    bin: Path

    def url(self, database: str, password: str = PASSWORD) -> str:
        return f"postgresql://app:{quote(password, safe='')}@127.0.0.1:{self.port}/{quote(database, safe='')}"

    def sql(self, database: str, statement: str, check: bool = True) -> str:
        environment = {**os.environ, "PGPASSWORD": PASSWORD}
        done = subprocess.run(
            ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", str(self.port), "-U", "app", database],
            input=statement, text=True, capture_output=True, env=environment, check=False,
        )  # fmt: skip
        if check and done.returncode:
            raise AssertionError(done.stderr)
        return done.stdout.strip()


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    directory = postgres_bin()
    if directory is None or shutil.which("psql") is None:
        pytest.skip("no postgres binary here (Debian: apt-get install postgresql)")
    as_postgres: list[str] = []
    base = Path(tempfile.mkdtemp(prefix="trimtab-pg-"))
    if os.geteuid() == 0:  # postgres refuses to run as root
        as_postgres = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        shutil.chown(base, "postgres", "postgres")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    secret = base / "password"
    secret.write_text(PASSWORD, encoding="utf-8")
    secret.chmod(0o644)

    def run(*command: str) -> None:
        subprocess.run([*as_postgres, *command], check=True, cwd=base, capture_output=True)

    run(
        str(directory / "initdb"), "-D", f"{base}/data", "-U", "app", "--pwfile", str(secret), "-A",
        "scram-sha-256", "-E", "UTF8", "--no-sync", "--locale=C",
    )  # fmt: skip
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={base} -c fsync=off"
    run(str(directory / "pg_ctl"), "-D", f"{base}/data", "-w", "-l", f"{base}/log", "-o", options, "start")
    try:
        yield Server(port, directory)
    finally:
        run(str(directory / "pg_ctl"), "-D", f"{base}/data", "-m", "immediate", "stop")
        shutil.rmtree(base)


@dataclass
class Repository:
    """A repository with one service, `backend`, as the generator emits it."""

    root: Path
    server: Server
    database: str
    environment: dict[str, str] = field(default_factory=dict)

    def settings(self, *lines: str) -> None:
        conf = self.root / "infrastructure/database/services/backend.conf"
        conf.parent.mkdir(exist_ok=True)
        conf.write_text("\n".join(["# rendered from the settings", "path = backend", *lines]) + "\n")

    def write(self, path: str, text: str) -> Path:
        file = self.root / "backend" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def env(self) -> dict[str, str]:
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("PG", "MIGRATE_", "GITHUB_"))}
        return {**clean, "DATABASE_URL": self.server.url(self.database), **self.environment}

    def command(self, *arguments: str) -> list[str]:
        return [str(self.root / "infrastructure/database/migrate.sh"), *arguments]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments), env=self.env(), text=True, capture_output=True, timeout=120, check=False
        )

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(*arguments),
            env=self.env(),
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def up(self) -> subprocess.CompletedProcess[str]:
        done = self.run("up")
        assert done.returncode == 0, done.stderr
        return done

    def report(self, command: str = "status") -> dict[str, Any]:
        done = self.run(command)
        assert done.stdout, done.stderr
        report: dict[str, Any] = json.loads(done.stdout)
        return report

    def versions(self, state: str) -> list[str]:
        return [m["version"] for m in self.report()[state]]

    def sql(self, statement: str, check: bool = True) -> str:
        return self.server.sql(self.database, statement, check)


@pytest.fixture
def repository(server: Server, tmp_path: Path, request: pytest.FixtureRequest) -> Repository:
    number = server.sql("postgres", "SELECT count(*) FROM pg_database")
    database = f"app {number}'é"
    server.sql("postgres", f"""CREATE DATABASE "{database}" """)
    root = tmp_path / "a repository"
    shutil.copytree(RUNNER, root / "infrastructure/database")
    (root / "backend").mkdir()
    return Repository(root, server, database)
