"""A read-only file tree, from a directory or from `{path: text}`. Nothing outside the root is ever opened."""

from __future__ import annotations

import errno
import itertools
import os
import stat
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from trimtab.errors import TrimtabError

MAX_FILE_BYTES = 2_000_000
MAX_TOTAL_BYTES = 1_000_000_000
MAX_FILES = 500_000
MAX_DEPTH = 60

SKIPPED_DIRECTORIES = frozenset(
    [
        ".git",
        ".hg",
        ".svn",
        ".jj",
        "node_modules",
        "bower_components",
        "jspm_packages",
        "vendor",
        ".venv",
        "venv",
        "virtualenv",
        "site-packages",
        "__pycache__",
        ".tox",
        ".nox",
        ".mypy_cache",
        ".pytest_cache",
        ".ruff_cache",
        ".next",
        ".nuxt",
        ".output",
        ".svelte-kit",
        ".astro",
        ".angular",
        ".terraform",
        ".gradle",
        ".idea",
        ".vs",
        ".yarn",
        ".pnpm-store",
        ".cache",
        ".parcel-cache",
        ".turbo",
        "dist",
        "target",
        "out",
        "coverage",
        "_build",
        "deps.get",
        ".eggs",
        ".bundle",
        "Pods",
        "DerivedData",
        ".dart_tool",
    ]
)
# Names that are build output in one stack and hand-written in another: skipped only when git ignores them.
MAYBE_OUTPUT = frozenset({"build", "bin", "obj", "public", "generated", "tmp", "temp", "log", "logs", "env", "data"})


@dataclass(frozen=True, slots=True)
class Unread:
    """One path that was wanted and could not be read, with the reason in words."""

    path: str
    reason: str


def decode(data: bytes) -> str | None:
    """Text of `data` with `\\n` line ends, or None for binary. UTF-8 first (BOM dropped), UTF-16 by BOM,
    else Latin-1.
    """
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = data.decode("utf-16", errors="replace")
    elif b"\0" in data[:8192]:
        return None
    else:
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = data.decode("latin-1")
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


class Repo:
    """The files of one repository. `files` are sorted POSIX paths, `directories` those that hold one; `unread` grows
    as reading fails.
    """

    def __init__(self, files: list[str], reader: Callable[[str], bytes], tracked: frozenset[str] | None = None) -> None:
        """Take the paths, a function that gives the bytes of one of them, and the tracked paths where
        known.
        """
        self.files = tuple(sorted(files))
        self._names = frozenset(files)
        self._reader = reader
        self._tracked = tracked
        self._unread: dict[str, str] = {}
        self._lock = threading.Lock()
        self._spent = 0
        self.directories = _directories(files)

    @property
    def unread(self) -> tuple[Unread, ...]:
        """What could not be read so far, by path."""
        return tuple(Unread(path, reason) for path, reason in sorted(self._unread.items()))

    def note(self, path: str, reason: str) -> None:
        """Record that `path`, or a part of it, could not be read; the first reason stays."""
        self._unread.setdefault(path, reason)

    def is_file(self, path: str) -> bool:
        """Whether the tree has a file of this path."""
        return path in self._names

    def is_directory(self, path: str) -> bool:
        """Whether the tree has a directory of this path that holds a file."""
        return path.rstrip("/") in self.directories or path.rstrip("/") in ("", ".")

    def exists(self, path: str) -> bool:
        """Whether the tree has a file or a directory of this path."""
        return self.is_file(path) or self.is_directory(path)

    @cached_property
    def by_base(self) -> dict[str, list[str]]:
        """The paths of files and directories by their last part."""
        found: dict[str, list[str]] = {}
        for names in (self.files, self.directories):
            for path in names:
                found.setdefault(path.rsplit("/", 1)[-1], []).append(path)
        return found

    def is_tracked(self, path: str) -> bool | None:
        """Whether git tracks the file; None when the tree carries no readable index, or an empty one."""
        return path in self._tracked if self._tracked else None

    def read_bytes(self, path: str) -> bytes | None:
        """The bytes of a file, or None when it cannot or must not be read (the reason goes to `unread`)."""
        if path not in self._names:
            return None
        if self._spent > MAX_TOTAL_BYTES:
            self.note(path, "the limit on bytes read in one audit was reached")
            return None
        try:
            data = self._reader(path)
        except OSError as error:
            self.note(path, f"not readable: {error.strerror or error}")
            return None
        except _RefusedError as error:
            self.note(path, str(error))
            return None
        self._spent += len(data)
        return data

    def read(self, path: str) -> str | None:
        """The text of a file, or None when it is binary or cannot be read (the reason goes to `unread`)."""
        data = self.read_bytes(path)
        if data is None:
            return None
        text = decode(data)
        if text is None:
            self.note(path, "binary, not text")
        return text

    @classmethod
    def from_texts(cls, texts: Mapping[str, str | bytes], tracked: frozenset[str] | None = None) -> Repo:
        """A tree of given texts, for tests and for renders that are not on disk."""
        data = {path: text if isinstance(text, bytes) else text.encode() for path, text in texts.items()}

        def reader(path: str) -> bytes:
            if len(data[path]) > MAX_FILE_BYTES:
                raise _RefusedError(_too_large(len(data[path])))
            return data[path]

        return cls(list(data), reader, tracked)

    @classmethod
    def from_disk(cls, root: Path) -> Repo:
        """The tree under `root`. Raises `TrimtabError` when `root` is not a directory that can be listed."""
        try:
            base = root.resolve(strict=True)
        except (OSError, RuntimeError) as error:
            raise TrimtabError(f"{root}: no such directory", "Give the path of a repository.") from error
        if not base.is_dir():
            raise TrimtabError(f"{root}: not a directory", "Give the path of a repository.")
        walk = _Walk(str(base))
        walk.run()
        from trimtab.gitindex import tracked_paths

        repo = cls(walk.files, lambda path: _read_inside(walk.base, path), tracked_paths(base))
        for path, reason in walk.unread.items():
            repo.note(path, reason)
        return repo


class _RefusedError(Exception):
    """A file that must not be read; the message is the reason."""


def _too_large(size: int) -> str:
    return f"larger than {MAX_FILE_BYTES // 1_000_000} MB ({size} bytes)"


# O_NONBLOCK: a FIFO that took the file's place after the walk must not hang the audit.
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
_FLAGS = os.O_RDONLY | _NO_FOLLOW | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def _read_inside(base: str, path: str) -> bytes:
    """The bytes of `base/path`. Refuses what leads outside, is no regular file or is too large."""
    full = f"{base}/{path}"
    if not _NO_FOLLOW and Path(full).is_symlink():
        full = _link_target(base, full)
    try:
        handle = os.open(full, _FLAGS)
    except OSError as error:
        if error.errno not in (errno.ELOOP, errno.EMLINK):  # what O_NOFOLLOW gives for a link, by system
            raise
        handle = os.open(_link_target(base, full), _FLAGS)
    try:
        info = os.fstat(handle)
        if not stat.S_ISREG(info.st_mode):
            raise _RefusedError(_special(info.st_mode))
        if info.st_size > MAX_FILE_BYTES:
            raise _RefusedError(_too_large(info.st_size))
        data = os.read(handle, info.st_size + 1)
        while len(data) < info.st_size and (more := os.read(handle, info.st_size - len(data))):
            data += more
        return data
    finally:
        os.close(handle)


def _link_target(base: str, full: str) -> str:
    """Where a symbolic link leads. Refuses any place outside of `base`, and git's own files."""
    target = os.path.realpath(full)
    if not os.path.lexists(target) or Path(target).is_symlink():  # a loop resolves to one of its links
        raise _RefusedError("a symbolic link that leads nowhere")
    try:
        inside = Path(target).relative_to(base)
    except ValueError:
        raise _RefusedError("a symbolic link that leads outside of the repository") from None
    if ".git" in inside.parts:
        raise _RefusedError("a symbolic link into .git")
    return target


def _special(mode: int) -> str:
    kinds = ((stat.S_ISDIR, "directory"), (stat.S_ISFIFO, "FIFO"), (stat.S_ISSOCK, "socket"))
    kind = next((name for test, name in kinds if test(mode)), "device")
    return f"a {kind}, no regular file"


class _Walk:
    """One walk of a directory tree: directories are never entered through links, so loops cannot occur."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.files: list[str] = []
        self.unread: dict[str, str] = {}
        self.ignored = _ignored_names(base)

    def run(self) -> None:
        pending = [("", 0)]
        while pending:
            prefix, depth = pending.pop()
            try:
                with os.scandir(f"{self.base}/{prefix}") as scan:
                    entries = list(itertools.islice(scan, MAX_FILES + 1))
            except OSError as error:
                self.unread[prefix or "."] = f"directory not readable: {error.strerror or error}"
                continue
            if prefix and any(entry.name == ".git" for entry in entries):
                self.unread[prefix] = "a git repository of its own (submodule): audit it by itself"
                continue
            for entry in entries:
                path = prefix + "/" + entry.name if prefix else entry.name
                if self._descend(entry, path, depth):
                    pending.append((path, depth + 1))

    def _descend(self, entry: os.DirEntry[str], path: str, depth: int) -> bool:
        """Note one entry; True when it is a directory to enter."""
        try:
            path.encode()
            if entry.is_dir(follow_symlinks=False):
                return self._entered(entry.name, depth)
            self._file(entry, path)
        except UnicodeEncodeError:
            self.unread[path.encode("utf-8", "backslashreplace").decode()] = "its name is not UTF-8"
        except OSError as error:
            self.unread[path] = f"not readable: {error.strerror or error}"
        except _RefusedError as error:
            self.unread[path] = str(error)
        return False

    def _entered(self, name: str, depth: int) -> bool:
        if name in SKIPPED_DIRECTORIES or (name in MAYBE_OUTPUT and name in self.ignored):
            return False
        if depth >= MAX_DEPTH:
            raise _RefusedError(f"deeper than {MAX_DEPTH} directories")
        return True

    def _file(self, entry: os.DirEntry[str], path: str) -> None:
        """Note one file, or a link to one; a link to a directory of the tree is read where it leads."""
        if entry.is_symlink():
            mode = Path(_link_target(self.base, entry.path)).stat().st_mode
            if stat.S_ISDIR(mode):
                return
        else:
            mode = stat.S_IFREG if entry.is_file(follow_symlinks=False) else entry.stat(follow_symlinks=False).st_mode
        if not stat.S_ISREG(mode):
            raise _RefusedError(_special(mode))
        if len(self.files) < MAX_FILES:
            self.files.append(path)
        else:
            self.unread["."] = f"more than {MAX_FILES} files: the rest was left out"


def _ignored_names(base: str) -> frozenset[str]:
    """Plain directory names in the root's `.gitignore`, enough to tell build output from hand-written
    folders.
    """
    try:
        lines = _read_inside(base, ".gitignore").decode("utf-8", "replace").splitlines()
    except (OSError, _RefusedError):
        return frozenset()
    names = (line.strip().removeprefix("**/").strip("/") for line in lines if not line.startswith(("#", "!")))
    return frozenset(name for name in names if name and "/" not in name)


def _directories(files: list[str]) -> frozenset[str]:
    """Every directory above a file, without the root."""
    found: set[str] = set()
    for path in files:
        directory = path.rpartition("/")[0]
        while directory and directory not in found:
            found.add(directory)
            directory = directory.rpartition("/")[0]
    return frozenset(found)
