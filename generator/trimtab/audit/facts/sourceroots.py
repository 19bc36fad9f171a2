"""The directory that a service's source lies in: that of its build, or the one that has its name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from trimtab.audit.facts import model as m
from trimtab.audit.facts.copied import named_by_arguments
from trimtab.audit.facts.products import RUNTIMES, product_of_image
from trimtab.audit.facts.servicenames import BACK, FRONT, tokens
from trimtab.audit.facts.text import directory_of

_RUNTIME_OF = {"cargo": "rust", "jvm": "java"}  # the runtime of an ecosystem that is called otherwise
_HOMES = ("", "apps/", "services/", "packages/", "src/", "cmd/", "crates/", "projects/", "app/")


class SourceRoots:
    """Where the source of services lies in one repository."""

    def __init__(
        self, facts: m.Facts, packages: Mapping[str, Sequence[m.Package]], dockerfiles: Mapping[str, m.Dockerfile]
    ) -> None:
        """Take the facts, the package manifests by their directory and the Dockerfiles by their path."""
        self.facts = facts
        self.packages = packages
        self.dockerfiles = dockerfiles

    def of_build(self, build: m.Build, name: str) -> str | None:
        """The source directory of a build: the Dockerfile's own where it has a manifest, else the
        context, else by name.
        """
        if build.context is None:
            return None
        home = directory_of(build.dockerfile)
        if home and home.startswith(build.context) and (self.packages.get(home) or self._has_source(home)):
            return home
        chosen = named_by_arguments(self.facts, build, name)
        if chosen is not None:
            return chosen
        if build.context and (self.packages.get(build.context) or not self.facts.compose):
            return build.context
        if not build.context or not self.packages.get(build.context):
            named = self.named(name, build.context)
            if named is not None:
                return named
            copied = self._copied_packages(build)
            if len(copied) == 1:
                return copied.pop()
        if home != build.context and build.dockerfile not in self.dockerfiles:
            return (
                home  # the service's own directory is gone with its Dockerfile: what lies around it is not its source
            )
        return build.context

    def _copied_packages(self, build: m.Build) -> set[str]:
        """The directories with a manifest of their own, below the context, that the Dockerfile copies from. Where that
        manifest is of a language that the Dockerfile does not build, what it copies lost its own.
        """
        found = set()
        dockerfile = self.dockerfiles.get(build.dockerfile)
        for source, _ in dockerfile.copies if dockerfile else ():
            path = (build.context + "/" if build.context else "") + source.strip("./").split("*")[0].strip("/")
            copied = path if path in self.facts.directories else directory_of(path)
            while path and path != build.context:
                if self.packages.get(path):
                    own = path if copied == path or not dockerfile or self._builds(dockerfile, path) else copied
                    found.add(own)
                    break
                path = directory_of(path)
        return found

    def _builds(self, dockerfile: m.Dockerfile, directory: str) -> bool:
        """Whether a Dockerfile starts from a runtime of the language in a directory, or from none that is known."""
        runtimes = {product_of_image(stage.image.repository) for stage in dockerfile.stages} & RUNTIMES
        languages = {_RUNTIME_OF.get(package.ecosystem, package.ecosystem) for package in self.packages[directory]}
        return not runtimes or bool(runtimes & languages)

    def _has_source(self, directory: str) -> bool:
        """Whether a directory without a manifest of its own is a package of a workspace."""
        return f"{directory}/src" in self.facts.directories or f"{directory}/project.json" in self.facts.files

    def named(self, name: str, under: str = "") -> str | None:
        """The directory that has the service's name and a package manifest."""
        prefix = under + "/" if under else ""
        spellings = [
            name,
            name.replace("_", "-"),
            name.replace("-", "_"),
            *[part for part in sorted(tokens(name)) if part in FRONT | BACK],
        ]
        for spelling in spellings:
            for home in _HOMES:
                path = f"{prefix}{home}{spelling}"
                if self.packages.get(path):
                    return path
        return None
