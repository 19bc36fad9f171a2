"""Writing the generated files into a repository without touching anybody's work."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from trimtab import sources
from trimtab.engine import Template
from trimtab.errors import TrimtabError
from trimtab.frameworks import Frameworks
from trimtab.git import git
from trimtab.output import Folder, same
from trimtab.settings.load import parse_settings
from trimtab.transaction import locked
from trimtab.tree import ANSWERS_FILE, SETTINGS_FILE, Tree


@dataclass(frozen=True)
class Written:
    """What became of the generated files: written, and left alone with the reason."""

    written: tuple[str, ...]
    kept: tuple[tuple[str, str], ...]


def rendered(settings: bytes) -> Tree:
    """The tree of a settings file's text, as a new repository records it."""
    source = sources.installed()
    loaded = parse_settings(settings, Frameworks(source.root))
    return Template(source.root).render(loaded.data, source.answers, settings)


def write_generated(root: Path, tree: Tree) -> Written:
    """Write a tree into a repository. A file that stands there is replaced only when git holds it unchanged."""
    with locked(root.resolve()):
        return _write_unlocked(root, tree)


def _write_unlocked(root: Path, tree: Tree) -> Written:
    folder = Folder(root.resolve())
    clean = _unchanged(root)
    changes, kept = {}, []
    for path, file in tree.items():
        try:
            there = folder.read(path)
        except TrimtabError as error:
            kept.append((path, error.help or error.message))
            continue
        if same(there, file):
            continue
        if there is None or (path in clean and path != SETTINGS_FILE):
            changes[path] = file
        else:
            kept.append((path, "not committed, or changed since"))
    blocking = [path for path, _ in kept if path in (SETTINGS_FILE, ANSWERS_FILE)]
    if blocking:
        raise TrimtabError(
            f"{blocking[0]}: there is one already", "this repository is adopted; edit it and run `trimtab sync`"
        )
    folder.write(changes)
    return Written(tuple(sorted(changes)), tuple(sorted(kept)))


def _unchanged(root: Path) -> frozenset[str]:
    """The files that git tracks and that are as committed; none where there is no git repository at the root."""
    if not (root / ".git").exists():
        return frozenset()
    tracked = git(root, "ls-files", "-z", check=False).split("\0")
    modified = git(root, "status", "--porcelain=v1", "-z", "--untracked-files=no", check=False).split("\0")
    return frozenset(tracked) - {entry[3:] for entry in modified} - frozenset(modified) - {""}
