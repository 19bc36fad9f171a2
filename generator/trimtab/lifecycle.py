"""Resync: bring a repository to what its settings and template say, and keep every hand edit.

The same three-way merge as `copier update` (last applied, on disk, wanted), with the holes of that closed: nothing is
deleted or overwritten without a copy, conflicts are named, nothing is written before every check has passed.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from trimtab.errors import TrimtabError, some
from trimtab.git import changed_paths, has_conflict, merge
from trimtab.output import Folder, same
from trimtab.tree import ANSWERS_FILE, SETTINGS_FILE, File, Tree

Action = Literal["create", "update", "merge", "conflict", "delete", "save", "restore", "left", "in the way"]
LABELS = ("on disk", "last applied", "trimtab.yml")


class SyncError(TrimtabError):
    """The repository is in no state to be synced."""


@dataclass(frozen=True)
class Step:
    """What a sync does to one path, and the path where a copy was kept, if any."""

    path: str
    action: Action
    note: str = ""


@dataclass(frozen=True)
class Plan:
    """Every step of a sync, by path, and the changes that they come to."""

    steps: tuple[Step, ...]
    changes: dict[str, File | None] = field(default_factory=dict)

    @property
    def clean(self) -> bool:
        """Whether nothing is left for the user to solve."""
        return not any(s.action in ("conflict", "in the way") for s in self.steps)


def plan_sync(folder: Folder, base: Tree, want: Tree, restore: bool = False) -> Plan:
    """Decide what happens to each path; touches nothing. `restore` brings deleted files back."""
    planner = _Planner(folder, restore)
    for path in sorted({*base, *want} - {SETTINGS_FILE}):
        planner.decide(path, base.get(path), want.get(path))
    return Plan(tuple(planner.steps), planner.changes)


class _Planner:
    def __init__(self, folder: Folder, restore: bool) -> None:
        self.folder = folder
        self.restore = restore
        self.steps: list[Step] = []
        self.changes: dict[str, File | None] = {}

    def decide(self, path: str, base: File | None, want: File | None) -> None:
        have = self.folder.read(path)
        if same(have, want):
            return
        if want is None:
            if have is not None and base is not None:
                self._remove(path, base, have)
        elif have is None:
            self._create(path, base, want)
        elif want.once:
            return
        elif path == ANSWERS_FILE or same(have, base):
            self._step(path, "update", want)
        elif base is None:
            self.steps.append(Step(path, "in the way", "a file of yours stands where a generated one belongs"))
        elif not same(base, want):
            self._merge(path, base, have, want)

    def _step(self, path: str, action: Action, file: File | None, note: str = "") -> None:
        self.steps.append(Step(path, action, note))
        self.changes[path] = file

    def _remove(self, path: str, base: File, have: File) -> None:
        if same(have, base):
            self._step(path, "delete", None)
            return
        if base.once:  # its content was never ours
            self.steps.append(Step(path, "left", "no longer generated; delete it if nothing needs it"))
            return
        copy = self._free_name(f"{path}.saved")
        self.changes[copy] = have
        self._step(path, "save", None, f"no longer generated; your edited copy is {copy}")

    def _create(self, path: str, base: File | None, want: File) -> None:
        if base is None or want.once:
            self._step(path, "create", want)
        elif self.restore:
            self._step(path, "restore", want)
        else:
            self.steps.append(Step(path, "left", "you deleted it; --restore brings it back"))

    def _merge(self, path: str, base: File, have: File, want: File) -> None:
        with tempfile.TemporaryDirectory(prefix="trimtab-") as name:
            files = [Path(name, side) for side in ("have", "base", "want")]
            for file, side in zip(files, (have, base, want), strict=True):
                file.write_bytes(side.content)
            merged, clean = merge(files[0], files[1], files[2], LABELS)
        executable = want.executable if have.executable == base.executable else have.executable
        if merged == have.content and executable == have.executable:
            return
        content = merged.replace(b"\n", b"\r\n") if self.folder.has_crlf(path) else merged
        if clean:
            self._step(path, "merge", File(content, executable), "hand edits kept")
        else:
            self._step(path, "conflict", File(content, executable), f"line {_first_conflict(merged)}")

    def _free_name(self, wish: str) -> str:
        name, number = wish, 1
        while self.folder.read(name) is not None or name in self.changes:
            name, number = f"{wish}.{number}", number + 1
        return name


def _first_conflict(text: bytes) -> int:
    lines = text.splitlines()
    return next(number for number, line in enumerate(lines, 1) if line.startswith(b"<<<<<<< "))


def refuse_unresolved(folder: Folder, paths: list[str]) -> None:
    """Raise SyncError (exit 1) where an earlier merge is unresolved: conflict markers, or `*.rej` beside a file."""
    unresolved = []
    for path in paths:
        have = folder.read(path)
        if have is not None and has_conflict(have.content):
            unresolved.append(f"{path}:{_first_conflict(have.content)}")
        if folder.read(f"{path}.rej") is not None:
            unresolved.append(f"{path}.rej")
    if unresolved:
        error = SyncError(f"unresolved conflict in {some(unresolved)}", "resolve it, commit, and sync again")
        error.exit_code = 1
        raise error


def refuse_uncommitted(root: Path, folder: Folder, plan: Plan, base: Tree) -> None:
    """Raise SyncError if a file with uncommitted edits would be changed: git could not bring those edits back."""
    changed = changed_paths(root)
    dirty = [
        path
        for path in plan.changes
        if path in changed
        and path in base
        and not base[path].once
        and folder.read(path) is not None
        and path != ANSWERS_FILE
        and not same(folder.read(path), base[path])
    ]
    if dirty:
        raise SyncError(
            f"uncommitted edits in {some(dirty)}, which this sync would merge into",
            "commit or stash them first, so that git can show what the merge did",
        )
