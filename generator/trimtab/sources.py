"""Which template: the installed one, the one that a repository records, or the newest of its source."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trimtab
from trimtab.errors import TrimtabError
from trimtab.git import GitError, git, run

if TYPE_CHECKING:
    import tarfile

PUBLISHED = "https://github.com/trimtab/trimtab.git"
_PACKAGE = Path(__file__).resolve().parent
# In a clone of ours: where the default branch is, whichever it is, and what a fetch brings up to date.
_CLONED_HEAD = "refs/trimtab/head"
_FETCHED = ("+refs/heads/*:refs/heads/*", f"+HEAD:{_CLONED_HEAD}")
_SHORTCUTS = {"gh:": "https://github.com/", "gl:": "https://gitlab.com/"}


class SourceError(TrimtabError):
    """The template that is asked for cannot be had."""


@dataclass(frozen=True)
class Source:
    """A template at one version: its folder here, and how an answers file records it."""

    root: Path
    url: str
    commit: str

    @cached_property
    def answers(self) -> dict[str, Any]:
        """The keys that Copier writes into its answers file."""
        return {"_commit": self.commit, "_src_path": self.url}


def template_root() -> Path:
    """The folder of the template that came with this program: inside the wheel, or the checkout around it."""
    packed = _PACKAGE / "_template"
    return packed if packed.is_dir() else _PACKAGE.parents[1]


def published() -> Source:
    """The installed template under its published name: the same on every machine."""
    return Source(template_root(), PUBLISHED, f"v{trimtab.__version__}")


def installed() -> Source:
    """The installed template as a new repository records it.

    A checkout is recorded by its path and commit, so that `copier update` finds it again. Raises SourceError for a
    checkout with uncommitted changes: nothing could bring that state back for a later merge.
    """
    root = template_root()
    if not (root / ".git").exists():
        return published()
    _refuse_uncommitted(root)
    return Source(root, str(root), git(root, "describe", "--tags", "--always"))


def recorded(answers: dict[str, Any], root: Path, fetch: bool = False) -> Source:
    """The template that the repository at `root` was last rendered with. Touches the network only with `fetch`.

    Raises SourceError when that version cannot be had.
    """
    url, commit = _names(answers)
    if (url, commit) == (PUBLISHED, f"v{trimtab.__version__}"):
        return published()
    return _at(_repository(url, fetch, root), url, commit)


def newest(answers: dict[str, Any], root: Path, ref: str | None = None) -> Source:
    """The version to move to: `ref`, or else the newest tag of the recorded source, or its HEAD where it has none.

    A repository that records the published template moves to the installed one. May fetch from the recorded URL. A
    path is absolute from then on: Copier records it as it was typed, and finds it from one folder only.
    """
    url, commit = _names(answers)
    if url == PUBLISHED and not ref:
        return published()
    folder = _repository(url, True, root)
    if _local(url, root) and not Path(url).is_absolute():
        url = str(folder.resolve())
    if ref:
        return _at(folder, url, _lasting(folder, url, ref))
    tag = _newest_tag(folder)
    if tag is None:
        if not _is_bare(folder):
            _refuse_uncommitted(folder)
        return _at(folder, url, git(folder, "describe", "--tags", "--always", _head(folder)))
    if _is_ancestor(folder, tag, commit):  # already beyond the newest tag: never go back
        return _at(folder, url, commit)
    return _at(folder, url, tag)


def _lasting(folder: Path, url: str, ref: str) -> str:
    """A name of a version that stays with it: a tag, or what git describes a commit as, since branches move."""
    sha = "" if ref.startswith("-") else _sha(folder, ref)
    if not sha:
        raise SourceError(f"{url} has no version {ref}", "name a tag, a branch or a commit of it")
    return ref if _sha(folder, f"refs/tags/{ref}") == sha else git(folder, "describe", "--tags", "--always", sha)


def _sha(folder: Path, ref: str) -> str:
    return git(folder, "rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}", check=False)


def _names(answers: dict[str, Any]) -> tuple[str, str]:
    url, commit = answers.get("_src_path"), answers.get("_commit")
    if not isinstance(url, str) or not isinstance(commit, str) or not url or not commit:
        raise SourceError(
            ".copier-answers.yml: names no template version",
            "it was copied from a folder without git; run `trimtab init` again over it",
        )
    return url, commit


def _at(folder: Path, url: str, commit: str) -> Source:
    if commit.startswith("-") or not re.fullmatch(r"[\w./+-]+", commit):
        raise SourceError(f".copier-answers.yml: {commit!r} is not a version of a template", "restore it from git")
    sha = _sha(folder, commit)
    if not sha:
        raise SourceError(
            f".copier-answers.yml: {url} has no version {commit}",
            "it was copied from uncommitted changes, or the version was deleted; name another with --template-ref",
        )
    return Source(_extract(folder, sha), url, commit)


def _extract(folder: Path, sha: str) -> Path:
    """The template of a commit as plain files, kept between runs: a commit never changes."""
    import io
    import shutil
    import tarfile
    import tempfile

    from platformdirs import user_cache_path

    cache = user_cache_path("trimtab") / "sources"
    target = cache / sha
    if (target / "copier.yml").is_file():
        return target
    try:
        archive = run(folder, "archive", "--format=tar", sha, "--", "copier.yml", "template")
    except GitError:
        raise SourceError(
            f"{folder}: {sha[:12]} holds no template of Trimtab", "was the right template named?"
        ) from None
    try:
        cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        staged = Path(tempfile.mkdtemp(dir=cache))
        try:
            with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
                _unpack(tar, staged, sha)
            with suppress(OSError):  # another process was faster
                staged.replace(target)
        finally:
            shutil.rmtree(staged, ignore_errors=True)
    except OSError as error:
        raise SourceError(
            f"{cache}: cannot be written: {error.strerror}", "set XDG_CACHE_HOME to a folder that can"
        ) from None
    return target


def _unpack(tar: tarfile.TarFile, folder: Path, sha: str) -> None:
    """Raises SourceError for what leads out of the folder: links are followed when a template is read."""
    import os
    import tarfile

    try:
        tar.extractall(folder, filter="data")
    except tarfile.TarError as error:
        raise SourceError(f"template {sha[:12]}: cannot be unpacked: {error}", "repair the template") from None
    home = os.path.realpath(folder)
    for path in folder.rglob("*"):
        if not Path(os.path.realpath(path)).is_relative_to(home):
            name = path.relative_to(folder).as_posix()
            raise SourceError(f"template {sha[:12]}: {name} is a link that leads out of it", "repair the template")


def _local(url: str, root: Path) -> Path | None:
    """The folder that a recorded address names, if it names one.

    A relative one was typed in the repository, or beside it: `copier copy template shop`.
    """
    path = Path(url).expanduser()
    places = [path] if path.is_absolute() else [root / path, root.parent / path, path]
    folders = [place for place in places if place.is_dir()]
    versioned = (f for f in folders[1:] and folders if git(f, "rev-parse", "--git-dir", check=False))
    return next(versioned, folders[0] if folders else None)


def _repository(url: str, fetch: bool, root: Path) -> Path:
    """A local git repository that holds the template's history, which the repository at `root` records."""
    if local := _local(url, root):
        if not git(local, "rev-parse", "--git-dir", check=False):
            raise SourceError(f"{url}: is not a git repository", "templates are versioned by git")
        return local
    if url.startswith(("/", ".", "~")) or re.match(r"^[A-Za-z]:[\\/]", url):
        raise SourceError(f"{url}: the template that .copier-answers.yml names is not there", "put it back")
    return _clone(url, fetch)


def _clone(url: str, fetch: bool) -> Path:
    import hashlib

    from platformdirs import user_cache_path

    address = url.removeprefix("git+")
    for short, long in _SHORTCUTS.items():
        if address.startswith(short):
            address = f"{long}{address.removeprefix(short)}.git"
    name = hashlib.sha256(address.encode()).hexdigest()[:32]
    folder = user_cache_path("trimtab") / "clones" / f"{name}.git"
    if folder.is_dir():
        if fetch:
            git(folder, "fetch", "--quiet", "--tags", "--force", "origin", *_FETCHED)
        return folder
    if not fetch:
        raise SourceError(
            f"this repository was rendered with {url}, and trimtab {trimtab.__version__} brings another template",
            "install the release that it names, or run `trimtab sync`, which fetches that template",
        )
    try:
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        git(folder.parent, "clone", "--quiet", "--bare", "--", address, str(folder))
        git(folder, "update-ref", _CLONED_HEAD, "HEAD")
    except (OSError, GitError) as error:
        raise SourceError(f"{url}: cannot be fetched: {error}", "check the address and the network") from None
    return folder


def _newest_tag(folder: Path) -> str | None:
    from packaging.version import InvalidVersion, Version

    versions = []
    for tag in git(folder, "tag", "--list").splitlines():
        try:
            version = Version(tag)
        except InvalidVersion:
            continue
        if not version.is_prerelease:
            versions.append((version, tag))
    return max(versions)[1] if versions else None


def _head(folder: Path) -> str:
    """The version that a template's default branch is at."""
    return _CLONED_HEAD if _sha(folder, _CLONED_HEAD) else "HEAD"


def _is_bare(folder: Path) -> bool:
    return git(folder, "rev-parse", "--is-bare-repository", check=False) == "true"


def _is_ancestor(folder: Path, old: str, new: str) -> bool:
    sha, other = _sha(folder, old), _sha(folder, new)
    return bool(sha and other) and git(folder, "merge-base", sha, other, check=False) == sha


def _refuse_uncommitted(folder: Path) -> None:
    if changes := git(folder, "status", "--porcelain", "--", "copier.yml", "template", check=False):
        first = changes.splitlines()[0][3:]
        raise SourceError(
            f"{folder}: the template has uncommitted changes ({first}), which no later merge could find again",
            "commit them first",
        )
