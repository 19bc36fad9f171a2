"""Local secrets: write `.env` from `.env.example`, with random values where that leaves secrets empty."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trimtab.errors import TrimtabError
from trimtab.git import git, toplevel
from trimtab.tree import File

if TYPE_CHECKING:
    from pathlib import Path

    from trimtab.output import Folder

EXAMPLE, TARGET = ".env.example", ".env"
_BYTES = 32  # of each secret; written as hex, which needs no escaping in a URL or in YAML
_LINE = re.compile(r"^([A-Za-z_][A-Za-z0-9_]*)=(.*)$")
_OWN = re.compile(r"^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*[=:]")  # as readers of .env take what people write


@dataclass(frozen=True)
class Written:
    """The names that were added to `.env`, those of them that got a random secret, and whether git had to be told."""

    added: tuple[str, ...]
    generated: tuple[str, ...]
    ignored_now: bool


def write_env(root: Path, folder: Folder, secret_names: set[str]) -> Written:
    """Add to `.env` what `.env.example` has and it lacks; nothing in it is changed. The file is readable by you only.

    Raises TrimtabError if there is no example, or if git tracks `.env`.
    """
    example = folder.read(EXAMPLE)
    if example is None:
        raise TrimtabError(f"{root / EXAMPLE}: there is none", "run `trimtab sync --restore` to bring it back")
    if toplevel(root) and git(root, "ls-files", "--", TARGET, check=False):
        raise TrimtabError(
            f"{root / TARGET}: is tracked by git", f"run `git rm --cached {TARGET}` before it holds secrets"
        )
    present = _exact(root, folder, TARGET)
    text = present.decode("utf-8", "surrogateescape")
    known = {m.group(1) for line in text.splitlines() if (m := _OWN.match(line))}
    added, generated, lines = [], [], []
    comments: list[str] = []
    for line in example.content.decode().splitlines():
        match = _LINE.match(line)
        if not match:
            comments = [*comments, line] if line.startswith("#") else []
            continue
        name, value = match.groups()
        if name not in known:
            if value == "" and name in secret_names:
                line = f"{name}={secrets.token_hex(_BYTES)}"  # noqa: PLW2901 - the line as it is written
                generated.append(name)
            lines += [*comments, line]
            added.append(name)
        comments = []
    changes: dict[str, File | None] = {}
    if lines:
        changes[TARGET] = File(_appended(present, lines), private=True)
    ignored_now = _ignore(root, folder, changes)
    if changes:
        folder.write(changes)
    return Written(tuple(added), tuple(generated), ignored_now)


def _ignore(root: Path, folder: Folder, changes: dict[str, File | None]) -> bool:
    """See to it that git ignores `.env`; returns whether a line had to be added to `.gitignore`."""
    if not toplevel(root) or git(root, "check-ignore", "--", TARGET, check=False):
        return False
    changes[".gitignore"] = File(_appended(_exact(root, folder, ".gitignore"), ["# Local secrets", "/.env"]))
    return True


def _exact(root: Path, folder: Folder, path: str) -> bytes:
    """The user's own file to the byte, line ends included; empty where there is none."""
    return (root / path).read_bytes() if folder.read(path) is not None else b""


def _appended(content: bytes, lines: list[str]) -> bytes:
    """A file with more lines, which end as its own do."""
    end = b"\r\n" if b"\r\n" in content else b"\n"
    joint = end if content and not content.endswith(b"\n") else b""
    return content + joint + b"".join(line.encode("utf-8", "surrogateescape") + end for line in lines)
