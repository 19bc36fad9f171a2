"""Which services can be adopted, and as what: the program, the folder, the name."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from trimtab.audit.adopt import foreign
from trimtab.audit.adopt.cluster import place_environment, slug
from trimtab.audit.adopt.joining import dockerfiles, images, is_helper, is_target, is_worker, joined, migrates, shares
from trimtab.audit.adopt.model import Choice, shown
from trimtab.audit.adopt.stacks import Stacks
from trimtab.audit.facts import model as m
from trimtab.audit.facts.frameworks import ECOSYSTEM, FRONTENDS, STATIC_FRONTENDS
from trimtab.audit.facts.naming import environment_of, is_auxiliary
from trimtab.audit.facts.products import DATASTORES
from trimtab.audit.facts.servicenames import tokens
from trimtab.frameworks import Frameworks
from trimtab.settings.checks import RESERVED

# Frameworks whose images are built and run exactly as those of another: nothing in them depends on which it is.
ALIKE = {"axum": "actix", "warp": "actix", "koa": "express", "hono": "express"}
_LANGUAGES = {"cargo": "rust"}
_ENTRIES = {
    "cargo": ("src/main.rs", "src/bin"),
    "ruby": ("config.ru",),
    "php": ("artisan",),
    "dotnet": ("Program.cs",),
    "elixir": ("config/config.exs",),
    "python": ("main.py", "app.py", "api.py", "app/main.py", "app/app.py", "src/main.py", "manage.py"),
}
# What the sources of a frontend begin with.
_PAGES = {
    "angular": ("angular.json",),
    "astro": ("src/pages",),
    "cra": ("public/index.html",),
    "react-router-spa": ("app",),
}
_COMMON = frozenset({"app", "web", "api", "server", "service", "the", "my", "backend", "frontend"})
_FOLDER = re.compile(r"\.|[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*")


@dataclass(slots=True)
class Unit:
    """One service to adopt. `kube` are the names of its workloads."""

    name: str
    service: m.Service
    framework: Choice
    data: dict[str, Any]
    path: Choice
    containers: list[m.Container] = field(default_factory=list)
    helpers: list[str] = field(default_factory=list)
    kube: set[str] = field(default_factory=set)
    comments: list[str] = field(default_factory=list)

    @property
    def deployed(self) -> bool:
        """Whether any file builds or runs it."""
        return bool(self.service.containers or self.service.dockerfiles)

    @property
    def static(self) -> bool:
        """Whether it serves files only, from the web server that the template brings."""
        return bool(self.data.get("static"))


@dataclass(slots=True)
class Units:
    """The services that can be adopted, and a sentence on each one that cannot."""

    items: list[Unit] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    services: list[m.Service] = field(default_factory=list)  # all that was looked at
    published: dict[str, str] = field(default_factory=dict)  # images of others, each with its place


def find_units(facts: m.Facts, frameworks: Frameworks, texts: dict[str, str], named: str = "") -> Units:
    """The services of a repository that its own files build. `texts` are those of `sources_of`, `named` is what the
    repository is called.
    """
    finder = _Finder(facts, frameworks, texts, named)
    finder.run()
    return finder.found


class _Finder:
    def __init__(self, facts: m.Facts, frameworks: Frameworks, texts: dict[str, str], named: str) -> None:
        self.named = named
        self.facts = facts
        self.frameworks = frameworks
        self.texts = texts
        self.stacks = Stacks(facts, frameworks, texts)
        self.found = Units()
        self.joined = joined(facts)
        self.services = self.joined.services
        self.found.services = self.services
        self.loose: list[m.Service] = []  # run here, built elsewhere
        self.seen: set[str] = (
            set()
        )  # names of services that files declare, so that another file's of the same name is no other

    def run(self) -> None:
        for service in self.services:
            if self._own(service):
                self._take(service)
        self._merge()
        self._say_loose()
        if any(unit.deployed for unit in self.found.items):
            for unit in self.found.items:
                if not unit.deployed:
                    unit.comments.append("no file builds or runs it: take it out if it is not deployed")

    def _is_test(self, container: m.Container) -> bool:
        return "test" in (container.environment, environment_of(container.name), environment_of(container.place.path))

    def _starts(self, service: m.Service) -> bool:
        """Whether a folder that no deployment file names holds a program, rather than a library."""
        if service.containers or service.dockerfiles:
            return True
        root = f"{service.root}/" if service.root else ""
        names = _ENTRIES.get(ECOSYSTEM.get(service.framework, ""), ())
        if service.framework in STATIC_FRONTENDS:
            names = _PAGES.get(service.framework, ("index.html",))
        elif service.framework in FRONTENDS:
            names = ("next.config.js", "next.config.mjs", "next.config.ts", "app", "pages", "src/app", "src/pages")
        return bool(service.binds) or any(self.facts.exists(root + name) for name in names)

    def _inside(self, service: m.Service) -> bool:
        """Whether a folder that no deployment file names is a part of a workspace that is built as a whole."""
        if service.containers or service.dockerfiles or service.root is None:
            return False
        return any(
            unit.service.root is not None
            and (unit.service.containers or unit.service.dockerfiles)
            and f"{service.root}/".startswith(f"{unit.service.root}/" if unit.service.root else "")
            and unit.data["language"] == _LANGUAGES.get(ECOSYSTEM.get(service.framework, ""))
            for unit in self.found.items
        )

    def _own(self, service: m.Service) -> bool:
        if service.role in DATASTORES:
            return False
        if service.root is None and not any(one.build for one in service.containers):
            self.loose.append(service)
            return False
        places = [one.place.path for one in service.containers] or [one.path for one in service.dockerfiles]
        return not places or not all(is_auxiliary(path) for path in places)

    def _take(self, service: m.Service) -> None:  # noqa: C901
        if is_helper(service, self.services) or not self._starts(service) or self._inside(service):
            return
        label = f"{service.name} ({_first(service)})"
        tests = bool(service.containers) and all(self._is_test(one) for one in service.containers)
        if tests and (
            service.package is None or any(one is not service and one.root == service.root for one in self.services)
        ):
            return
        if slug(service.name) in self.seen or (service.name == "storybook" and not service.containers):
            return
        around = self._around(service)
        if around is not None:
            where = service.package.path if service.package else service.root
            self.found.left_out.append(
                f"{service.name} ({where}): nothing builds or runs it, and {around.name} lies in its folder"
            )
            return
        framework = self.stacks.framework(service)
        if service.containers:
            self.seen.add(slug(service.name))
        if framework is None:
            if service.containers or service.dockerfiles:
                why = self.joined.unknown.get(service.name) or foreign.unknown(service, self.facts)
                self.found.left_out.append(f"{label}: {why}")
            return
        name, comments = framework.value, list(self.joined.remarks.get(service.name, ()))
        if name not in self.frameworks:
            near = ALIKE.get(name)
            where = shown(framework.place) if framework.place else ""
            if near is None or near not in self.frameworks:
                self.found.left_out.append(f"{label}: Trimtab has no template for {name} yet ({where})")
                return
            comments.append(
                f"{name} at {where}: Trimtab has no folder for it yet. The image of {near} is built and started alike; "
                "compare infrastructure/docker/ before you rely on it."
            )
            framework = Choice(near, framework.place, f"({name})", framework.others)
        path = self._path(service)
        written = (service.root or "").rsplit("/", 1)[-1] if tests and service.root else service.name
        unit = Unit(
            self._name(written, comments), service, framework, self.frameworks[framework.value], path, comments=comments
        )
        unit.containers = [
            one
            for one in service.containers
            if not one.job
            and not one.init
            and not is_target(one, "migrate")
            and not self._is_test(one)
            and not (one.origin == "kubernetes" and one.partial and self._unused(one.place.path))
        ]
        unit.kube = {one.workload for one in unit.containers if one.workload} | {service.name}
        if self._is_worker(service, unit):
            self.found.left_out.append(f"{label}: it listens on no port, and Trimtab has no workers yet")
            return
        self.found.items.append(unit)
        self._jobs(unit)

    def _jobs(self, unit: Unit) -> None:
        """Name the jobs on a service's image: those that migrate are done by `migrations`, others are left out."""
        held = {one.workload or one.name: one for one in unit.service.containers if one.job and not self._is_test(one)}
        others = []
        for name, one in held.items():
            if migrates(name, [one]):
                unit.helpers.append(name)
            else:
                others.append(f"{name} ({shown(one.place)})")
        if others:
            what = "a job" if len(others) == 1 else "jobs"
            why = f"{what} on the image of {unit.name}, and Trimtab runs no jobs but migrations"
            self.found.left_out.append(f"{', '.join(others)}: {why}")

    def _unused(self, path: str) -> bool:
        """Whether a file of patches belongs to no environment, and no kustomization names it."""
        if place_environment(path) or "/templates/" in f"/{path}":
            return False
        whole = any(one.place.path == path and not one.patch for one in self.facts.workloads)
        return not whole and not any(one.path == path for one in self.facts.references)

    def _is_worker(self, service: m.Service, unit: Unit) -> bool:
        if unit.static or not unit.containers:
            return False
        if any(one.ports or any(probe.path for probe in one.probes) for one in unit.containers):
            return False
        if any(one.origin == "kubernetes" and not one.partial for one in unit.containers) and not service.binds:
            return True
        return is_worker(service, self.services)

    def _is_own(self, repository: str) -> bool:
        """Whether an image that nothing here builds is of the same makers as the services, as far as its name tells."""
        *owner, base = repository.lower().split("/")
        if not owner:
            return True
        owners = {one.rpartition("/")[0].lower() for unit in self.found.items for one in images(unit.service)}
        names = {self.named, *(one.name for one in self.facts.packages if not one.directory)}
        words = frozenset().union(*(tokens(name) for name in names))
        return "/".join(owner) in owners or bool(tokens(owner[-1]) & words) or bool(tokens(base) & words - _COMMON)

    def _around(self, service: m.Service) -> m.Service | None:
        """A service within the folder of one that nothing builds or runs: the folder's manifest is the workspace's."""
        if service.containers or service.dockerfiles or service.root is None or service.package is None:
            return None
        root = f"{service.root}/" if service.root else ""
        return next(
            (
                other
                for other in self.services
                if other is not service
                and other.root
                and other.root.startswith(root)
                and (other.containers or other.dockerfiles)
                and other.package is not None
                and other.package.ecosystem == service.package.ecosystem
            ),
            None,
        )

    def _say_loose(self) -> None:
        """Say why what runs here on images that are built elsewhere was left out, once for each name."""
        names = {one.service.name for one in self.found.items}
        for service in self.loose:
            owned = images(service)
            if not owned or service.name in names or is_helper(service, self.services):
                continue
            names.add(service.name)
            unit = next((one for one in self.found.items if owned & images(one.service)), None)
            jobs = all(one.job for one in service.containers)
            if unit is None and not self._is_own(sorted(owned)[0]):
                self.found.published[service.name] = _first(service)
                continue
            if unit is None and jobs:
                why = "a job, and Trimtab runs no jobs but migrations"
            elif unit is None:
                why = f"its image, {sorted(owned)[0]}, is built nowhere in this repository"
            elif jobs:
                why = f"a job on the image of {unit.name}, and Trimtab runs no jobs but migrations"
            else:
                why = f"it runs the image of {unit.name} beside it, on no port of its own; Trimtab has no workers yet"
            self.found.left_out.append(f"{service.name} ({_first(service)}): {why}")

    def _path(self, service: m.Service) -> Choice:
        if service.package is not None and service.root is not None:
            return Choice(_folder(service.root), m.Place(service.package.path, 1))
        counts: Counter[str] = Counter()
        places: dict[str, m.Place] = {}
        for dockerfile in service.dockerfiles:
            for source, place in dockerfile.copies:
                folder = source.removeprefix("./").rstrip("/") or "."
                if not folder.startswith("infrastructure/") and "*" not in folder and _FOLDER.fullmatch(folder):
                    counts[folder] += 1
                    places.setdefault(folder, place)
        if counts and not service.root:
            best = max(
                counts,
                key=lambda folder: (
                    folder.rsplit("/", 1)[-1] == service.name,
                    folder in self.facts.directories,
                    counts[folder],
                ),
            )
            return Choice(best, places[best])
        first = next((stage.place for one in service.dockerfiles for stage in one.stages), None)
        return Choice(_folder(service.root or ""), first)

    def _name(self, written: str, comments: list[str]) -> str:
        name = slug(written) or "app"
        taken = {unit.name for unit in self.found.items}
        if name in RESERVED or name.endswith(("-migrate", "-secrets", "-config")):
            name = f"{name[:32]}-service"
        base, number = name, 1
        while name in taken:
            number += 1
            name = f"{base[:36]}-{number}"
        if name != written:
            comments.append(f"called {written} so far")
        return name

    def _merge(self) -> None:
        """Helpers go to the service whose image they share."""
        for service in self.services:
            if is_helper(service, self.services):
                alike = [one for one in self.found.items if shares(one.service, service)]
                near = next((one for one in alike if dockerfiles(one.service) & dockerfiles(service)), None)
                unit = near or next(iter(alike), None)
                if unit is not None:
                    unit.helpers.append(service.name)


def _folder(path: str) -> str:
    return path if path and _FOLDER.fullmatch(path) else "."


def _first(service: m.Service) -> str:
    places: Iterator[str] = (shown(one.place) for one in service.containers)
    return next(places, service.dockerfiles[0].path if service.dockerfiles else service.root or "the root")
