"""Facts to a proposed settings file: units, then each section, then the text, validated until nothing is wrong."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from trimtab.audit.adopt import database, foreign, naming, ports, routes
from trimtab.audit.adopt.addresses import Addresses
from trimtab.audit.adopt.cluster import Cluster
from trimtab.audit.adopt.delivery import put_delivery
from trimtab.audit.adopt.environments import put_environments
from trimtab.audit.adopt.gathering import Gatherer
from trimtab.audit.adopt.joining import is_helper
from trimtab.audit.adopt.model import Node, brief
from trimtab.audit.adopt.platform import Environments
from trimtab.audit.adopt.served import Sources
from trimtab.audit.adopt.services import Described
from trimtab.audit.adopt.stacks import sources_of
from trimtab.audit.adopt.superseded import superseded
from trimtab.audit.adopt.units import find_units
from trimtab.audit.adopt.variables import Reader
from trimtab.audit.adopt.write import Lines, render
from trimtab.audit.facts.collect import collect
from trimtab.errors import TrimtabError
from trimtab.frameworks import Frameworks
from trimtab.repo import Repo
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
    return _Proposer(repo, frameworks, folder, naming.Origin(root)).run()


class _Proposer:
    def __init__(self, repo: Repo, frameworks: Frameworks, folder: str, origin: naming.Origin) -> None:
        self.repo = repo
        self.frameworks = frameworks
        self.facts = collect(repo)
        self.cluster = Cluster(repo, self.facts)
        self.folder = folder
        self.origin = origin
        self.left_out: list[str] = []

    def run(self) -> Proposal:
        found = find_units(self.facts, self.frameworks, sources_of(self.repo, self.facts), self.folder)
        self.units = found.items
        self.all = found.services
        self.left_out = [*found.left_out, *foreign.datastores(self.facts)]
        if not self.cluster.marked:
            self.left_out += foreign.published(self.facts, {one.service.name for one in self.units}, found.published)
            self.left_out += foreign.orphans(self.facts, found.services)
        if not self.units:
            unread = [f"{one.path} could not be read: {one.reason}" for one in self.repo.unread]
            reasons = "; ".join([*self.left_out, *unread][:3])
            raise NothingFoundError(
                f"no service was found that can be adopted{': ' + reasons if reasons else ''}",
                "`trimtab frameworks` lists what Trimtab knows; `trimtab init` starts from a few questions",
            )
        text = self._validated(self._tree())
        return Proposal(
            text,
            tuple(self.left_out),
            tuple(f"{one.path}: {one.reason}" for one in self.repo.unread),
            tuple(superseded(self.facts, self.cluster, self.units, self._kept())),
        )

    def _kept(self) -> set[str]:
        """The names of what Compose runs and nothing generated takes the place of."""
        given = (*foreign.STORES, *foreign.PROXIES)
        names = {one.name for unit in self.units for one in unit.service.containers}
        names |= {one.name for held in self.all if foreign.store_of(held.role) in given for one in held.containers}
        return {
            one.name
            for service in self.all
            if not is_helper(service, self.all)
            for one in service.containers
            if one.origin == "compose" and one.name not in names
        }

    def _described(self, hosts: dict[str, str]) -> Described:
        """Everything that the services are described from."""
        env_files = tuple(one for one in self.facts.env_files if not one.directory) if len(self.units) == 1 else ()
        gatherer = Gatherer(self.facts, self.cluster, self.units)
        config = {unit.name: gatherer.config(unit) for unit in self.units}
        stores = set(hosts.values()) & set(foreign.STORES)
        numbers = ports.ports(self.units, env_files, config, stores)
        gone = {one.name for one in self.facts.containers if one.origin == "compose"}
        gone |= {one.name for one in self.facts.kube_services}
        addresses = Addresses(hosts, numbers.numbers, frozenset(gone - set(hosts) - {""}))
        reader = Reader(self.facts, self.cluster, self.units, addresses, gatherer)
        return Described(
            self.repo,
            self.facts,
            self.cluster,
            self.units,
            {unit.name: reader.read(unit) for unit in self.units},
            numbers,
            routes.routes(self.repo, self.facts, self.cluster, self.units, hosts),
            Sources(self.repo),
            any(one.origin == "kubernetes" for unit in self.units for one in unit.containers),
        )

    def _hosts(self) -> dict[str, str]:
        """Every name on the network, and the service or datastore that it leads to."""
        found: dict[str, str] = {}
        for service in self.facts.services:
            store = foreign.store_of(service.role)
            if store in foreign.STORES:
                for one in service.containers:
                    if not one.job:
                        found.update({name: store for name in (one.name, one.workload, *one.aliases) if name})
        for unit in self.units:
            for one in unit.containers:
                names = (one.workload, *one.aliases) if one.origin == "kubernetes" else one.names
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
        name = naming.name(self.repo, self.facts, self.cluster, self.folder, self.origin)
        root.choice("name", name)
        root.choice("registry", naming.registry(self.facts, self.units, self.origin))
        hosts = self._hosts()
        given = self._described(hosts)
        services = root.at("services")
        for text in self.left_out:
            services.comments.append(f"LEFT OUT: {text}")
        for unit in self.units:
            given.put(services, unit)
        self._datastores(root, given)
        put_delivery(root, self.repo, self.facts, self.cluster, self.origin)
        environments = Environments(self.repo, self.facts, self.cluster, str(name.value), given.units, hosts)
        put_environments(root, given, environments)
        return root

    def _datastores(self, root: Node, given: Described) -> None:
        roles = [foreign.store_of(service.role) for service in self.facts.services]
        declared = [role for role in roles if role in foreign.STORES]
        used = [store for one in given.variables.values() for store in one.stores]
        for store in dict.fromkeys([*declared, *used]):
            node = root.at("datastores", store)
            choice, notes = database.version(self.facts, store)
            node.choice("version", choice)
            node.comments += notes
            node.choice("storage", database.storage(self.cluster, self.facts, store))
            for key, one in database.resources(self.repo, self.cluster, self.facts, store).items():
                node.at("resources").choice(key, one)

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
        del node.remarks[int(index[1]) : int(index[1]) + 1]
    elif len(path) > 1 and path[0] == "services" and path[-1] == "framework":
        root.remove(path[:2])
    elif not root.remove(path):
        return False
    holder.comments.append(f"left out: {said}")
    return True
