"""Put services together from the files that mention them, by evidence: build context, Dockerfile, image,
name, directory.
"""

from __future__ import annotations

from collections import defaultdict

from trimtab.audit.facts import model as m
from trimtab.audit.facts.containerless import Containerless
from trimtab.audit.facts.grouped import Finisher, Group
from trimtab.audit.facts.products import datastore_of, is_third_party
from trimtab.audit.facts.servicenames import (
    BACK,
    FRONT,
    GENERIC,
    another_workload,
    common_words,
    tokens,
    unnumbered,
)
from trimtab.audit.facts.sourceroots import SourceRoots
from trimtab.audit.facts.text import directory_of


def match_services(facts: m.Facts) -> tuple[m.Service, ...]:
    """The services of a repository. `evidence` of each says why its parts were taken for one."""
    matcher = _Matcher(facts)
    # Base files first: what an override leaves out is then known, and a service has the name that its base
    # gives it.
    files = sorted(
        facts.compose,
        key=lambda file: (file.override, bool(file.environment), file.path.count("/"), file.path),
    )
    for file in files:
        for container in file.services:
            if container.build is not None:
                matcher.add_built(container)
    for file in files:
        for container in file.services:
            if container.build is None:
                matcher.add_compose(container)
    for workload in facts.workloads:
        for container in workload.containers:
            matcher.add_kubernetes(container)
    Containerless(facts, matcher.groups, matcher.packages, matcher.by_path).add()
    return Finisher(facts, matcher.groups, matcher.packages).services()


def _twins(one: m.Container, other: m.Container) -> bool:
    """Whether two containers of one file are copies of one service: `api-1` and `api-2`, of one build."""
    if one.build is None or other.build is None or one.name == other.name:
        return False
    built = (one.build.context, one.build.dockerfile, one.build.target)
    return (
        one.place.path == other.place.path
        and unnumbered(one.name) == unnumbered(other.name)
        and built == (other.build.context, other.build.dockerfile, other.build.target)
    )


def _beside(group: Group, container: m.Container) -> bool:
    """Whether a group has another container of the same file, so that this one is another service."""
    own = (container.name, container.workload)
    if container.workload and any(
        another_workload(one.workload, container.workload) for one in group.containers if not one.job
    ):
        return True
    return any(one.place.path == container.place.path and (one.name, one.workload) != own for one in group.containers)


class _Matcher:
    def __init__(self, facts: m.Facts) -> None:
        self.facts = facts
        self.groups: list[Group] = []
        self.by_word: dict[str, set[int]] = defaultdict(set)
        self.unseen: list[tuple[Group, m.Container]] = []
        self.indexed = 0
        self.packages: dict[str, list[m.Package]] = defaultdict(list)
        for package in facts.packages:
            self.packages[package.directory].append(package)
        self.by_path = {item.path: item for item in facts.dockerfiles}
        self.roots = SourceRoots(facts, self.packages, self.by_path)
        self.images = {  # of containers that patches name without their image
            (one.workload, one.name): one.image for one in facts.containers if one.image and one.origin == "kubernetes"
        }
        self.common = common_words(
            [item.name for item in facts.workloads if not item.name.startswith("tpl-")]
            + [one.image.base for one in facts.containers if one.image and one.origin == "kubernetes"]
        )
        self.pushed = {
            tag.split("@")[0].rsplit("/", 1)[-1].split(":")[0]: push
            for push in facts.pushes
            for tag in (*push.tags, *push.images)
            if push.context or push.dockerfile
        }

    def add_built(self, container: m.Container) -> None:
        assert container.build is not None  # noqa: S101 - the caller's condition
        root = self.roots.of_build(container.build, container.name)
        same_file = {
            id(group)
            for group in self.groups
            for one in group.containers
            if one.place.path == container.place.path and not _twins(one, container)
        }
        group = next(
            (
                one
                for one in self.groups
                if one.root == root
                and id(one) not in same_file
                and (
                    {container.name, unnumbered(container.name)} & one.names
                    or any(_twins(other, container) for other in one.containers)
                    or self._alone(one, root, container)
                )
            ),
            None,
        )
        if group is None:
            group = Group(container.name, root)
            self.groups.append(group)
        group.evidence.append(
            f"{container.place.path}:{container.place.line}: {container.name} builds {root or 'the root'}"
        )
        self._join(group, container)
        if container.build.dockerfile in self.by_path:
            group.dockerfiles[container.build.dockerfile] = self.by_path[container.build.dockerfile]

    def _alone(self, group: Group, root: str | None, container: m.Container) -> bool:
        """Whether one source directory stands for one service in both files, so that a different name is
        still the same one.
        """
        if root is None:
            return False
        here = [
            one
            for file in self.facts.compose
            if file.path == container.place.path
            for one in file.services
            if one.build is not None and self.roots.of_build(one.build, one.name) == root
        ]
        return len(here) == 1 and len(group.names) == 1 and sum(one.root == root for one in self.groups) == 1

    def _join(self, group: Group, container: m.Container) -> None:
        group.containers.append(container)
        self.unseen.append((group, container))
        if container.name not in GENERIC or not container.workload:
            group.names.add(container.name)
        if container.workload:
            group.names.add(container.workload)
        if container.image and container.image.base and not container.image.base.startswith("tpl-"):
            group.images.add(container.image.base)

    def add_compose(self, container: m.Container) -> None:
        product = datastore_of(container.image.repository) if container.image else ""
        near = directory_of(container.place.path)
        same = [
            one
            for one in self.groups
            if container.name in one.names and (not product or one.product == product or one.root is None)
        ]
        if container.partial or not product:
            close = [one for one in same if any(directory_of(other.place.path) == near for other in one.containers)]
            candidates = close or (same if len(same) == 1 else [])
            if len(candidates) == 1:
                candidates[0].evidence.append(
                    f"{container.place.path}:{container.place.line}: same name, {container.name}"
                )
                return self._join(candidates[0], container)
        if product:
            return self._datastore(container, product)
        if container.image and is_third_party(container.image.repository):
            group = next(
                (one for one in self.groups if one.product == container.image.base and container.name in one.names),
                None,
            )
            if group is None:
                group = Group(container.name, None, container.image.base)
                self.groups.append(group)
            return self._join(group, container)
        return self._loose(container)

    def _datastore(self, container: m.Container, product: str) -> None:
        named = [one for one in self.groups if one.product == product and container.name in one.names]
        alone = [one for one in self.groups if one.product == product]
        here = sum(
            1
            for one in self.facts.containers
            if one.place.path == container.place.path and one.image and datastore_of(one.image.repository) == product
        )
        group = named[0] if named else (alone[0] if len(alone) == 1 and here == 1 else None)
        if group is None:
            group = Group(container.name, None, product)
            self.groups.append(group)
        group.evidence.append(
            f"{container.place.path}:{container.place.line}: image {container.image.text if container.image else ''}"
        )
        self._join(group, container)

    def add_kubernetes(self, container: m.Container) -> None:
        if container.init:
            return None
        image = container.image or self.images.get((container.workload, container.name))
        product = datastore_of(image.repository) if image else ""
        if product:
            return self._datastore(container, product)
        if image and is_third_party(image.repository):
            return None
        return self._loose(container)

    def _loose(self, container: m.Container) -> None:
        """A container that names no build here: matched by image or name, else a service of its own."""
        near = self._near(container)
        free = [(index, self.groups[index]) for index in near if not _beside(self.groups[index], container)]
        scored = sorted(((self._score(one, container), index) for index, one in free), reverse=True)
        if scored and scored[0][0] > 0 and (len(scored) == 1 or scored[1][0] < scored[0][0]):
            group = self.groups[scored[0][1]]
            group.evidence.append(
                f"{container.place.path}:{container.place.line}: {container.workload or container.name} by image or name"  # noqa: E501
            )
            return self._join(group, container)
        base = container.image.base if container.image else ""
        push = self.pushed.get(base)
        root = None
        if push is not None:
            root = self.roots.of_build(m.Build(push.context, push.dockerfile, push.place), base)
        for name in (base, container.workload, container.name):
            if root is None and name and name not in GENERIC:
                root = self.roots.named(name)
        held = next((one for one in self.groups if root is not None and one.root == root and not one.product), None)
        if held is not None and container.job:
            return self._join(held, container)
        group = Group(container.workload or container.name, root)
        group.evidence.append(f"{container.place.path}:{container.place.line}: {container.workload or container.name}")
        if push is not None and push.dockerfile in self.by_path:
            group.dockerfiles[push.dockerfile] = self.by_path[push.dockerfile]
        self.groups.append(group)
        return self._join(group, container)

    def _near(self, container: m.Container) -> list[int]:
        """The groups that have a word in common with a container: only they can score."""
        positions = {id(group): index for index, group in enumerate(self.groups)} if self.unseen else {}
        for group, one in self.unseen:
            image = one.image.base if one.image else ""
            for word in tokens(one.name) | tokens(one.workload) | tokens(image):
                self.by_word[word].add(positions[id(group)])
        self.unseen.clear()
        while self.indexed < len(self.groups):
            group = self.groups[self.indexed]
            named = frozenset().union(*(tokens(name) for name in self._package_names(group)))
            for word in named | tokens(group.name) | tokens((group.root or "").rsplit("/", 1)[-1]):
                self.by_word[word].add(self.indexed)
            self.indexed += 1
        base = container.image.base if container.image else ""
        words = tokens(container.name) | tokens(container.workload) | tokens(base)
        words = (words - GENERIC - self.common) or words
        found = {index for word in words for index in self.by_word[word]}
        return sorted(index for index in found if not self.groups[index].product)

    def _package_names(self, group: Group) -> set[str]:
        """What the manifests in the service's directory call it, without the scope."""
        found = self.packages.get(group.root, []) if group.root is not None else []
        return {package.name.rsplit("/", 1)[-1].lower() for package in found if package.name} - GENERIC

    def _score(self, group: Group, container: m.Container) -> int:
        base = container.image.base if container.image else ""
        mine = {container.name, container.workload, base} - {""}
        if container.workload:
            mine -= GENERIC
        if base and base in group.images and len([one for one in self.groups if base in one.images]) == 1:
            return 5
        if mine & group.names:
            return 4 if container.name in group.names else 3
        if (group.root and group.root.rsplit("/", 1)[-1] in mine) or mine & self._package_names(group):
            return 3
        wanted = frozenset().union(*(tokens(name) for name in group.names)) - GENERIC
        if group.root:
            wanted |= tokens(group.root.rsplit("/", 1)[-1]) - GENERIC
        offered = frozenset().union(*(tokens(name) for name in mine)) - GENERIC
        roles_wanted, roles_offered = wanted & (FRONT | BACK), offered & (FRONT | BACK)
        if roles_wanted and roles_offered:
            return 2 if roles_wanted & roles_offered else 0
        return 1 if wanted and offered and wanted - self.common == offered - self.common != frozenset() else 0
