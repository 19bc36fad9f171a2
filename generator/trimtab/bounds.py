"""Limits for what somebody else's template may take: processor time and memory of this process."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator

SECONDS = 240  # of processor time; 1,000 services take 20
BYTES = 4 * 1024**3  # beyond what is in use; 1,000 services take 0.2 of 10**9


class BoundError(Exception):
    """More was asked for than is allowed; the message says of what."""


@contextmanager
def bounded(seconds: float = SECONDS, size: int = BYTES) -> Iterator[None]:
    """Raise BoundError in the body when it takes more than that. Without effect where the system has no such limits."""
    with _time(seconds), _memory(size):
        yield


@contextmanager
def _time(seconds: float) -> Iterator[None]:
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def late(number: int, frame: object) -> NoReturn:
        del number, frame
        raise BoundError(f"it takes more than {seconds:g} s of processor time")

    earlier = signal.signal(signal.SIGVTALRM, late)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, earlier)


@contextmanager
def _memory(size: int) -> Iterator[None]:
    try:
        import resource

        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except (ImportError, OSError, ValueError):  # not Linux
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = pages * resource.getpagesize() + size
    limits = [x for x in (soft, hard, limit) if x != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_AS, (min(limits), hard))
    try:
        yield
    except MemoryError:
        raise BoundError(f"it takes more than {size // 1024**2} MiB of memory") from None
    finally:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
