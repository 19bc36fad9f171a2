"""A rendered tree against a folder: compare, show, write."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from trimtab import transaction
from trimtab.errors import TrimtabError, some
from trimtab.git import has_conflict
from trimtab.tree import ANSWERS_FILE, File, Tree

State = Literal["ok", "stale", "hand-edited", "missing", "orphaned"]
_NO_MODES = os.name == "nt"  # Windows has no executable bit


class OutputError(TrimtabError):
    """The folder cannot be read or written as it must be."""


@dataclass(frozen=True)
class Checked:
    """The state of one managed file.

    `current` tells whether a hand-edited file differs by its edits only, and a missing one was there before;
    `unresolved`, whether the conflict markers of a merge are left in it.
    """

    path: str
    state: State
    current: bool = True
    unresolved: bool = False


class Folder:
    """The user's repository: reads and writes plain files below `root`, never through a link that leaves it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._read: dict[str, File | None] = {}

    def read(self, path: str) -> File | None:
        """A file as it is on disk, line ends as `\\n`; None when there is none. Each file is read once."""
        if path not in self._read:
            self._read[path] = self._load(path)
        return self._read[path]

    def has_crlf(self, path: str) -> bool:
        """Whether the file on disk ends its lines with `\\r\\n`."""
        try:
            return b"\r\n" in self._target(path).read_bytes()
        except OSError:
            return False

    def _load(self, path: str) -> File | None:
        target = self._target(path)
        try:
            mode = target.stat().st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):  # a pipe would be waited for
                raise OutputError(f"{path}: is no plain file", "move it away")
            content = target.read_bytes()
        except FileNotFoundError:
            return None
        except NotADirectoryError:
            file = next(p for p in target.parents if p.exists())
            if file == self.root or not file.is_relative_to(self.root):
                raise OutputError(f"{file}: is a file", "name a folder") from None
            name = file.relative_to(self.root).as_posix()
            raise OutputError(f"{name}: is a file, and a folder belongs there", "move it away") from None
        except IsADirectoryError:
            raise OutputError(f"{path}: is a folder, and a file belongs there", "move it away") from None
        except OSError as error:
            raise OutputError(f"{path}: cannot be read: {error.strerror}", "check what stands there") from None
        return File(content.replace(b"\r\n", b"\n"), bool(mode & 0o100))

    def _target(self, path: str) -> Path:
        return transaction.target_of(self.root, path)

    def write(self, changes: Mapping[str, File | None]) -> None:
        """Write files and delete those that are None: all of them or, if that cannot be, none.

        Raises TransactionError for a path that leaves the root or cannot be written.
        """
        order = sorted(changes, key=lambda p: (p == ANSWERS_FILE, p))
        for path in order:
            target = self._target(path)
            if target.is_dir():
                raise OutputError(f"{path}: is a folder, and a file belongs there", "move it away")
        if order:
            transaction.change(self.root, changes, order)
        self._read.clear()


def same(have: File | None, want: File | None) -> bool:
    """Whether a file on disk is the rendered one, its executable bit included."""
    if have is None or want is None:
        return have is want
    return have.content == want.content and (_NO_MODES or have.executable == want.executable)


def compare(folder: Folder, base: Tree, want: Tree) -> list[Checked]:
    """The state of every managed file, by path.

    `base` is what was last applied, `want` what the settings render now; both from the same template.
    """
    found = []
    for path in sorted({*base, *want}):
        wanted, before = want.get(path), base.get(path)
        have = folder.read(path)
        if wanted is None:
            if have is not None and before is not None and (not before.once or same(have, before)):
                found.append(Checked(path, "orphaned"))
        elif have is None:
            found.append(Checked(path, "missing", current=before is not None))
        elif wanted.once or same(have, wanted):
            found.append(Checked(path, "ok"))
        elif same(have, before) or path == ANSWERS_FILE:
            found.append(Checked(path, "stale"))
        else:
            found.append(Checked(path, "hand-edited", same(before, wanted), has_conflict(have.content)))
    return found


def unified(path: str, have: bytes | None, want: bytes | None, labels: tuple[str, str]) -> list[str]:
    """A unified diff from what is on disk to what is wanted, as lines without newlines."""
    import difflib

    def lines(content: bytes | None) -> list[str]:
        return (content or b"").decode("utf-8", "replace").splitlines()

    names = [f"{side}/{path}  ({label})" for side, label in zip("ab", labels, strict=True)]
    if have is None:
        names[0] = "/dev/null"
    if want is None:
        names[1] = "/dev/null"
    return list(difflib.unified_diff(lines(have), lines(want), names[0], names[1], lineterm=""))


def write_new(folder: Folder, tree: Tree, earlier: Tree, force: bool) -> list[str]:
    """Write a tree into a folder that it was not in before; returns the paths that were written.

    `earlier` is what was generated there before, from other settings: what is left of it, unedited, goes.

    Raises OutputError, naming every file that stands there with another content, unless `force`.
    """
    changes: dict[str, File | None] = {path: file for path, file in tree.items() if not same(folder.read(path), file)}
    in_the_way = [p for p in changes if folder.read(p) is not None and not tree[p].once]
    kept = {p for p in changes if tree[p].once and folder.read(p) is not None}
    if in_the_way and not force:
        help_ = "`trimtab sync` merges instead" if earlier else "move them away"
        raise OutputError(f"{some(in_the_way)} would be overwritten", f"{help_}, or pass --force to replace them")
    written = [p for p in changes if p not in kept]
    gone = [p for p, file in earlier.items() if p not in tree and same(folder.read(p), file)]
    folder.write({p: changes[p] for p in written} | dict.fromkeys(gone))
    return written


def write_preview(folder: Folder, tree: Tree, earlier: Tree, force: bool) -> list[str]:
    """Write a tree over an `earlier` one; returns the paths that changed.

    Raises OutputError, naming every file that is not as the earlier one left it, unless `force`.
    """
    changes: dict[str, File | None] = {p: f for p, f in tree.items() if not same(folder.read(p), f)}
    changes |= {p: None for p in earlier if p not in tree and folder.read(p) is not None}
    foreign = [p for p in changes if folder.read(p) is not None and not same(folder.read(p), earlier.get(p))]
    if foreign and not force:
        raise OutputError(f"{some(foreign)} would be overwritten", "name an empty folder, or pass --force")
    folder.write(changes)
    return sorted(changes)
