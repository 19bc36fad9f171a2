"""Which framework a service is written with: by its manifest, else by what its Dockerfile says that it builds."""

from __future__ import annotations

import re

from trimtab.audit.adopt.model import IMAGE, SOURCE, Choice, Seen, choose, line_naming
from trimtab.audit.facts import model as m
from trimtab.audit.facts.frameworks import ECOSYSTEM, SIGNALS
from trimtab.frameworks import Frameworks
from trimtab.repo import Repo

LIBRARIES = {"gin": "go", "echo": "go", "chi": "go", "fiber": "go"}  # of a language whose one folder serves them all
_MANIFESTS = (
    "package.json", "Cargo.toml", "pyproject.toml", ".txt", "Pipfile", "setup.py", "setup.cfg", "Gemfile",
    "composer.json", ".csproj", "mix.exs",
)  # fmt: skip
# Where a frontend says that it is files only.
_ROUTER = "react-router.config."
_NO_SERVER = re.compile(r"\bssr\s*:\s*false\b")
_DESCRIPTION = re.compile(
    r"""org\.opencontainers\.image\.description=["']?(.{1,200}?) (?:service|frontend|backend) of """
)


def sources_of(repo: Repo, facts: m.Facts) -> dict[str, str]:
    """The files that tell one framework from another: Dockerfiles, manifests, and settings of React Router."""
    settings = (path for path in repo.files if path.rsplit("/", 1)[-1].startswith(_ROUTER))
    manifests = (one.path for one in facts.packages if one.frameworks or one.ecosystem == "go")
    return {path: repo.read(path) or "" for path in (*(one.path for one in facts.dockerfiles), *manifests, *settings)}


class Stacks:
    """The frameworks of a repository's services. `texts` are those of `sources_of`."""

    def __init__(self, facts: m.Facts, frameworks: Frameworks, texts: dict[str, str]) -> None:
        self.facts = facts
        self.frameworks = frameworks
        self.texts = texts
        self.titles = {frameworks[name]["title"]: name for name in frameworks.names}

    def framework(self, service: m.Service) -> Choice | None:
        """The framework of a service and where that stands, if anything names one."""
        seen: list[Seen] = []
        package = service.package
        if package is not None and service.framework and self._serves(service):
            name = LIBRARIES.get(service.framework, self._variant(service))
            seen.append(Seen(name, self._stated(package, service.framework), SOURCE))
        elif (
            package is not None
            and package.ecosystem == "go"
            and "go" in self.frameworks
            and (service.binds or service.routes)
        ):
            seen.append(Seen("go", m.Place(package.path, 1), SOURCE))
        for dockerfile in service.dockerfiles:
            for line, text in enumerate(self.texts.get(dockerfile.path, "").split("\n"), start=1):
                match = _DESCRIPTION.search(text)
                title = match[1].strip() if match else ""
                known = max((known for known in self.titles if title.startswith(known)), key=len, default="")
                named = self.titles.get(known)
                if named:
                    seen.append(Seen(named, m.Place(dockerfile.path, line), IMAGE))
            seen += [Seen(name, place, IMAGE + 1) for name, place in dockerfile.frameworks]
        if not seen:
            seen = self._members(service)
        choice = choose(seen)
        if choice is not None and choice.place is not None and choice.place.path.endswith(_MANIFESTS):
            return Choice(choice.value, choice.place)  # an image that builds a frontend on the way is no conflict
        return choice

    def _stated(self, package: m.Package, framework: str) -> m.Place:
        """The line of a manifest that names the dependency which means a framework."""
        names = next((names for one, _, names in SIGNALS if one == framework), ())
        text = self.texts.get(package.path, "").lower()
        spelt = [f'"{name}":' for name in names] + list(names)  # as a key of package.json first
        line = next((found for name in spelt if (found := line_naming(text, name))), 1)
        return m.Place(package.path, line)

    def _variant(self, service: m.Service) -> str:
        """The framework, by what its own configuration says where one manifest stands for two of ours."""
        root = f"{service.root}/" if service.root else ""
        settings = [text for path, text in self.texts.items() if path.startswith(root + _ROUTER)]
        if service.framework == "react-router" and any(_NO_SERVER.search(text) for text in settings):
            return "react-router-spa"
        return service.framework

    def _serves(self, service: m.Service) -> bool:
        """Whether a framework of static files has the page that it begins with; as a mere tool it has none."""
        if service.framework != "vite":
            return True
        return self.facts.exists(f"{service.root}/index.html" if service.root else "index.html")

    def _members(self, service: m.Service) -> list[Seen]:
        """The framework of the one program in a workspace, where its root names none."""
        root = f"{service.root}/" if service.root else ""
        found = [
            Seen(one.frameworks[0], m.Place(one.path, 1), SOURCE, "(of the workspace)")
            for one in self.facts.packages
            if one.frameworks
            and one.directory.startswith(root)
            and service.root is not None
            and ECOSYSTEM.get(one.frameworks[0]) == "cargo"
        ]
        return found if len({one.value for one in found}) == 1 else []
