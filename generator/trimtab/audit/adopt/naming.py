"""What the platform is called, and where its images are: by files, by git, by the folder."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from trimtab.audit.adopt.addresses import is_stand_in
from trimtab.audit.adopt.cluster import Cluster, located, slug
from trimtab.audit.adopt.model import (
    CLUSTER,
    COMPOSE,
    PIPELINE,
    Choice,
    Seen,
    choose,
    line_naming,
    rank,
)
from trimtab.audit.adopt.units import Unit
from trimtab.audit.facts import model as m
from trimtab.repo import Repo
from trimtab.settings.schema import REGISTRY
from trimtab.yamlpos import load_all

_REMOTE = re.compile(
    r'\[remote "origin"\][^\[]*?url\s*=\s*(?:\S+@|https?://(?:[^/@\s]+@)?)([\w.-]+)[:/]([\w.-]+)/([\w.-]+?)(?:\.git)?\s',
    re.DOTALL,
)
_REGISTRIES = {"github.com": "ghcr.io", "gitlab.com": "registry.gitlab.com"}
_MAX_CONFIG = 100_000
# Names that manifests at the root have and that say nothing of the platform.
_GENERIC = frozenset(
    {
        "app",
        "root",
        "monorepo",
        "workspace",
        "frontend",
        "backend",
        "web",
        "client",
        "server",
        "api",
        "my-app",
        "project",
    }
    | {"vite-project", "main", "source", "src", "packages", "service", "website", "dashboard", "nextjs", "template"}
)
_PARTIAL = re.compile(r"\$\{|\{\{|<|\$\(|\$[A-Z_]")


class Origin:
    """Where the repository is hosted, by its git configuration: host, owner, name; empty where there is none."""

    def __init__(self, root: Path | None) -> None:
        """Read the configuration of the repository at `root`, never through a link."""
        self.host = self.owner = self.name = ""
        file = root / ".git" / "config" if root else None
        try:
            if file is None or file.is_symlink() or file.parent.is_symlink() or file.stat().st_size > _MAX_CONFIG:
                return
            match = _REMOTE.search(file.read_text(encoding="utf-8", errors="replace") + "\n")
        except OSError:
            return
        if match:
            self.host, self.owner, self.name = match[1].lower(), match[2].lower(), match[3].lower()


def name(repo: Repo, facts: m.Facts, cluster: Cluster, folder: str, origin: Origin) -> Choice:
    """The platform's name."""
    stated = choose([one for one in _stated(repo, facts, cluster) if one.value and not one.value.startswith("tpl-")])
    if stated is not None:
        return stated
    guesses = [Choice(slug(origin.name), None, "the name of the git repository")]
    guesses += [
        Choice(
            _package_name(one),
            m.Place(one.path, line_naming(repo.read(one.path) or "", one.name) or 1),
            "(the manifest's name)",
        )
        for one in facts.packages
        if not one.directory and _package_name(one) not in _GENERIC
    ]
    guesses.append(Choice(slug(folder), None, "the name of the folder"))
    guesses.append(Choice("platform", None, "FOUND NOWHERE: choose a name"))
    return next(one for one in guesses if one.value)


def _package_name(package: m.Package) -> str:
    return re.sub(r"-(?:monorepo|root|workspaces?)$", "", slug(package.name.rsplit("/", 1)[-1]))


def _stated(repo: Repo, facts: m.Facts, cluster: Cluster) -> Iterator[Seen]:
    """The names that deployment files give the whole."""
    for one in cluster.objects("Deployment", "StatefulSet"):
        part_of = one.labels.get("app.kubernetes.io/part-of")
        if part_of:
            place = located(one.place.path, one.body.map("metadata", "labels").line_of("app.kubernetes.io/part-of"))
            yield Seen(slug(str(part_of)), place, CLUSTER, "(part-of)")
    for file in facts.compose:
        for body, _ in load_all(repo.read(file.path) or "").maps():
            text = body.text("name")
            if text and "$" not in text:
                place = m.Place(file.path, body.line_of("name"))
                yield Seen(slug(str(text)), place, rank(COMPOSE, file.environment))


def registry(facts: m.Facts, units: list[Unit], origin: Origin) -> Choice:
    """The registry by the images that are deployed, built or pushed."""
    seen: list[Seen] = []
    for unit in units:
        for one in unit.service.containers:
            kind = CLUSTER if one.origin == "kubernetes" else COMPOSE
            if one.image is not None:
                found = _prefix(one.image.text, origin)
                if found:
                    seen.append(Seen(found, one.image.place, rank(kind, one.environment)))
    for push in facts.pushes:
        seen += [Seen(found, push.place, PIPELINE) for tag in push.tags if (found := _prefix(tag, origin))]
    choice = choose(seen)
    if choice is not None:
        return choice
    if origin.owner:
        host = _REGISTRIES.get(origin.host, origin.host)
        # Images of GitLab's registry live below a project.
        path = origin.owner if host != "registry.gitlab.com" else f"{origin.owner}/{origin.name}"
        return Choice(f"{host}/{path}", None, "by the git remote; no file names an image of this registry")
    return Choice("registry.example.com/team", None, "FOUND NOWHERE: name your registry here")


def _prefix(text: str, origin: Origin) -> str | None:
    """The registry and path before an image's own name, or None where the text does not tell."""
    text = re.sub(r"\$\{\{\s*github\.repository_owner\s*\}\}", origin.owner or "$" + "{X}", text)
    text = re.sub(
        r"\$\{\{\s*github\.repository\s*\}\}", f"{origin.owner}/{origin.name}" if origin.owner else "$" + "{X}", text
    )
    text = re.sub(r"\$\{\w+:?-([^}$]+)\}", r"\1", text.strip("\"' "))
    prefix, slash, _ = text.partition("@")[0].rpartition("/")
    if is_stand_in(prefix.replace("/", " ")):
        return None
    if not slash or _PARTIAL.search(prefix) or "tpl-" in prefix:
        return None
    head = prefix.split("/")[0]
    prefix = prefix if "." in head or ":" in head or head == "localhost" else f"docker.io/{prefix}"
    prefix = prefix.lower()
    return prefix if re.fullmatch(REGISTRY, prefix) and not prefix.startswith("localhost") else None
