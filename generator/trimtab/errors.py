"""The error tree. Each error is shown to the user as `message`, then `help`; nothing else reaches the terminal."""

from __future__ import annotations

from collections.abc import Sequence


class TrimtabError(Exception):
    """A problem of the user's making or surroundings: printed as one line, never as a traceback.

    `message` says where and what (`trimtab.yml:14: services.api.port: 70000 is not a port (1-65535)`),
    `help` what to do next. `exit_code` follows docs/vocabulary: 2 is bad usage or settings.
    """

    exit_code = 2

    def __init__(self, message: str, help: str = "") -> None:  # noqa: A002 - the field's word
        super().__init__(message)
        self.message = message
        self.help = help

    def __str__(self) -> str:
        """The message and the help on one line."""
        return f"{self.message} ({self.help})" if self.help else self.message


def some(paths: Sequence[str], most: int = 5) -> str:
    """The first few of a list of paths, for a message: `a, b and 3 more`."""
    more = f" and {len(paths) - most} more" if len(paths) > most else ""
    return ", ".join(paths[:most]) + more
