"""Facts to a proposed settings file: units, then each section, then the text, validated until nothing is wrong."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trimtab.audit.adopt import database, platform, ports, routes, scaling
from trimtab.audit.adopt.cluster import Cluster
from trimtab.audit.adopt.model import Choice, Node, brief, brief_list, conflict, shown
from trimtab.audit.adopt.replaced import replaced
from trimtab.audit.adopt.units import Unit, find_units, sources_of
from trimtab.audit.adopt.variables import LOCAL, Reader, Variables
from trimtab.audit.adopt.write import Lines, render
from trimtab.audit.facts import model as m
from trimtab.audit.facts.collect import collect
from trimtab.errors import TrimtabError
from trimtab.frameworks import Frameworks
from trimtab.repo import Repo
from trimtab.settings.env_names import ALIASES
from trimtab.settings.load import FILE_NAME, SettingsError, parse_settings

_PROBLEM = re.compile(rf"{re.escape(FILE_NAME)}:(\d+): (.*)")
_INDEX = re.compile(r"\[(\d+)\]$")
_ROUNDS = 500


class NothingFoundError(TrimtabError):
    """A repository holds nothing that can be adopted."""


@dataclass(frozen=True)
class Proposal:
    """A proposed settings file: its text, what could not be adopted, and what could not be read."""

    text: str
    left_out: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    replaced: tuple[tuple[str, str], ...] = ()  # existing files, each with what takes its place

    @property
    def raw(self) -> bytes:
        """The text as bytes."""
        return self.text.encode("utf-8")


def propose(root: Path, frameworks: Frameworks) -> Proposal:
    """The settings that the repository at `root` has in effect. Raises TrimtabError when there is nothing to adopt."""
    return propose_repo(Repo.from_disk(root), frameworks, root.resolve().name, root)


def propose_repo(repo: Repo, frameworks: Frameworks, folder: str, root: Path | None = None) -> Proposal:
    """The same for a file tree that is already open. `root` is where its git configuration can be read."""
    return _Proposer(repo, frameworks, folder, platform.Origin(root)).run()


class _Proposer:
    def __init__(self, repo: Repo, frameworks: Frameworks, folder: str, origin: platform.Origin) -> None:
        self.repo = repo
        self.frameworks = frameworks
        self.facts = collect(repo)
        self.cluster = Cluster(repo, self.facts)
        self.folder = folder
        self.origin = origin
        self.left_out: list[str] = []
        self.scales: dict[str, scaling.Scale] = {}

    def run(self) -> Proposal:
        found = find_units(self.facts, self.frameworks, sources_of(self.repo, self.facts))
        self.units = found.items
        self.left_out = [*found.left_out, *database.foreign(self.facts)]
        if not self.units:
            reasons = "; ".join(self.left_out[:3])
            raise NothingFoundError(
                f"no service was found that can be adopted{': ' + reasons if reasons else ''}",
                "`trimtab frameworks` lists what Trimtab knows; `trimtab init` starts from a few questions",
            )
        self.clustered = any(one.origin == "kubernetes" for unit in self.units for one in unit.containers)
        self.hosts = self._hosts()
        reader = Reader(self.facts, self.cluster, self.units, self.hosts)
        self.variables = {unit.name: reader.read(unit) for unit in self.units}
        text = self._validated(self._tree())
        return Proposal(
            text,
            tuple(self.left_out),
            tuple(f"{one.path}: {one.reason}" for one in self.repo.unread),
            tuple(replaced(self.facts, self.units)),
        )

    def _hosts(self) -> dict[str, str]:
        """Every name on the network, and the service or datastore that it leads to."""
        found: dict[str, str] = {}
        for service in self.facts.services:
            if service.role in database.STORES:
                for one in service.containers:
                    if not one.job:
                        found.update({name: service.role for name in (one.name, one.workload, *one.aliases) if name})
        for unit in self.units:
            for one in unit.containers:
                names = (one.workload, *one.aliases) if one.origin == "kubernetes" else (one.name, *one.aliases)
                found.update({name: unit.name for name in names if name})
            found.setdefault(unit.name, unit.name)
        for kube in self.facts.kube_services:
            for work in self.facts.workloads:
                if (
                    kube.selector
                    and all(work.pod_labels.get(key) == value for key, value in kube.selector.items())
                    and work.name in found
                ):
                    found.setdefault(kube.name, found[work.name])
        return found

    def _tree(self) -> Node:
        root = Node.mapping()
        root.put("version", 1)
        name = platform.name(self.repo, self.facts, self.cluster, self.folder, self.origin)
        root.choice("name", name)
        root.choice("registry", platform.registry(self.facts, self.units, self.origin))
        self.environments = platform.Environments(self.repo, self.facts, self.cluster, str(name.value))
        routed = routes.routes(self.repo, self.facts, self.cluster, self.units, self.hosts)
        services = root.at("services")
        for text in self.left_out:
            services.comments.append(f"LEFT OUT: {text}")
        for unit in self.units:
            self._service(services, unit, routed)
        self._datastores(root)
        platform.delivery(root, self.repo, self.facts, self.cluster)
        self._environments(root)
        return root

    def _service(self, services: Node, unit: Unit, routed: routes.Routed) -> None:
        variables = self.variables[unit.name]
        node = services.at(unit.name)
        node.comments += [*unit.comments, *routed.comments.get(unit.name, ()), *variables.comments]
        if unit.helpers:
            node.comments.append(f"{', '.join(unit.helpers)}: done by `migrations` from now on")
        node.choice("framework", unit.framework)
        node.choice("path", unit.path)
        self._port(node, unit)
        if unit.name in routed.paths:
            paths = routed.paths[unit.name]
            node.put("route", list(paths), ", ".join(shown(place) for place in list(paths.values())[:3]))
        elif unit.name in routed.crowded:
            node.comments.append("route: Trimtab serves all of a platform on one host, so this takes the default route")
        elif (
            (routed.known or self.cluster.marked)
            and self.clustered
            and next(self.cluster.objects("Ingress", "Gateway", "HTTPRoute"), None) is not None
        ):
            node.put("route", False, "nothing routes here")
        self._health(node, unit)
        uses = self._uses(unit, variables)
        if uses:
            node.put("uses", list(uses), ", ".join(shown(place) for place in uses.values()))
        self._unread(node, unit, uses)
        if "postgres" in uses:
            self._migrations(node, unit)
        self._variables(node, variables)
        self._scaling(node, unit)

    def _port(self, node: Node, unit: Unit) -> None:
        kube = [one for one in unit.containers if one.origin == "kubernetes"]
        names = {name for one in kube for kind, name in one.env_from if kind == "ConfigMap"}
        config = [
            item for environment in ["", *self.cluster.environments] for item in self.cluster.config(names, environment)
        ]
        root_files = tuple(one for one in self.facts.env_files if not one.directory) if len(self.units) == 1 else ()
        choice, comment = ports.port(unit, root_files, config)
        node.choice("port", choice)
        if comment:
            node.comments.append(comment)

    def _health(self, node: Node, unit: Unit) -> None:
        live, ready, comment = ports.health(unit, self.facts.files)
        if comment:
            node.comments.append(comment)
        if live is not None and ready is not None:
            below = node.at("health")
            below.choice("live", live)
            below.choice("ready", ready)
        monitors = list(self.cluster.objects("ServiceMonitor", "PodMonitor"))
        mine = []
        for one in monitors:
            labels = one.body.map("spec", "selector", "matchLabels")
            if one.name in unit.kube or any(str(value) in unit.kube for value in labels.values()):
                ends = one.body.map("spec").maps("endpoints") or one.body.map("spec").maps("podMetricsEndpoints")
                mine += [
                    (str(end.text("path") or "/metrics"), m.Place(one.place.path, end.line_of("path"))) for end in ends
                ]
        said, choice = ports.metrics(unit, mine, bool(monitors) or (self.clustered and self.cluster.marked))
        if said and choice is None:
            node.put("metrics", False, "no route for metrics was found")
        else:
            node.choice("metrics", choice)

    def _unread(self, node: Node, unit: Unit, uses: dict[str, m.Place]) -> None:
        """Say so where the source does not read the variables that carry what it uses."""
        reads = {ALIASES.get(one.name, one.name) for one in unit.service.reads}
        for store, name in (("postgres", "DATABASE_URL"), ("redis", "REDIS_URL")):
            if store in uses and unit.service.package is not None and name not in reads:
                node.comments.append(
                    f"{store} reaches the service as {name}, which no line of its source was seen to read"
                )

    def _uses(self, unit: Unit, variables: Variables) -> dict[str, m.Place]:
        found = {**variables.stores, **variables.calls}
        found.pop(unit.name, None)
        return found

    def _migrations(self, node: Node, unit: Unit) -> None:
        others = [one for one in self.units if "postgres" in self.variables[one.name].stores and one is not unit]
        found = database.migrations(self.repo, self.facts, unit, not others)
        node.comments += found.comments
        if found.tool is not None:
            below = node.at("migrations")
            below.choice("tool", found.tool)
            below.choice("path", found.path)
            if found.indexes:
                below.put("expect_indexes", found.indexes)

    def _variables(self, node: Node, variables: Variables) -> None:
        for key, held in (("env", variables.env), ("public_env", variables.public)):
            for name, (choice, word) in held.items():
                remark = "; ".join(filter(None, [shown(choice.place) if choice.place else "", word]))
                node.at(key).put(name, _typed(choice.value), remark, [conflict(name, choice)] if choice.others else [])
        if variables.secrets:
            places = [f"{name} at {shown(place)}" for name, place in variables.secrets.items()]
            node.put("secrets", list(variables.secrets), "", [f"names only: {brief_list(places)}"])

    def _scaling(self, node: Node, unit: Unit) -> None:
        for key, choice in scaling.resources(self.repo, self.cluster, unit, "").items():
            node.at("resources").choice(key, choice)
        self.scales[unit.name] = scaling.Scale(self.cluster, unit)
        self.scales[unit.name].put_base(node)

    def _datastores(self, root: Node) -> None:
        declared = [service.role for service in self.facts.services if service.role in database.STORES]
        used = [store for one in self.variables.values() for store in one.stores]
        for store in dict.fromkeys([*declared, *used]):
            node = root.at("datastores", store)
            choice, notes = database.version(self.facts, store)
            node.choice("version", choice)
            node.comments += notes
            node.choice("storage", database.storage(self.cluster, self.facts, store))
            for key, one in database.resources(self.repo, self.cluster, self.facts, store).items():
                node.at("resources").choice(key, one)

    def _environments(self, root: Node) -> None:
        node = root.at("environments")
        names = self.cluster.environments if self.clustered else []
        if not names:
            others = [
                label for one in self.variables.values() for label, _ in one.overrides if label not in (LOCAL, "")
            ]
            names = sorted(
                {*others, *({"production"} if self.clustered else set())}, key=lambda name: (name == "production", name)
            )
        self._overrides(node, LOCAL)
        for environment in [name for name in names if name != LOCAL]:
            below = node.at(environment)
            host = self.environments.host(environment)
            if host is None:
                host = Choice(
                    f"{'' if environment == 'production' else environment + '.'}{self.folder_host()}",
                    None,
                    "FOUND NOWHERE: name the host",
                )
            below.choice("host", host)
            below.choice("tls", self.environments.issuer(environment))
            below.choice("approval", self.environments.approval(environment))
            below.choice("namespace", self.environments.namespace(environment))
            stores = (root.children or {}).get("datastores")
            for store in (stores.children or {}) if stores else ():
                if self.clustered and self.environments.is_external(environment, store):
                    below.put(store, "external", "no manifest runs it")
            patches = self.environments.patches(environment)
            if patches:
                below.put("patches", patches)
            self._overrides(node, environment)
        if not node.children:
            node.at(LOCAL)
            node.comments.append("no other environment was found; add one: `production: { host: app.example.com }`")

    def folder_host(self) -> str:
        """A host name that is clearly a stand-in."""
        return "app.example.com"

    def _overrides(self, node: Node, environment: str) -> None:
        for unit in self.units:
            path = (environment, "services", unit.name)
            for public, key in ((False, "env"), (True, "public_env")):
                for name, choice in self.variables[unit.name].overrides.get((environment, public), {}).items():
                    if name not in self.variables[unit.name].secrets:
                        remark = shown(choice.place) if choice.place else ""
                        node.at(*path, key).put(
                            name, _typed(choice.value), remark, [conflict(name, choice)] if choice.others else []
                        )
            if environment == LOCAL:
                continue
            shared = scaling.resources(self.repo, self.cluster, unit, "")
            for key, choice in scaling.resources(self.repo, self.cluster, unit, environment).items():
                if key not in shared or shared[key].value != choice.value:
                    node.at(*path, "resources").choice(key, choice)
            self.scales[unit.name].put_environment(node, path, environment)

    def _validated(self, root: Node) -> str:
        """The text of the tree, less whatever the settings refuse; each refusal becomes a comment."""
        for _ in range(_ROUNDS):
            text, lines = render(root)
            text = self._headed(text)
            try:
                parse_settings(text.encode("utf-8"), self.frameworks)
            except SettingsError as error:
                if not _mend(root, lines, error.lines[0], _HEAD.count("\n") + 1):
                    raise
                continue
            return text
        raise TrimtabError("the settings found do not fit together", "report it, with the repository if it is public")

    def _headed(self, text: str) -> str:
        return f"{_HEAD}\n{text}"


_HEAD = """# Proposed by `trimtab adopt` from the files of this repository: read it before you use it.
# Beside each value stands where it was found; above it, where files disagree, the other values. What the source does
# beats what files claim, the cluster beats the image, the image beats Compose, production beats other environments."""


def _typed(value: str) -> Any:
    """A value of a variable as people write it: whole numbers and truth values unquoted, which render alike."""
    if re.fullmatch(r"0|[1-9]\d{0,14}", value):
        return int(value)
    return {"true": True, "false": False}.get(value, value)


def _mend(root: Node, lines: Lines, line: str, offset: int) -> bool:
    """Take out what a problem speaks of; False when nothing could be taken out."""
    match = _PROBLEM.match(line)
    path = lines.get(int(match[1]) - offset) if match else None
    if match is None or path is None or path in (("version",), ("services",), ("environments",)):
        return False
    said = match[2]
    parent = root.at(*path[:-1])
    node = (parent.children or {})[path[-1]]
    if path in (("name",), ("registry",)):
        node.value = {"name": "platform", "registry": "registry.example.com/team"}[path[0]]
        node.remark = f"stands in for what was found: {brief(said)}"
        return True
    index = _INDEX.search(said.split(":")[0])
    holder = root.at(*path[:2]) if len(path) > 2 else root.at(*path[:1])
    if index and isinstance(node.value, list) and len(node.value) > 1 and int(index[1]) < len(node.value):
        del node.value[int(index[1])]
    elif len(path) > 1 and path[0] == "services" and path[-1] == "framework":
        root.remove(path[:2])
    elif not root.remove(path):
        return False
    holder.comments.append(f"left out: {said}")
    return True
