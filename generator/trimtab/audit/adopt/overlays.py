"""What the overlays of kustomize make of the manifests that they apply: patches, numbers of replicas, names."""

from __future__ import annotations

from collections import defaultdict
from functools import cached_property

from trimtab.audit.facts import model as m
from trimtab.audit.facts.draft import Draft
from trimtab.audit.facts.kustomize import Kustomizations
from trimtab.audit.facts.text import directory_of, to_port
from trimtab.repo import Repo
from trimtab.yamlpos import Map, load_all

MAX_KUSTOMIZATIONS = 200


class Overlays:
    """The kustomizations of a repository."""

    def __init__(self, repo: Repo, facts: m.Facts) -> None:
        """Take the files and the facts."""
        self.repo = repo
        self.facts = facts

    @cached_property
    def bodies(self) -> dict[str, tuple[str, Map]]:
        """Each kustomization by its directory: its path, and its one document."""
        found: dict[str, tuple[str, Map]] = {}
        for path in self.repo.files:
            if path.rsplit("/", 1)[-1] in ("kustomization.yaml", "kustomization.yml"):
                for body, _ in load_all(self.repo.read(path) or "").maps():
                    found.setdefault(directory_of(path), (path, body))
        return dict(list(found.items())[:MAX_KUSTOMIZATIONS])

    @cached_property
    def _reader(self) -> Kustomizations:
        draft = Draft(self.repo)
        draft.objects = list(self.facts.objects)
        draft.env_files = list(self.facts.env_files)
        draft.kustomizations = list(self.bodies.values())
        return Kustomizations(draft, defaultdict(str))

    def applied(self, directory: str) -> list[m.KubeObject]:
        """The objects that one kustomization applies."""
        if directory not in self._applied:
            self._applied[directory] = self._reader.applied(directory, 1).objects
        return self._applied[directory]

    @cached_property
    def _applied(self) -> dict[str, list[m.KubeObject]]:
        return {}

    def changed(self, directory: str) -> list[m.KubeObject]:
        """The objects that one kustomization applies otherwise than their files have them. Lines keep their files."""
        own = {id(one.body) for one in self.facts.objects}
        return [
            one
            for one in self.applied(directory)
            if id(one.body) not in own and one.kind not in ("ConfigMap", "Secret")
        ]

    def inline(self, directory: str) -> list[m.KubeObject]:
        """The patches that a kustomization holds itself, as manifests with what they change alone."""
        path, body = self.bodies[directory]
        texts = [text for text in body.seq("patchesStrategicMerge").texts() if "\n" in text]
        texts += [text for entry in body.maps("patches") if (text := entry.text("patch")) is not None]
        found = []
        for text in texts:
            for one, _ in load_all("\n" * text.line + str(text)).maps():
                kind, name = str(one.text("kind") or ""), str(one.map("metadata").text("name") or "")
                if kind and name and "$patch" not in one:
                    place = m.Place(path, one.line)
                    found.append(m.KubeObject(kind, name, "", place, "", {}, one, "", patch=True))
        return found

    def replicas(self, directory: str) -> dict[str, tuple[int, m.Place]]:
        """The numbers of replicas that a kustomization sets, by the workload's name."""
        path, body = self.bodies[directory]
        found = {}
        for entry in body.maps("replicas"):
            number = to_port(entry.text("count") or "")
            if number and number <= 1000:
                found[str(entry.text("name"))] = (number, m.Place(path, entry.line_of("count")))
        return found

    @cached_property
    def affixes(self) -> tuple[tuple[str, str], ...]:
        """The beginnings and ends that kustomizations add to names."""
        bodies = [body for _, body in self.bodies.values()]
        found = {(str(body.text("namePrefix") or ""), str(body.text("nameSuffix") or "")) for body in bodies}
        return tuple(sorted(found - {("", "")}))

    def plain(self, name: str, known: set[str]) -> str:
        """A name as the manifests have it, where a kustomization adds to names."""
        if name in known:
            return name
        for prefix, suffix in self.affixes:
            short = name.removeprefix(prefix).removesuffix(suffix)
            if short in known:
                return short
        return name
