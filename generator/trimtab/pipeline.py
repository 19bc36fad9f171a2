"""The product's operations: each function reads as its data flow, and neither prints nor exits."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import yaml

from trimtab import cache, safe_yaml, sources
from trimtab.errors import TrimtabError
from trimtab.frameworks import Frameworks
from trimtab.output import Checked, Folder, compare, same, unified, write_new
from trimtab.output import write_preview as write_over
from trimtab.settings.load import read_settings_file
from trimtab.transaction import locked, new_folder, pending, recover
from trimtab.tree import ANSWERS_FILE, SETTINGS_FILE, Tree

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from trimtab.lifecycle import Plan
    from trimtab.local_env import Written
    from trimtab.provenance import Cause
    from trimtab.sources import Source
    from trimtab.tree import File


@dataclass(frozen=True)
class Repository:
    """A repository that Trimtab steers: its settings, what was last applied, and both renders."""

    root: Path
    folder: Folder
    raw: bytes
    data: dict[str, Any]
    answers: dict[str, Any]
    source: Source
    base: Tree
    want: Tree

    @cached_property
    def lines(self) -> dict[tuple[str | int, ...], int]:
        """The line of each setting in `trimtab.yml`."""
        from trimtab.settings.yaml_text import read_yaml

        return read_yaml(self.raw.decode("utf-8-sig")).lines


@dataclass(frozen=True)
class CheckResult:
    """The state of each managed file, and for stale ones the settings behind them."""

    files: list[Checked]
    causes: dict[str, list[Cause]] = field(default_factory=dict)
    template: str = ""

    @property
    def clean(self) -> bool:
        """Whether the repository is what its settings render."""
        return all(f.state == "ok" for f in self.files)


def render(settings: Path) -> Tree:
    """The tree of a settings file, with the installed template under its published name: the same everywhere."""
    return _validated_render(read_settings_file(settings), sources.published())[1]


def write_preview(out: Path, tree: Tree, force: bool) -> list[str]:
    """Write a rendered tree to a folder, over an earlier preview if one is there; returns the paths that changed.

    Raises OutputError when other files, or edited ones, stand in the way.
    """
    folder = Folder(out.resolve())
    earlier: Tree = {}
    settings = folder.read(SETTINGS_FILE)
    if folder.read(ANSWERS_FILE) is not None and settings is not None:
        source = sources.published()
        try:
            answers = read_answers(folder)
            earlier = _render_applied(answers, source, settings.content)
            if _plain(settings.content) != answers["applied"]:  # edited since: not ours to replace
                del earlier[SETTINGS_FILE]
        except TrimtabError:
            earlier = {}
    with new_folder(folder.root), locked(folder.root):
        recover(folder.root)
        return write_over(folder, tree, earlier, force)


def _plain(content: bytes) -> object:
    try:
        return safe_yaml.load(content)
    except (yaml.YAMLError, ValueError):
        return None


def init(root: Path, settings: bytes, name: str, force: bool = False) -> list[str]:
    """Generate into `root` from the text of a settings file; returns the paths written.

    `name` stands for the settings file in messages. Raises SettingsError, OutputError or SourceError before any write.
    """
    source = sources.installed()
    _, tree = _validated_render(settings, source, name)
    root = root.resolve()
    there = next(folder for folder in (root, *root.parents) if folder.exists())
    if not there.is_dir():
        raise TrimtabError(f"{there}: is a file", "name a folder")
    text = settings.replace(b"\r\n", b"\n")
    existing = Folder(root).read(SETTINGS_FILE)
    if existing is not None and existing.content != text and not force:
        raise TrimtabError(
            f"{root / SETTINGS_FILE}: there is another settings file already",
            "run `trimtab init` with --settings naming it, or pass --force to replace it",
        )
    if existing is None or existing.content != text:
        tree[SETTINGS_FILE] = replace(tree[SETTINGS_FILE], once=False)
    with new_folder(root), locked(root):
        recover(root)
        folder = Folder(root)
        return write_new(folder, tree, _earlier(folder), force)


def repository_above(root: Path) -> Path | None:
    """The root of the git repository that holds `root`, where that is another folder."""
    from pathlib import Path

    from trimtab.git import toplevel

    above = toplevel(root)
    return Path(above) if above and Path(above).resolve() != root.resolve() else None


def _earlier(folder: Folder) -> Tree:
    """What was generated into a folder before, as it records; nothing where that cannot be told."""
    try:
        answers = read_answers(folder)
        return _render_applied(answers, sources.recorded(answers, folder.root), b"")
    except TrimtabError:
        return {}


def open_repository(root: Path) -> Repository:
    """Read a generated repository and render both what was applied and what its settings say now.

    Both renders use the template version that the repository records, so that a newer program is no drift.
    """
    root = root.resolve()
    _refuse_pending(root)
    folder = Folder(root)
    answers = read_answers(folder)
    source = sources.recorded(answers, root)
    raw = _settings_in(folder)
    data, want = _validated_render(raw, source)
    base = want if data == answers["applied"] else _render_applied(answers, source, raw)
    return Repository(root, folder, raw, data, answers, source, base, want)


def _settings_in(folder: Folder) -> bytes:
    """The settings of a repository, as they are on disk: a plain file, and no link to another."""
    folder.read(SETTINGS_FILE)
    return read_settings_file(folder.root / SETTINGS_FILE)


def _validated_render(raw: bytes, source: Source, file_name: str = SETTINGS_FILE) -> tuple[dict[str, Any], Tree]:
    """The settings of a file's text, validated, and their tree: from the cache where nothing has changed."""
    name = cache.key(raw, source.answers, source.root)
    if entry := cache.load(name):
        return entry
    from trimtab.engine import Template
    from trimtab.settings.load import parse_settings

    loaded = parse_settings(raw, Frameworks(source.root), file_name)
    tree = Template(source.root).render(loaded.data, source.answers, raw)
    cache.store(name, loaded.data, tree)
    return loaded.data, tree


def read_answers(folder: Folder) -> dict[str, Any]:
    """What was last applied, from the answers file. Raises TrimtabError when it is missing or spoilt."""
    file = folder.read(ANSWERS_FILE)
    if file is None:
        raise TrimtabError(
            f"{folder.root / ANSWERS_FILE}: there is none, so this is not a repository that Trimtab generated",
            "run `trimtab init` here first, or restore it from git",
        )
    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(file.content, Loader=safe_yaml.LOADER)):
            raise TrimtabError(f"{ANSWERS_FILE}: holds an alias, which Trimtab never writes", "restore it from git")
        answers = safe_yaml.load(file.content)
    except (yaml.YAMLError, ValueError) as error:
        line = getattr(getattr(error, "problem_mark", None), "line", 0) + 1
        raise TrimtabError(f"{ANSWERS_FILE}:{line}: is not valid YAML", "resolve it, or restore it from git") from None
    if not isinstance(answers, dict) or not isinstance(answers.get("applied"), dict):
        raise TrimtabError(f"{ANSWERS_FILE}:1: holds no `applied` settings", "restore it from git")
    return answers


def _render_applied(answers: dict[str, Any], source: Source, raw: bytes) -> Tree:
    from trimtab.engine import EngineError, Template

    try:
        return Template(source.root).render(answers["applied"], source.answers, raw)
    except EngineError as error:
        raise TrimtabError(
            f"{ANSWERS_FILE}: what was applied cannot be rendered any more: {error.message}", "restore it from git"
        ) from None


def check(repository: Repository, explain: bool = True) -> CheckResult:
    """Compare a repository with what its settings render; `explain` looks for the settings behind stale files."""
    files = compare(repository.folder, repository.base, repository.want)
    found: dict[str, list[Cause]] = {}
    if explain and repository.base is not repository.want:
        from trimtab.provenance import causes

        found = causes(
            repository.source.root,
            repository.answers["applied"],
            repository.data,
            repository.base,
            repository.want,
        )
    return CheckResult(files, found, repository.source.commit)


def diff(root: Path, paths: list[str]) -> Iterator[str]:
    """Lines of a unified diff from what is on disk to what the settings render, of `paths` or of every file."""
    repository = open_repository(root)
    if unknown := [p for p in paths if p not in repository.want and p not in repository.base]:
        raise TrimtabError(f"{unknown[0]}: is not a generated file", "`trimtab check --all` names them")
    for checked in compare(repository.folder, repository.base, repository.want):
        if checked.state == "ok" or (paths and checked.path not in paths):
            continue
        have, want = repository.folder.read(checked.path), repository.want.get(checked.path)
        yield from _file_diff(checked.path, have, want, ("on disk", "rendered"))


def _file_diff(path: str, have: File | None, want: File | None, labels: tuple[str, str]) -> Iterator[str]:
    lines = unified(path, have.content if have else None, want.content if want else None, labels)
    if lines:
        yield from lines
    elif not same(have, want):
        yield f"{path}: the executable bit differs"


def sync(root: Path, restore: bool = False, dry_run: bool = False, ref: str | None = None) -> tuple[Plan, list[str]]:
    """Merge what the settings and the newest template say into a repository.

    Returns the plan, and for a dry run the changes as a unified diff.

    Raises SyncError when an earlier conflict is unresolved, or uncommitted edits would be merged into.
    """
    root = root.resolve()
    if not root.is_dir():
        raise TrimtabError(f"{root}: there is no such folder", "name the root of a generated repository")
    with locked(root):
        if not dry_run:
            recover(root)
        _refuse_pending(root)
        plan, folder = _plan(root, restore, ref)
        if dry_run:
            shown = sorted(plan.changes.items())
            return plan, [line for p, f in shown for line in _file_diff(p, folder.read(p), f, ("now", "after sync"))]
        folder.write(plan.changes)
    return plan, []


def _plan(root: Path, restore: bool, ref: str | None) -> tuple[Plan, Folder]:
    from trimtab import lifecycle

    folder = Folder(root)
    answers = read_answers(folder)
    old = sources.recorded(answers, root, fetch=True)
    new = sources.newest(answers, root, ref)
    raw = _settings_in(folder)
    _, want = _validated_render(raw, new)
    base = _render_applied(answers, old, raw)
    lifecycle.refuse_unresolved(folder, sorted({*base, *want}))
    plan = lifecycle.plan_sync(folder, base, want, restore)
    lifecycle.refuse_uncommitted(root, folder, plan, base)
    return plan, folder


def _refuse_pending(root: Path) -> None:
    if pending(root):
        raise TrimtabError(f"{root}: a run was cut off here", "`trimtab sync` completes it")


def write_local_env(root: Path) -> Written:
    """Add what `.env` lacks of `.env.example`, with random values for the secrets of the local platform."""
    from trimtab.engine import Template
    from trimtab.local_env import write_env

    repository = open_repository(root)
    project = Template(repository.source.root).context(repository.data, repository.source.answers)["project"]
    names = {name for s in project["local"]["services"] for name in s["own_secrets"]}
    names |= {d["password_variable"] for d in project["local"]["datastores"]}
    with locked(repository.root):
        return write_env(repository.root, repository.folder, names)
