"""Services that are put together: what of the source each has, its name, its framework and its role."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from trimtab.audit.facts import model as m
from trimtab.audit.facts.copied import copied, holds
from trimtab.audit.facts.frameworks import FRONTENDS
from trimtab.audit.facts.query import commands_by_path
from trimtab.audit.facts.servicenames import BACK, FRONT, tokens
from trimtab.audit.facts.text import directory_of, nearest


@dataclass(slots=True)
class Group:
    """A service while it is being put together."""

    name: str
    root: str | None
    product: str = ""
    containers: list[m.Container] = field(default_factory=list)
    dockerfiles: dict[str, m.Dockerfile] = field(default_factory=dict)
    images: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)
    evidence: list[str] = field(default_factory=list)


class Finisher:
    """Makes services of groups."""

    def __init__(self, facts: m.Facts, groups: Sequence[Group], packages: Mapping[str, Sequence[m.Package]]) -> None:
        """Take the facts, the groups and the package manifests by their directory."""
        self.facts = facts
        self.groups = groups
        self.packages = packages

    def services(self) -> tuple[m.Service, ...]:
        """Each service with what lies in its directory."""
        roots = {group.root for group in self.groups if group.root is not None}

        foreign = {id(group) for group in self.groups if self._copies_nothing(group)}

        def home(path: str) -> str | None:
            directory = nearest(directory_of(path), roots)
            return directory if directory in roots else None

        binds, routes, reads = defaultdict(list), defaultdict(list), defaultdict(list)
        for bind in self.facts.binds:
            binds[home(bind.place.path)].append(bind)
        for route in self.facts.routes:
            routes[home(route.place.path)].append(route)
        for read in self.facts.reads:
            reads[home(read.place.path)].append(read)
        found = []
        for group in self.groups:
            if group.root is None or id(group) in foreign:
                found.append(self._service(group, (), (), ()))
                continue
            held = self._held(group)
            found.append(
                self._service(
                    group,
                    tuple(one for one in binds[group.root] if holds(held, one.place.path)),
                    tuple(one for one in routes[group.root] if holds(held, one.place.path)),
                    tuple(one for one in reads[group.root] if holds(held, one.place.path)),
                )
            )
        return tuple(found)

    def _held(self, group: Group) -> frozenset[str] | None:
        """What of the group's directory its images hold, None for all of it."""
        commands = commands_by_path(self.facts)
        if any("--mount" in one.text for path in group.dockerfiles for one in commands.get(path, ())):
            return None
        return copied(self.facts, group.root or "", group.containers, group.dockerfiles.values())

    def _name(self, group: Group) -> str:
        """What most compose files call the service; without any, its own name, a chart's helper resolved."""
        names = Counter(one.name for one in group.containers if one.origin == "compose")
        most = max(names.values(), default=0)
        common = [name for name, count in names.items() if count == most]
        if group.name not in common and common:
            return common[0]
        return re.sub(r"^tpl-(.+?)(?:-(?:full)?name)?$", r"\1", group.name)

    def _copies_nothing(self, group: Group) -> bool:
        """Whether no source gets into the service, but into another one of the same directory: its Dockerfiles copy
        nothing, and no container mounts any.
        """
        if not group.dockerfiles or any(one.copies for one in group.dockerfiles.values()):
            return False
        others = [one for one in self.groups if one.root == group.root and one is not group]
        if not any(dockerfile.copies for one in others for dockerfile in one.dockerfiles.values()):
            return False
        mounts = [mount for container in group.containers for mount in container.mounts]
        if any(mount.source == group.root and not mount.named for mount in mounts):
            return False
        commands = commands_by_path(self.facts)
        return not any("--mount" in one.text for path in group.dockerfiles for one in commands.get(path, ()))

    def _service(
        self,
        group: Group,
        binds: tuple[m.Bind, ...],
        routes: tuple[m.Route, ...],
        reads: tuple[m.EnvRead, ...],
    ) -> m.Service:
        found = self.packages.get(group.root, []) if group.root is not None else []
        package = next((one for one in found if one.frameworks), found[0] if found else None)
        framework = package.frameworks[0] if package and package.frameworks else ""
        if framework in ("express", "fastify", "koa", "hono") and package and "vite" in package.frameworks:
            framework = "vite" if group.names and any(tokens(name) & FRONT for name in group.names) else framework
        env_files = tuple(one for one in self.facts.env_files if group.root and (one.directory == group.root))
        return m.Service(
            self._name(group),
            group.root,
            group.product or self._role(group, framework),
            framework,
            tuple(group.containers),
            tuple(group.dockerfiles.values()),
            env_files,
            package,
            binds,
            routes,
            reads,
            tuple(group.evidence),
        )

    def _role(self, group: Group, framework: str) -> str:
        if framework in FRONTENDS:
            return "frontend"
        if framework:
            return "backend"
        words = frozenset().union(*(tokens(name) for name in group.names | {group.name}))
        if words & FRONT and not words & BACK:
            return "frontend"
        return (
            "backend"
            if words & BACK
            else "worker"
            if words & {"worker", "celery", "queue", "jobs", "cron", "scheduler"}
            else "service"
        )
