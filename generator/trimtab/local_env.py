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
_LINE = re.compile(r"^(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)$")


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
    present = folder.read(TARGET)
    text = present.content.decode("utf-8", "surrogateescape") if present else ""
    known = {m.group(1) for line in text.splitlines() if (m := _LINE.match(line))}
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
        joint = "" if not text or text.endswith("\n") else "\n"
        content = f"{text}{joint}" + "\n".join(lines) + "\n"
        changes[TARGET] = File(content.encode("utf-8", "surrogateescape"), private=True)
    ignored_now = _ignore(root, folder, changes)
    if changes:
        folder.write(changes)
    return Written(tuple(added), tuple(generated), ignored_now)


def _ignore(root: Path, folder: Folder, changes: dict[str, File | None]) -> bool:
    """See to it that git ignores `.env`; returns whether a line had to be added to `.gitignore`."""
    if not toplevel(root) or git(root, "check-ignore", "--", TARGET, check=False):
        return False
    present = folder.read(".gitignore")
    text = present.content if present else b""
    joint = b"" if not text or text.endswith(b"\n") else b"\n"
    changes[".gitignore"] = File(text + joint + b"# Local secrets\n/.env\n")
    return True
