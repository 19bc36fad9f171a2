"""A disk that is full, files that may not be written, and things of the wrong kind: all or nothing, and one line."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT, Ran
from tests.integration.faults.conftest import SETTINGS, commit, refused, state

Program = Callable[..., Ran]
ROOM = 8  # KiB that are left


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB, mounted for the test."""
    root = tmp_path / "disk"
    root.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(root)]
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {done.stderr.strip()}")
    yield root
    subprocess.run(["umount", str(root)], check=True)


def fill(disk: Path) -> None:
    state_of = os.statvfs(disk)
    (disk / "ballast").write_bytes(b"x" * (state_of.f_bavail * state_of.f_frsize - ROOM * 1024))


def sources(root: Path) -> Path:
    """A repository to adopt."""
    (root / "api").mkdir(parents=True)
    (root / "api/package.json").write_text('{"name": "api", "dependencies": {"express": "5"}}')
    (root / "api/server.js").write_text("app.listen(4000)\n")
    (root / "docker-compose.yml").write_text("services:\n  api:\n    build: api\n    ports: ['4000:4000']\n")
    commit(root)
    return root


@pytest.mark.parametrize("command", ["init", "sync", "adopt", "env", "render", "adopt --out", "audit --output"])
def test_a_full_disk_leaves_the_tree_as_it_was(command: str, disk: Path, shop: Path, trimtab: Program) -> None:
    settings = shop.parent / "settings.yml"
    settings.write_text(SETTINGS)
    if command in ("sync", "env"):
        shutil.move(shop, disk / "shop")
        example = disk / "shop/.env.example"
        example.write_text(example.read_text() + "".join(f"V{n}={'x' * 90}\n" for n in range(200)))
        commit(disk / "shop")
    elif command == "adopt":
        sources(disk / "shop")
    elif "-" in command:
        sources(shop.parent / "sources")
        for number in range(300):  # a report, or settings, of more than is left
            (shop.parent / f"sources/compose-{number}.yml").write_text("services: {api: {image: 'x:latest'}}\n")
    arguments: dict[str, list[object]] = {
        "init": ["init", disk / "shop", "--settings", settings],
        "sync": ["sync", disk / "shop"],
        "adopt": ["adopt", disk / "shop", "--generate"],
        "env": ["env", disk / "shop"],
        "render": ["render", "--settings", settings, "--out", disk / "out"],
        "adopt --out": ["adopt", shop.parent / "sources", "--out", disk / "trimtab.yml"],
        "audit --output": ["audit", shop.parent / "sources", "--output", disk / "report.txt", "--format", "json"],
    }
    fill(disk)
    if command == "adopt --out":  # a small file: leave nothing at all
        with (disk / "rest").open("wb", buffering=0) as rest, pytest.raises(OSError, match="No space"):
            while rest.write(b"x" * 512):
                pass
    before = state(disk)
    refused(trimtab(*arguments[command]), "cannot be written: No space left on device")
    assert state(disk) == before


def immutable(path: Path) -> Iterator[None]:
    if os.geteuid() != 0 or not shutil.which("chattr"):
        pytest.skip("only root can make a file immutable, with chattr")
    done = subprocess.run(["chattr", "+i", str(path)], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"this file system knows no immutable files: {done.stderr.strip()}")
    yield
    subprocess.run(["chattr", "-i", str(path)], check=True)


@pytest.mark.parametrize("name", ["docker-compose.yml", "infrastructure/docker", "."])
def test_what_cannot_be_changed_stops_everything(name: str, shop: Path, trimtab: Program) -> None:
    before = state(shop)
    for _ in immutable(shop / name):
        refused(trimtab("sync", shop), "cannot be written: ", "nothing was changed")
        assert state(shop) == before
    assert trimtab("sync", shop).code == 0


@pytest.mark.parametrize(("name", "mode"), [("docker-compose.yml", 0o444), ("infrastructure/docker", 0o555)])
def test_what_is_read_only_stays(name: str, mode: int, shop: Path) -> None:
    """Root may write everything: where we are root, the program runs without that privilege."""
    (shop / name).chmod(mode)
    before = state(shop)
    plain = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    done = subprocess.run(
        [*plain, sys.executable, "-m", "trimtab", "sync", str(shop)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT / "generator")},
    )
    refused(Ran(done.returncode, done.stdout, done.stderr), f"{name}: cannot be written: Permission denied")
    assert state(shop) == before


def test_a_folder_where_a_file_belongs_and_the_other_way_round(shop: Path, trimtab: Program) -> None:
    (shop / "docker-compose.yml").unlink()
    (shop / "docker-compose.yml").mkdir()
    refused(trimtab("sync", shop), "docker-compose.yml: ")
    (shop / "docker-compose.yml").rmdir()
    shutil.rmtree(shop / "infrastructure")
    (shop / "infrastructure").write_text("mine")
    before = state(shop)
    for command in (["sync", shop, "--restore"], ["check", shop], ["diff", shop]):
        refused(trimtab(*command), "infrastructure")
    assert state(shop) == before


@pytest.mark.parametrize("name", ["docker-compose.yml", "infrastructure", "trimtab.yml", ".copier-answers.yml"])
def test_nothing_is_written_through_a_link(name: str, shop: Path, tmp_path: Path, trimtab: Program) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    shutil.move(shop / name, outside / "target")
    (shop / name).symlink_to(outside / "target")
    before = state(shop), state(outside)
    for command in (["sync", shop, "--restore"], ["init", shop, "--force"], ["check", shop], ["diff", shop]):
        refused(trimtab(*command), "is a symbolic link")
        assert (state(shop), state(outside)) == before


def test_a_link_of_the_journal_is_not_followed(shop: Path, tmp_path: Path, trimtab: Program) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "manifest.json").write_text('[["owned", "0"]]')
    (outside / "0").write_text("x")
    (shop / ".trimtab-journal").symlink_to(outside)
    before = state(shop), state(outside)
    refused(trimtab("sync", shop))
    assert (state(shop), state(outside)) == before


def test_a_pipe_is_not_waited_for(shop: Path, trimtab: Program) -> None:
    (shop / "docker-compose.yml").unlink()
    os.mkfifo(shop / "docker-compose.yml")
    refused(trimtab("check", shop), "is no plain file")
