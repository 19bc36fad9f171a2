"""The command `adopt`, and what it writes."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from typer import Typer
from typer.testing import CliRunner

from tests.conftest import ROOT
from trimtab.audit.adopt import proposed_settings
from trimtab.audit.adopt.commands import register
from trimtab.audit.adopt.replaced import write_generated
from trimtab.errors import TrimtabError
from trimtab.frameworks import Frameworks
from trimtab.settings.load import parse_settings
from trimtab.tree import File

COMPOSE = "services:\n  api:\n    build: api\n    ports: ['4000:4000']\n"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    (folder / "api").mkdir(parents=True)
    (folder / "api" / "package.json").write_text('{"name": "api", "dependencies": {"express": "5"}}')
    (folder / "api" / "server.js").write_text("app.listen(4000)\n")
    (folder / "docker-compose.yml").write_text(COMPOSE)
    return folder


@pytest.fixture
def app() -> Typer:
    made = Typer()
    register(made)
    made.command("other")(lambda: None)  # with one command only, Typer would drop its name
    return made


def test_it_prints_settings_and_says_what_would_be_replaced(app: Typer, shop: Path) -> None:
    ran = CliRunner().invoke(app, ["adopt", str(shop)])
    assert ran.exit_code == 0
    parse_settings(ran.stdout.encode(), Frameworks(ROOT))
    assert "replaced where they stand:\n  docker-compose.yml\n" in ran.stderr
    assert sorted(p.name for p in shop.iterdir()) == ["api", "docker-compose.yml"]


def test_out_writes_one_file_and_never_over_another(app: Typer, shop: Path) -> None:
    target = shop / "trimtab.yml"
    assert CliRunner().invoke(app, ["adopt", str(shop), "--out", str(target)]).exit_code == 0
    first = target.read_bytes()
    target.write_text("mine")
    again = CliRunner().invoke(app, ["adopt", str(shop), "--out", str(target)])
    assert isinstance(again.exception, TrimtabError)
    assert target.read_text() == "mine"
    CliRunner().invoke(app, ["adopt", str(shop), "--out", str(target), "--force"])
    assert target.read_bytes() == first


def test_init_gets_the_same_settings_or_none(app: Typer, shop: Path, tmp_path: Path) -> None:
    ran = CliRunner().invoke(app, ["adopt", str(shop)])
    assert proposed_settings(shop) == ran.stdout.encode()
    empty = tmp_path / "empty"
    empty.mkdir()
    assert proposed_settings(empty) is None
    assert proposed_settings(tmp_path / "absent") is None


def test_generating_replaces_committed_files_only(shop: Path, git: Callable[..., str]) -> None:
    (shop / "changed").write_text("1")
    subprocess.run(["git", "init", "-q", str(shop)], check=True)
    git(shop, "add", "-A")
    git(shop, "commit", "-q", "-m", "first")
    (shop / "changed").write_text("2")
    (shop / "untracked").write_text("mine")
    (shop / "staged").write_text("mine")
    git(shop, "add", "staged")
    (shop / "linked").symlink_to("/etc/hostname")
    names = ["docker-compose.yml", "changed", "untracked", "staged", "linked", "new/file"]
    done = write_generated(shop, {name: File(b"generated\n") for name in names})
    assert done.written == ("docker-compose.yml", "new/file")
    assert [path for path, _ in done.kept] == ["changed", "linked", "staged", "untracked"]
    assert (shop / "changed").read_text() == "2"
    assert (shop / "untracked").read_text() == "mine"
    assert (shop / "new" / "file").read_bytes() == b"generated\n"


def test_without_git_nothing_is_replaced(shop: Path) -> None:
    done = write_generated(shop, {"docker-compose.yml": File(b"generated\n"), "new": File(b"generated\n")})
    assert done.written == ("new",)
    assert (shop / "docker-compose.yml").read_text() == COMPOSE


def test_an_adopted_repository_is_not_adopted_again(shop: Path) -> None:
    (shop / "trimtab.yml").write_text("version: 1\n")
    with pytest.raises(TrimtabError, match=r"trimtab\.yml: there is one already"):
        write_generated(shop, {"trimtab.yml": File(b"other\n"), "new": File(b"generated\n")})
    assert not (shop / "new").exists()


def test_a_file_that_is_left_alone_is_not_said_to_be_replaced(app: Typer, shop: Path) -> None:
    subprocess.run(["git", "init", "-q", str(shop)], check=True)
    ran = CliRunner().invoke(app, ["adopt", str(shop), "--generate"])
    assert ran.exit_code == 0
    assert "left alone:\n  docker-compose.yml (not committed, or changed since)\n" in ran.stderr
    assert "replaced where they stand" not in ran.stderr
    assert (shop / "docker-compose.yml").read_text() == COMPOSE
