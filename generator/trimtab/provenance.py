"""Which setting a stale line comes from: change one setting at a time, render, and see what follows."""

from __future__ import annotations

import copy
import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trimtab.engine import EngineError, Template
from trimtab.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path as FolderPath

Path = tuple[str | int, ...]
_LONG = 2000  # lines from which a diff may pass over the most repeated ones: without that its time is quadratic
_MOST = 24  # changed settings that are tried; more than that is a rewrite, and "everything" is the answer


@dataclass(frozen=True)
class Cause:
    """A setting that changed, and the lines of a file (1-based, as rendered now) that follow it."""

    setting: Path
    lines: tuple[int, ...]


def causes(
    root: FolderPath, applied: dict[str, Any], now: dict[str, Any], base: Tree, want: Tree
) -> dict[str, list[Cause]]:
    """For each file that changes between two settings, the changed settings that alone account for changed lines.

    `root` is the folder of the template.
    """
    template = Template(root)
    changed = list(_changes(applied, now, ()))
    found: dict[str, list[Cause]] = {}
    if len(changed) > _MOST:
        return found
    stale = [p for p, f in want.items() if p in base and base[p].content != f.content]
    for path in changed:
        alone = copy.deepcopy(applied)
        _put(alone, path, now)
        try:
            tree = template.render(alone, {})
        except EngineError:
            continue  # it only works together with another change
        for file in stale:
            if file not in tree or tree[file].content == base[file].content:
                continue
            own = {line for _, line in _added(base[file].content, tree[file].content)}
            lines = tuple(n for n, line in _added(base[file].content, want[file].content) if line in own)
            found.setdefault(file, []).append(Cause(path, lines))
    return found


def _changes(old: Any, new: Any, path: Path) -> Iterator[Path]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in {**old, **new}:
            if key in old and key in new:
                yield from _changes(old[key], new[key], (*path, key))
            else:
                yield (*path, key)
    elif old != new:
        yield path


def _put(data: dict[str, Any], path: Path, source: Any) -> None:
    """Copy the value at `path` from `source` into `data`, or delete it there."""
    here: Any = data
    for part in path[:-1]:
        here, source = here[part], source[part]
    if path[-1] in source:
        here[path[-1]] = copy.deepcopy(source[path[-1]])
    else:
        del here[path[-1]]


def _added(old: bytes, new: bytes) -> list[tuple[int, str]]:
    before, after = old.decode("utf-8", "replace").splitlines(), new.decode("utf-8", "replace").splitlines()
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=len(after) > _LONG)
    return [
        (number + 1, after[number])
        for tag, _, _, start, end in matcher.get_opcodes()
        if tag in ("insert", "replace")
        for number in range(start, end)
    ]
