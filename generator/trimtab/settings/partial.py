"""Settings of which a part is wrong: what is left out of them, so that the rest can still be checked."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from trimtab.settings.yaml_text import Path


def nulls(value: Any, at: Path = ()) -> Iterator[Path]:
    """The place of everything that is empty: YAML reads `port:` as nothing."""
    if value is None and at:
        yield at
    for key, inner in _items(value):
        yield from nulls(inner, (*at, key))


def without(value: Any, paths: Collection[Path], at: Path = ()) -> Any:
    """A copy that lacks the values at `paths`; later items of a list move up."""
    kept = [(key, without(inner, paths, (*at, key))) for key, inner in _items(value) if (*at, key) not in paths]
    if isinstance(value, dict):
        return dict(kept)
    return [inner for _, inner in kept] if isinstance(value, list) else value


def with_values(value: Any, changes: Mapping[Path, Any], at: Path = ()) -> Any:
    """A copy with other values at some places."""
    if at in changes:
        return changes[at]
    kept = [(key, with_values(inner, changes, (*at, key))) for key, inner in _items(value)]
    if isinstance(value, dict):
        return dict(kept)
    return [inner for _, inner in kept] if isinstance(value, list) else value


def original(path: Path, left_out: Collection[Path]) -> Path:
    """Where something stands in the file that stands at `path` in what `without` gave."""
    at: Path = ()
    for part in path:
        at = (*at, _nth_kept(at, part, left_out) if isinstance(part, int) else part)
    return at


def _nth_kept(at: Path, number: int, left_out: Collection[Path]) -> int:
    index = -1
    for _ in range(number + 1):
        index += 1
        while (*at, index) in left_out:
            index += 1
    return index


def is_lost(path: Path, left_out: Collection[Path]) -> bool:
    """Whether the place was left out, or something that holds it, or a part of it."""
    return any(path[: len(out)] == out[: len(path)] for out in left_out)


def _items(value: Any) -> Iterator[tuple[str | int, Any]]:
    if isinstance(value, dict):
        yield from value.items()
    elif isinstance(value, list):
        yield from enumerate(value)
