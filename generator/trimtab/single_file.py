"""One file of the user's choice, such as a report: written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from trimtab.errors import TrimtabError


def write_file(path: Path, content: bytes) -> None:
    """Put `content` in place of what is at `path`. A device or a pipe is written to as it is.

    Raises TrimtabError when that cannot be; what was there is there still.
    """
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(content)
            return
        target = path.resolve()  # a link is the user's own choice here
        _replace(target, content)
    except OSError as error:
        raise TrimtabError(f"{path}: cannot be written: {error.strerror}", "nothing was written") from None


def _replace(target: Path, content: bytes) -> None:
    if target.exists() and not os.access(target, os.W_OK):
        raise PermissionError(13, "Permission denied", str(target))
    mode = target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~_umask()
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as staged:
            staged.write(content)
        Path(name).chmod(mode)
        Path(name).replace(target)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise


def _umask() -> int:
    value = os.umask(0o077)
    os.umask(value)
    return value
