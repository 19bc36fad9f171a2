"""The paths that a git index names, read without running git. Source: git's index-format documentation,
versions 2 to 4.
"""

from __future__ import annotations

import struct
from pathlib import Path

MAX_INDEX_BYTES = 200_000_000
MAX_NAME_BYTES = 4096  # Linux' PATH_MAX: names that are built upon one another could grow without bound
_HEADER = 62  # bytes of an entry before its flags' end: 40 of stat data, 20 of object id, 2 of flags
_EXTENDED = 0x4000


def tracked_paths(root: Path) -> frozenset[str] | None:
    """The tracked paths of the repository at `root`, or None when it has no index that can be read."""
    index = root / ".git" / "index"
    try:
        if index.is_symlink() or (root / ".git").is_symlink() or index.stat().st_size > MAX_INDEX_BYTES:
            return None
        return parse_index(index.read_bytes())
    except OSError:
        return None


def parse_index(data: bytes) -> frozenset[str] | None:
    """The paths in the bytes of an index, or None when they are no index of a known version."""
    if len(data) < 12 or data[:4] != b"DIRC":
        return None
    version, count = struct.unpack(">II", data[4:12])
    if version not in (2, 3, 4):
        return None
    paths: list[str] = []
    position, previous = 12, b""
    for _ in range(count):
        start = position
        if start + _HEADER > len(data):
            return None
        (flags,) = struct.unpack(">H", data[start + 60 : start + 62])
        position = start + _HEADER + (2 if flags & _EXTENDED else 0)
        if version == 4:
            strip, position = _offset_number(data, position)
            end = data.find(b"\0", position)
            if strip > len(previous):
                return None
            name = previous[: len(previous) - strip] + data[position:end]
            following = end + 1
        else:
            end = data.find(b"\0", position)
            name = data[position:end]
            following = start + ((end - start) // 8 + 1) * 8
        if end < 0 or len(name) > MAX_NAME_BYTES:
            return None
        previous, position = name, following
        paths.append(name.decode("utf-8", "replace"))
    return frozenset(paths)


def _offset_number(data: bytes, position: int) -> tuple[int, int]:
    """One variable-width number as in pack offsets, and the position after it."""
    value = 0
    while position < len(data):
        byte = data[position]
        position += 1
        value = (value << 7) | (byte & 0x7F)
        if not byte & 0x80:
            break
        value += 1
    return value, position
