"""A tree against a folder: states, atomic writes, links."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from trimtab.output import Folder, OutputError, compare, write_new
from trimtab.transaction import TransactionError
from trimtab.tree import File, Tree


def tree(**files: str) -> Tree:
    return {name.replace("_", "."): File(text.encode()) for name, text in files.items()}


def test_each_state_is_told(tmp_path: Path) -> None:
    base = tree(ok="1", stale="old", edited="1", gone="1", orphan="1", both="old")
    want = tree(ok="1", stale="new", edited="1", gone="1", both="new", fresh="1")
    Folder(tmp_path).write(dict(tree(ok="1", stale="old", edited="2", orphan="1", both="mine")))
    found = {c.path: (c.state, c.current) for c in compare(Folder(tmp_path), base, want)}
    assert found == {
        "ok": ("ok", True),
        "stale": ("stale", True),
        "edited": ("hand-edited", True),
        "gone": ("missing", True),
        "orphan": ("orphaned", True),
        "both": ("hand-edited", False),
        "fresh": ("missing", False),
    }


def test_line_ends_of_windows_are_no_drift(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1\r\n2\r\n")
    want = {"a": File(b"1\n2\n")}
    assert [c.state for c in compare(Folder(tmp_path), want, want)] == ["ok"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no executable bit")
def test_the_executable_bit_is_written_and_watched(tmp_path: Path) -> None:
    want = {"run.sh": File(b"#!/bin/sh\n", executable=True)}
    Folder(tmp_path).write(dict(want))
    assert os.access(tmp_path / "run.sh", os.X_OK)
    (tmp_path / "run.sh").chmod(0o644)
    assert [c.state for c in compare(Folder(tmp_path), want, want)] == ["hand-edited"]


def test_a_file_that_is_written_once_is_ok_whatever_it_holds(tmp_path: Path) -> None:
    want = {"mine": File(b"theirs", once=True)}
    (tmp_path / "mine").write_text("changed")
    assert [c.state for c in compare(Folder(tmp_path), want, want)] == ["ok"]
    (tmp_path / "mine").unlink()
    assert [c.state for c in compare(Folder(tmp_path), want, want)] == ["missing"]


@pytest.mark.parametrize("path", ["../out", "/out", "a/../../out", ".git/hooks/pre-commit", "a/.GIT/config"])
def test_a_path_out_of_the_folder_is_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(TransactionError, match="inside the repository"):
        Folder(tmp_path).write({path: File(b"x")})


@pytest.mark.parametrize("place", ["link", "link/file"])
def test_a_link_is_never_written_through(tmp_path: Path, place: str) -> None:
    outside, root = tmp_path / "outside", tmp_path / "root"
    outside.mkdir()
    root.mkdir()
    (root / "link").symlink_to(outside)
    with pytest.raises(TransactionError, match="symbolic link"):
        Folder(root).write({place: File(b"x")})
    assert list(outside.iterdir()) == []


def test_a_deletion_takes_empty_folders_with_it(tmp_path: Path) -> None:
    Folder(tmp_path).write({"a/b/c": File(b"x"), "a/d": File(b"x")})
    Folder(tmp_path).write({"a/b/c": None})
    assert not (tmp_path / "a/b").exists()
    assert (tmp_path / "a/d").exists()


def test_files_of_others_are_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("mine")
    with pytest.raises(OutputError, match="a would be overwritten"):
        write_new(Folder(tmp_path), tree(a="theirs", b="1"), {}, force=False)
    assert not (tmp_path / "b").exists()
    write_new(Folder(tmp_path), tree(a="theirs", b="1"), {}, force=True)
    assert (tmp_path / "a").read_text() == "theirs"
