"""What no container stands for: manifests with a framework, Dockerfiles and source, each for a service that is known by
them alone or for one that lost its link to them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from trimtab.audit.facts import model as m
from trimtab.audit.facts.grouped import Group
from trimtab.audit.facts.servicenames import GENERIC, VARIANT, tokens
from trimtab.audit.facts.source import language_of
from trimtab.audit.facts.text import directory_of, join


class Containerless:
    """Adds to `groups`, which containers have made, what the rest of the repository shows."""

    def __init__(
        self,
        facts: m.Facts,
        groups: list[Group],
        packages: Mapping[str, Sequence[m.Package]],
        dockerfiles: Mapping[str, m.Dockerfile],
    ) -> None:
        """Take the facts, the groups, the package manifests by their directory and the Dockerfiles by their path."""
        self.facts = facts
        self.groups = groups
        self.packages = packages
        self.dockerfiles = dockerfiles

    def add(self) -> None:
        """Add manifests, Dockerfiles and source, in this order."""
        self.add_packages()
        self.add_dockerfiles()
        self.add_sources()

    def add_packages(self) -> None:
        """Source directories with a web framework that no container was found for."""
        taken = {group.root for group in self.groups}
        for directory, found in sorted(self.packages.items()):
            if directory in taken or not any(package.frameworks for package in found):
                continue
            name = (
                directory.rsplit("/", 1)[-1] or next((package.name for package in found if package.name), "") or "app"
            )
            same = [
                one
                for one in self.groups
                if one.root is None and not one.product and (name in one.names or name in one.images)
            ]
            if len(same) == 1:
                same[0].root = directory
                same[0].evidence.append(f"{directory}: directory of the same name")
                continue
            if any(group.root and directory.startswith(group.root + "/") for group in self.groups if group.root):
                continue
            if self._inside_an_image(directory):
                continue
            scripts = [package.scripts.get("start", ("", None))[0] for package in found]
            if any(self._started(directory, script) for script in scripts):
                continue  # the manifest of a service whose source has a directory, and a container, of its own
            package = next(package for package in found if package.frameworks)
            self.groups.append(Group(name, directory, evidence=[f"{package.path}: {package.frameworks[0]}"]))

    def _inside_an_image(self, directory: str) -> bool:
        """Whether a manifest stands below a Dockerfile with source, and has none of its own: part of that image."""
        if any(path.startswith(f"{directory}/") and language_of(path) for path in self.facts.files):
            return False
        above = directory_of(directory)
        while above:
            if f"{above}/Dockerfile" in self.dockerfiles:
                return self._has_code(above)
            above = directory_of(above)
        return False

    def add_dockerfiles(self) -> None:
        """Dockerfiles that no compose file builds: by pushed image, by directory, by a service's name in
        their own.
        """
        taken = {path for group in self.groups for path in group.dockerfiles}
        pushed = {push.dockerfile for push in self.facts.pushes}
        for dockerfile in self.facts.dockerfiles:
            if dockerfile.path in taken:
                continue
            by_root = [
                one
                for one in self.groups
                if one.root is not None and one.root == dockerfile.directory and not one.product
            ]
            words = tokens(dockerfile.path.rsplit("/", 1)[-1]) - GENERIC
            suffix = {word for word in words if not VARIANT.fullmatch(word)}
            by_name = [
                one
                for one in self.groups
                if suffix and any(suffix & tokens(name) for name in one.names) and not one.product
            ]
            if suffix:  # Dockerfile.<name> beside another: an image of its own, unless it has the service's name
                by_root = [one for one in by_root if one in by_name or suffix & tokens(one.root or "")]
            started = self._started(dockerfile.directory, dockerfile.command)
            candidates = started or by_root or by_name
            if len(candidates) == 1 and (
                dockerfile.directory
                or by_name
                or dockerfile.path in pushed
                or len(self.groups) == 1
                or by_root
                or started
            ):
                candidates[0].dockerfiles[dockerfile.path] = dockerfile
                candidates[0].evidence.append(f"{dockerfile.path}: in the service's directory or under its name")

    def _has_code(self, directory: str) -> bool:
        """Whether source below a directory reads variables or listens."""
        places = [one.place for one in self.facts.reads] + [one.place for one in self.facts.binds]
        return any(place.path.startswith(f"{directory}/") for place in places)

    def add_sources(self) -> None:
        """Directories of source that have no manifest here, and whose image CI builds or that have an env file."""
        roots = {group.root for group in self.groups if group.root}
        taken = {path for group in self.groups for path in group.dockerfiles}
        built = {push.context for push in self.facts.pushes if push.dockerfile in self.dockerfiles.keys() - taken}
        own = {file.directory for file in self.facts.env_files}
        for directory in sorted(built | own):
            inside = directory + "/"
            if not directory or any(f"{root}/".startswith(inside) or inside.startswith(f"{root}/") for root in roots):
                continue
            if not self._has_code(directory):
                continue
            group = Group(directory.rsplit("/", 1)[-1], directory, evidence=[f"{directory}: source"])
            for path, dockerfile in self.dockerfiles.items():
                if dockerfile.directory == directory and path not in taken:
                    group.dockerfiles[path] = dockerfile
            self.groups.append(group)

    def _started(self, directory: str, command: str) -> list[Group]:
        """The service below `directory`, in whose own directory the file lies that a command starts."""
        below = f"{directory}/" if directory else ""
        for word in command.split():
            path = join(directory, word) if re.fullmatch(r"[\w./-]+\.\w+", word) else None
            if path and path in self.facts.files:
                return [
                    one
                    for one in self.groups
                    if one.root and one.root.startswith(below) and path.startswith(one.root + "/") and not one.product
                ]
        return []
