"""Git, as a program: arguments in, text out."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from trimtab.errors import TrimtabError

if TYPE_CHECKING:
    from pathlib import Path

# Transports that a recorded template may name: `ext::` and the like run commands.
_PROTOCOLS = "file:https:ssh"
# What the configuration of a repository could have git run while it only reads, switched off. Source: git-config(1).
_NO_PROGRAMS = {
    "core.fsmonitor": "false",
    "core.hooksPath": os.devnull,
    "core.alternateRefsCommand": "",
    "submodule.recurse": "false",
}
# These commands convert files by the filters that .gitattributes and the configuration name: gitattributes(5).
_CONVERTING = ("status", "archive")


class GitError(TrimtabError):
    """Git said no."""


def git(folder: Path, *arguments: str, check: bool = True) -> str:
    """Run git in `folder`; returns what it printed, stripped of the last newline.

    Raises GitError with git's own first line. With `check=False` a failure gives an empty text.
    """
    return run(folder, *arguments, check=check).decode("utf-8", "surrogateescape").removesuffix("\n")


def run(folder: Path, *arguments: str, check: bool = True, ok: range = range(1)) -> bytes:
    """As `git`, with the bytes as they are; exit codes in `ok` are no failure.

    The first argument is the command: a repository's hooks, monitors and filters are not run for it.
    """
    settings = {**_NO_PROGRAMS, **(_without_filters(folder) if arguments[0] in _CONVERTING else {})}
    environment = {
        **{k: v for k, v in os.environ.items() if k not in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")},
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_NO_LAZY_FETCH": "1",  # a missing object is no reason to ask a remote of the repository's own choice
        "GIT_ALLOW_PROTOCOL": _PROTOCOLS,
        "LC_ALL": "C",
        **_configuration(settings),
    }
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=folder,
            env=environment,
            capture_output=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except FileNotFoundError:
        raise GitError("git is not installed", "install git, which merges and versions the files") from None
    except NotADirectoryError:
        raise GitError(f"{folder}: is not a folder", "name the root of the repository") from None
    if done.returncode not in ok and check:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise GitError(f"git {arguments[0]}: {said[0] if said else f'exit {done.returncode}'}")
    return done.stdout if done.returncode in ok else b""


def _configuration(settings: dict[str, str]) -> dict[str, str]:
    """Settings for one run of git, as environment variables: as options, a name could not hold `=`."""
    count = int(os.environ.get("GIT_CONFIG_COUNT") or 0)  # what the user set so comes first, and is outdone
    found = {"GIT_CONFIG_COUNT": str(count + len(settings))}
    for number, (name, value) in enumerate(settings.items(), count):
        found |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
    return found


def _without_filters(folder: Path) -> dict[str, str]:
    """Every filter of the configuration that applies in `folder`, switched off."""
    names = git(folder, "config", "--null", "--name-only", "--get-regexp", r"^filter\.", check=False).split("\0")
    filters = {name.rpartition(".")[0] for name in names if name}
    values = {"clean": "", "smudge": "", "process": "", "required": "false"}
    return {f"{one}.{key}": value for one in sorted(filters) for key, value in values.items()}


def toplevel(folder: Path) -> str:
    """The root of the repository that holds `folder`; empty when there is none."""
    return git(folder, "rev-parse", "--show-toplevel", check=False)


def changed_paths(folder: Path) -> dict[str, str]:
    """Paths below `folder` that differ from the last commit, with git's two-letter state (`??` is untracked)."""
    prefix = git(folder, "rev-parse", "--show-prefix", check=False)
    raw = run(
        folder,
        "status",
        "--porcelain=v1",
        "-z",
        "--untracked-files=all",
        "--no-renames",
        "--ignore-submodules=all",
        "--",
        ".",
        check=False,
    )
    found = {}
    for entry in raw.decode("utf-8", "surrogateescape").split("\0"):
        if len(entry) > 3:
            found[entry[3:].removeprefix(prefix)] = entry[:2]
    return found


def merge(ours: Path, base: Path, theirs: Path, labels: tuple[str, str, str]) -> tuple[bytes, bool]:
    """Three-way merge of three files. Returns the merged bytes and whether no conflict is left in them."""
    flags = [part for label in labels for part in ("-L", label)]
    command = ["merge-file", "-p", "--diff3", *flags, str(ours), str(base), str(theirs)]
    text = run(ours.parent, *command, ok=range(128))
    return text, not has_conflict(text)


def has_conflict(text: bytes) -> bool:
    """Whether git's conflict markers stand in the text."""
    return (
        b"<<<<<<< " in text
        and any(line.startswith(b"<<<<<<< ") for line in text.splitlines())
        and any(line.startswith(b">>>>>>> ") for line in text.splitlines())
    )
