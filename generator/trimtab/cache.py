"""Renders kept between runs, so that a check that finds nothing new neither validates nor renders.

An entry is keyed by everything that it depends on: the text of the settings, the answers, and the size and time of
every file of the template and of this program. A cache that cannot be used is no error: it is only slower.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trimtab.tree import Tree

_KEPT = 64  # entries; each is about as large as the generated tree
_PROGRAM = Path(__file__).resolve().parent


def folder(name: str) -> Path | None:
    """A folder of the user's cache that only this user can write, or None: what it holds is trusted."""
    from platformdirs import user_cache_path

    path = user_cache_path("trimtab") / name
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        state = path.stat()
    except OSError:
        return None
    own = not hasattr(os, "getuid") or (state.st_uid == os.getuid() and not state.st_mode & 0o022)
    return path if own and os.access(path, os.W_OK) else None


def key(settings: bytes, answers: dict[str, Any], template: Path) -> str:
    """The name of the entry for these inputs."""
    digest = hashlib.sha256(json.dumps(answers, sort_keys=True).encode() + b"\0" + settings)
    for root in (template / "copier.yml", template / "template", _PROGRAM):
        for path, state in sorted(_states(str(root))):
            digest.update(f"\0{path}\0{state.st_size}\0{state.st_mtime_ns}\0{state.st_mode}".encode())
    return digest.hexdigest()


def _states(root: str) -> list[tuple[str, os.stat_result]]:
    if not os.path.isdir(root):  # noqa: PTH112 - this loop runs at every start
        return [(root, os.stat(root))]  # noqa: PTH116
    found = []
    with os.scandir(root) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                if entry.name != "__pycache__":
                    found += _states(entry.path)
            elif not entry.name.endswith(".pyc"):
                found.append((entry.path, entry.stat()))
    return found


def load(name: str) -> tuple[dict[str, Any], Tree] | None:
    """The settings and the tree of an entry, or None."""
    from trimtab.tree import File

    where = folder("renders")
    try:
        raw = (where / name).read_bytes() if where else b""
        digest, _, payload = raw.partition(b"\n")
        if not payload or hashlib.sha256(payload).hexdigest().encode() != digest:
            return None
        entry = json.loads(payload)
        tree = {
            path: File(text.encode("utf-8", "surrogateescape"), executable, once)
            for path, (text, executable, once) in entry["tree"].items()
        }
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return entry["settings"], tree


def store(name: str, settings: dict[str, Any], tree: Tree) -> None:
    """Keep an entry, and drop the oldest ones."""
    import tempfile

    where = folder("renders")
    if where is None:
        return
    files = {p: [f.content.decode("utf-8", "surrogateescape"), f.executable, f.once] for p, f in tree.items()}
    payload = json.dumps({"settings": settings, "tree": files}).encode()
    try:
        handle, staged = tempfile.mkstemp(dir=where)
        with os.fdopen(handle, "wb") as stream:
            stream.write(hashlib.sha256(payload).hexdigest().encode() + b"\n" + payload)
        Path(staged).replace(where / name)
        for old in sorted(where.iterdir(), key=lambda p: p.stat().st_mtime, reverse=True)[_KEPT:]:
            old.unlink(missing_ok=True)
    except OSError:
        return
