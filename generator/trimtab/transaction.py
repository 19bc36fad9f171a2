"""Change many files as one: all or nothing, whatever kills the process.

Everything is staged in a journal folder of the repository first. Once its manifest stands, the change is decided: it is
applied by renames, and a run that is cut off between two of them is completed by the next one. Before that, nothing has
changed.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
import unicodedata
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from trimtab.errors import TrimtabError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from trimtab.tree import File

JOURNAL = ".trimtab-journal"
_MANIFEST, _DRAFT = "manifest.json", "manifest.new"  # what is decided, and what is about to be
_BINARY = getattr(os, "O_BINARY", 0)  # of Windows
Step = tuple[str, str | None]  # a path, and the staged file that is to be there


class TransactionError(TrimtabError):
    """A change cannot be made, or another one is under way."""


def target_of(root: Path, path: str) -> Path:
    """The place of a path below the root.

    Raises TransactionError for one that leaves the root, lies behind a link, or belongs to git: what a template or a
    journal names is not trusted.
    """
    parts = PurePosixPath(path).parts
    if not parts or any(_leads_out(part) for part in parts):
        raise TransactionError(f"{path}: is no place inside the repository", "repair the template")
    target = root
    for part in parts:
        target = target / part
        if target.is_symlink():
            raise TransactionError(
                f"{path}: {target.relative_to(root).as_posix()} is a symbolic link",
                "replace it by a plain file or folder: Trimtab writes through no links",
            )
    return target


@lru_cache(maxsize=4096)
def _leads_out(part: str) -> bool:
    """Whether a part of a path is no plain name on every system, or one of git's folder.

    Git's folder has other spellings where names ignore case, code points without width (HFS+), or ends (NTFS): see
    git's `core.protectHFS` and `core.protectNTFS`.
    """
    shown = part if part.isascii() else "".join(c for c in part if unicodedata.category(c) != "Cf")
    plain = shown.lower().rstrip(". ")
    return part in ("/", "//", "..") or any(c in part for c in "\\:\0") or plain in (".git", "git~1")


def pending(root: Path) -> bool:
    """Whether a decided change waits to be completed."""
    return (root / JOURNAL / _MANIFEST).is_file()


def recover(root: Path) -> None:
    """Complete a change that was cut off after it was decided; clear away one that was cut off before.

    Raises TransactionError when it cannot be completed.
    """
    journal = root / JOURNAL
    if not journal.is_dir() or journal.is_symlink():
        return
    try:
        if pending(root):
            _apply(root, _steps(journal / _MANIFEST))
        elif (journal / _DRAFT).is_file():
            for path, _ in _drafted(journal / _DRAFT):
                _prune(target_of(root, path).parent, root)  # made for files that never came
    except (OSError, ValueError, TypeError) as error:
        raise TransactionError(
            f"{journal}: an earlier run was cut off, and cannot be completed: {error}", "mend that, or delete it"
        ) from None
    _clear(journal)


def complete(root: Path) -> None:
    """As `recover`, for a command that reads the repository before it changes it."""
    if (root / JOURNAL).is_dir():
        with locked(root):
            recover(root)


def _steps(manifest: Path) -> list[Step]:
    steps = json.loads(manifest.read_text(encoding="utf-8"))
    return [(str(path), None if name is None else str(int(name))) for path, name in steps]


def _drafted(draft: Path) -> list[Step]:
    """The steps of a change that was not decided.

    None where it was cut off while it wrote them down: folders are made after that.
    """
    try:
        return _steps(draft)
    except ValueError:
        return []


def _clear(journal: Path) -> None:
    """Remove the journal; an interruption waits until it is gone.

    Interrupted between two of its lines, `shutil.rmtree` closes a descriptor twice: its OSError hides the interruption.
    """
    try:
        shutil.rmtree(journal, ignore_errors=True)
    except (KeyboardInterrupt, OSError):
        shutil.rmtree(journal, ignore_errors=True)
        raise KeyboardInterrupt from None


def change(root: Path, changes: Mapping[str, File | None], order: Sequence[str]) -> None:
    """Write the files of `changes`, delete those that are None, in `order`.

    Raises TransactionError when they cannot be written; nothing has changed then, unless it says so. An interruption
    finds nothing changed, or everything.
    """
    recover(root)
    made: list[Path] = []
    try:
        steps = _stage_all(root, changes, order, made)
    except BaseException as error:
        _clear(root / JOURNAL)
        for folder in reversed(made):
            with suppress(OSError):
                folder.rmdir()
        if isinstance(error, OSError):
            raise TransactionError(
                f"{_below(root, error.filename)}: cannot be written: {error.strerror}", "nothing was changed"
            ) from None
        raise
    _carry_out(root, steps)
    _clear(root / JOURNAL)


def _stage_all(root: Path, changes: Mapping[str, File | None], order: Sequence[str], made: list[Path]) -> list[Step]:
    """Write everything that a change needs, beside the files that it is for. `made` gets the new folders.

    What can fail for want of space or of permission fails here, before the change is decided.
    """
    journal = root / JOURNAL
    journal.mkdir(parents=True)
    device = journal.stat().st_dev
    steps: list[Step] = []
    for number, path in enumerate(order):
        target, file = target_of(root, path), changes[path]
        _refuse_unwritable(target, device)
        if file is not None:
            _stage(journal / str(number), file, target)
        steps.append((path, None if file is None else str(number)))
    _write(journal / _DRAFT, json.dumps(steps).encode())
    for path in order:
        if changes[path] is not None:
            _make_folders(target_of(root, path).parent, made)
    (journal / _DRAFT).replace(journal / _MANIFEST)
    return steps


def _refuse_unwritable(target: Path, device: int) -> None:
    """Raise OSError for a file that cannot be replaced, or that may not: one that is read-only is meant to stay."""
    folder = next(f for f in target.parents if f.exists())
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "is a file, and a folder belongs there", str(folder))
    if folder.stat().st_dev != device:
        raise OSError(errno.EXDEV, "lies on another file system than the repository", str(target))
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, "Permission denied", str(folder))
    if target.exists() and not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, "Permission denied", str(target))


def _stage(staged: Path, file: File, target: Path) -> None:
    """Write a file into the journal, with the mode that its target is to have."""
    _write(staged, file.content, 0o600 if file.private else 0o666)
    there = target.stat() if target.exists() else staged.stat()
    mode = stat.S_IMODE(there.st_mode) & (0o700 if file.private else 0o7777)
    executable = mode | 0o111 & ((mode & 0o444) >> 2)
    staged.chmod(executable if file.executable else mode & ~0o111)


def _write(path: Path, content: bytes, mode: int = 0o666) -> None:
    # No fsync: like git's own working tree, this is safe from a kill, not from a power cut.
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, mode), "wb") as handle:
        try:
            handle.write(content)
            handle.flush()
        except OSError as error:  # which names no file, unlike one of opening
            raise OSError(error.errno, error.strerror, str(path)) from None


def _make_folders(folder: Path, made: list[Path]) -> None:
    """Make a folder with its parents, and note which were not there."""
    if folder.is_dir():
        return
    _make_folders(folder.parent, made)
    folder.mkdir(exist_ok=True)
    made.append(folder)


def _carry_out(root: Path, steps: Sequence[Step]) -> None:
    """Apply a decided change; one that is interrupted is finished before the interruption goes on."""
    try:
        try:
            _apply(root, steps)
        except KeyboardInterrupt:
            _apply(root, steps)
            _clear(root / JOURNAL)
            raise
    except OSError as error:
        raise TransactionError(
            f"{_below(root, error.filename2 or error.filename)}: cannot be replaced: {error.strerror}",
            "mend that and run the command again: it resumes",
        ) from None


def _below(root: Path, name: object) -> str:
    """A path for a message: relative to the root where it lies in it, and the journal for what is staged."""
    path = Path(os.fsdecode(name)) if isinstance(name, str | bytes | os.PathLike) else root
    if not path.is_relative_to(root) or path == root / JOURNAL:  # which is the first thing to be made in the root
        return str(path.parent if path.name == JOURNAL else path)
    return JOURNAL if path.is_relative_to(root / JOURNAL) else path.relative_to(root).as_posix()


def _apply(root: Path, steps: Sequence[Step]) -> None:
    """Carry out what a manifest says; steps that were carried out already change nothing."""
    for path, name in steps:
        target = target_of(root, path)
        if name is None:
            target.unlink(missing_ok=True)
            _prune(target.parent, root)
            continue
        staged = root / JOURNAL / name
        if staged.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            staged.replace(target)


def _prune(folder: Path, root: Path) -> None:
    """Remove folders that a deletion has left empty."""
    while folder != root:
        try:
            folder.rmdir()
        except FileNotFoundError:
            pass
        except OSError:
            return
        folder = folder.parent


@contextmanager
def locked(root: Path) -> Iterator[None]:
    """Hold the repository for this process. Raises TransactionError when another trimtab holds it."""
    try:
        import fcntl
    except ImportError:  # Windows has no flock; two runs there are the user's to avoid
        yield
        return
    try:
        handle = os.open(root, os.O_RDONLY)
    except OSError as error:
        raise TransactionError(f"{root}: cannot be read: {error.strerror}", "check its permissions") from None
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise TransactionError(f"{root}: another trimtab is at work here", "wait until it is done") from None
        yield
    finally:
        os.close(handle)


@contextmanager
def new_folder(root: Path) -> Iterator[None]:
    """Make the folder that a change is for; what was made goes again if the change fails.

    Raises TransactionError when it cannot be made.
    """
    made: list[Path] = []
    try:
        try:
            _make_folders(root, made)
        except OSError as error:
            raise TransactionError(f"{root}: cannot be made: {error.strerror}", "name another folder") from None
        yield
    except BaseException:
        for folder in reversed(made):
            with suppress(OSError):
                folder.rmdir()
        raise
