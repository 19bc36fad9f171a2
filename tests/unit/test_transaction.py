"""Many files as one change: killed at any point, the tree is before or after."""

from __future__ import annotations

import json
import os
import random
import shutil
from pathlib import Path

import pytest

from trimtab import transaction
from trimtab.output import Folder
from trimtab.transaction import JOURNAL, TransactionError, locked, pending, recover
from trimtab.tree import ANSWERS_FILE, File

FILES = [f"d{n % 4}/f{n}" for n in range(12)]
BEFORE = {path: f"old {path}\n" * 40 for path in FILES}
AFTER = {path: f"new {path}\n" * 40 for path in FILES[3:]} | {"new/a": "x", ANSWERS_FILE: "y"}
CHANGES: dict[str, File | None] = {p: File(t.encode()) for p, t in AFTER.items()} | dict.fromkeys(FILES[:3])
# The calls between which a process can die with different files on disk.
CALLS = [
    (Path, "mkdir"),
    (Path, "replace"),
    (Path, "unlink"),
    (Path, "rmdir"),
    (transaction, "_write"),
    (shutil, "rmtree"),
]


def tree_of(root: Path) -> dict[str, str]:
    paths = (p for p in root.rglob("*") if p.is_file() and JOURNAL not in p.parts)
    return {p.relative_to(root).as_posix(): p.read_text() for p in paths}


def die_at(number: int) -> None:
    """Let this process die, as by SIGKILL, at the given call."""
    count = [0]

    def deadly(real: object) -> object:
        def call(*arguments: object, **options: object) -> object:
            count[0] += 1
            if count[0] == number:
                os._exit(9)
            assert callable(real)
            return real(*arguments, **options)

        return call

    for holder, name in CALLS:
        setattr(holder, name, deadly(getattr(holder, name)))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_five_hundred_kills_lose_nothing(tmp_path: Path) -> None:
    outcomes = {"before": 0, "after": 0}
    choose = random.Random(7)
    for run in range(500):
        root = tmp_path / str(run)
        root.mkdir()
        for path, text in BEFORE.items():
            (root / path).parent.mkdir(exist_ok=True)
            (root / path).write_text(text)
        child = os.fork()
        if child == 0:
            die_at(choose.randint(1, 60))
            try:
                Folder(root).write(CHANGES)
            finally:
                os._exit(0)
        choose.random()
        os.waitpid(child, 0)
        decided = pending(root)
        for path, text in tree_of(root).items():
            assert text in (BEFORE.get(path), AFTER.get(path)), f"{path} is half-written"
        if not decided and (root / JOURNAL).exists():
            assert tree_of(root) in (BEFORE, AFTER)
        recover(root)
        found = tree_of(root)
        assert found in (BEFORE, AFTER)
        assert not (root / JOURNAL).exists()
        if decided:
            assert found == AFTER
        outcomes["after" if found == AFTER else "before"] += 1
    assert min(outcomes.values()) > 20, outcomes


def test_nothing_changes_when_the_disk_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Folder(tmp_path).write({"a": File(b"old")})
    real = transaction._write

    def full(path: Path, content: bytes, *mode: int) -> None:
        if path.name == "1":
            raise OSError(28, "No space left on device")
        real(path, content, *mode)

    monkeypatch.setattr(transaction, "_write", full)
    with pytest.raises(TransactionError, match="No space left on device"):
        Folder(tmp_path).write({"a": File(b"new"), "deep/b": File(b"new")})
    assert [(p.name, p.read_bytes()) for p in tmp_path.rglob("*")] == [("a", b"old")]


@pytest.mark.parametrize("path", ["../outside", "/tmp/outside", ".git/hooks/pre-commit", "link/x"])
def test_a_journal_of_somebody_else_writes_nowhere(tmp_path: Path, path: str) -> None:
    root = tmp_path / "root"
    (root / JOURNAL).mkdir(parents=True)
    (root / "link").symlink_to(tmp_path)
    (root / JOURNAL / "0").write_text("evil")
    (root / JOURNAL / "manifest.json").write_text(json.dumps([[path, "0"]]))
    with pytest.raises(TransactionError):
        recover(root)
    assert {p.name for p in tmp_path.iterdir()} == {"root"}


def test_two_runs_at_once_are_refused(tmp_path: Path) -> None:
    with locked(tmp_path), pytest.raises(TransactionError, match="another trimtab"), locked(tmp_path):
        pass


def test_the_answers_file_goes_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    real = Path.replace

    def spy(self: Path, target: Path) -> Path:
        order.append(Path(target).name)
        return real(self, target)

    monkeypatch.setattr(Path, "replace", spy)
    Folder(tmp_path).write({ANSWERS_FILE: File(b"x"), "z": File(b"x"), "a": File(b"x")})
    assert order == ["manifest.json", "a", "z", ANSWERS_FILE]
