"""Kustomizations: what they apply, what they change in it, and what they mean to change and do not apply.

An overlay's changes are made on copies of the objects that it applies; what then differs is kept as a patch of that
overlay's environment. Strategic merge patches in files of their own are read as manifests, and not here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from trimtab.audit.facts import helm, kubernetes
from trimtab.audit.facts import model as m
from trimtab.audit.facts.draft import Draft
from trimtab.audit.facts.naming import environment_of
from trimtab.audit.facts.patches import Line, applied, copied, marked
from trimtab.audit.facts.text import directory_of, join, parse_image
from trimtab.audit.facts.variants import difference, extend
from trimtab.yamlpos import Document, Map, Scalar, Seq, Value, load_all

_NO_DOCUMENT = Document(None, 0, 0)
_KEEP_NAMES = frozenset({"Namespace", "CustomResourceDefinition", "APIService"})  # as kustomize does
_REMOTE = re.compile(r"://|^git@|\?ref=|^github\.com")
MAX_DEPTH = 20


@dataclass(slots=True)
class _Applied:
    """What a kustomization applies: objects, and whether all of it is in the repository."""

    objects: list[m.KubeObject] = field(default_factory=list)
    whole: bool = True
    affixes: set[str] = field(default_factory=set)
    called: list[str] = field(default_factory=list)  # what each of the objects is called in the end


class Kustomizations:
    """Every kustomization of a draft, with the objects of its manifests."""

    def __init__(self, draft: Draft, groups: dict[str, str]) -> None:
        """Take the draft, whose manifests are read, and the group of each kustomization's path."""
        self.draft = draft
        self.groups = groups
        self.bodies = {directory_of(path): (path, body) for path, body in draft.kustomizations}
        self.by_path: dict[str, list[m.KubeObject]] = {}
        for item in draft.objects:
            if item.kind != "Kustomization":
                self.by_path.setdefault(item.place.path, []).append(item)
        self.files = {item.path: item for item in draft.env_files}

    def read(self) -> None:
        """Add what the generators make, what each overlay changes, and what it refers to."""
        made = [self.overlay(directory) for directory in sorted(self.bodies)]
        for changes in made:
            extend(self.draft, changes)

    def overlay(self, directory: str) -> Draft:
        """What one kustomization changes in what it applies."""
        path, body = self.bodies[directory]
        found = self.applied(directory, 0)
        self._targets(path, body, found)
        changed = [self._changed(path, body, item, found) for item in found.objects]
        changed += [item for item in self._generated(directory) if not _same_object(item, found.objects)]
        if not any(one is not other for one, other in zip(changed, found.objects, strict=False)) and len(
            changed
        ) == len(found.objects):
            return Draft(self.draft.repo)
        environment = environment_of(directory)
        before = self._read(found.objects, self.groups[path], "")
        after = self._read(changed, self.groups[path], environment)
        result = difference(before, after)
        result.objects = []
        return result

    def _read(self, objects: list[m.KubeObject], group: str, environment: str) -> Draft:
        scratch = Draft(self.draft.repo)
        for item in objects:
            reader = kubernetes.KubernetesReader(scratch, item.place.path, group, chart=True)
            reader.environment = environment
            reader.read(item.body, _NO_DOCUMENT)
        return scratch

    def applied(self, directory: str, depth: int) -> _Applied:
        """The objects of a kustomization's resources, with what the kustomizations below make of them."""
        path, body = self.bodies[directory]
        found = _Applied(affixes={str(body.text(key)) for key in ("namePrefix", "nameSuffix") if body.text(key)})
        found.whole = not any(body.get(key) for key in ("helmCharts", "generators", "helmChartInflationGenerator"))
        for key in ("resources", "bases", "components"):
            for written in body.seq(key).texts():
                self._resource(directory, str(written), found, depth)
        prefix, suffix = str(body.text("namePrefix") or ""), str(body.text("nameSuffix") or "")
        made = [one for one in self._generated(directory) if not _same_object(one, found.objects)]
        found.objects += made
        found.called = [
            name if item.kind in _KEEP_NAMES else f"{prefix}{name}{suffix}"
            for item, name in zip(found.objects, [*found.called, *(one.name for one in made)], strict=True)
        ]
        if depth:
            found.objects = [self._changed(path, body, item, found) for item in found.objects]
        else:
            self._note_names(path, body, found)
            del found.objects[len(found.objects) - len(made) :]
        return found

    def _note_names(self, path: str, body: Map, found: _Applied) -> None:
        """Note the names that objects have where the kustomization is applied, if others than their manifests write."""
        key = "nameSuffix" if body.text("nameSuffix") and not body.text("namePrefix") else "namePrefix"
        by = m.Place(path, body.line_of(key))
        for item, name in zip(found.objects, found.called, strict=True):
            if name != item.name:
                namespace = str(body.text("namespace") or item.namespace)
                self.draft.renamed.append(m.Renamed(item.kind, name, item.name, item.place, by, namespace))

    def _resource(self, directory: str, written: str, found: _Applied, depth: int) -> None:
        path = None if _REMOTE.search(written) else join(directory, written)
        if path is not None and path in self.bodies and depth < MAX_DEPTH and path != directory:
            below = self.applied(path, depth + 1)
            found.objects += below.objects
            found.whole &= below.whole
            found.affixes |= below.affixes
            found.called += below.called
        elif path is not None and path in self.by_path:
            own = [item for item in self.by_path[path] if not item.patch or item.kind == "Service"]
            found.objects += own
            found.called += [item.name for item in own]
        else:
            found.whole = False

    def _generated(self, directory: str) -> list[m.KubeObject]:
        path, body = self.bodies[directory]
        return [
            m.KubeObject(kind, name, "", m.Place(path, made.line), "", {}, _object(kind, name, made), self.groups[path])
            for kind, name, made in helm.generated(body, directory, self.files)
        ]

    def _changed(self, path: str, body: Map, item: m.KubeObject, found: _Applied) -> m.KubeObject:
        """An object as a kustomization leaves it: itself where nothing is changed."""
        changed: Map | None = None
        for target, text, where, line in _patches(self.draft, path, body):
            if text is not None and _meant(target, item, found.affixes):
                for operation in _operations(text, where, line):
                    changed = changed if changed is not None else copied(item.body)
                    applied(changed, operation)
        for entry in body.maps("images"):
            if entry.text("newName") and _has_image(item.body, str(entry.text("name"))):
                changed = changed if changed is not None else copied(item.body)
                _renamed(changed, entry, path)
        for key, data in self._laid(path, body, item, found.affixes):
            changed = changed if changed is not None else copied(item.body)
            _lay(changed, key, data, path)
        if changed is None:
            return item
        return m.KubeObject(
            item.kind, item.name, item.namespace, item.place, item.environment, item.labels, changed, item.group
        )

    def _laid(self, path: str, body: Map, item: m.KubeObject, affixes: set[str]) -> Iterator[tuple[str, Map]]:
        """What `replicas` and generators lay upon the parts of an object."""
        yield from (("spec", count) for count in _counts(body, item, affixes))
        for one in self._generated(directory_of(path)):
            if (one.kind, one.name) == (item.kind, item.name) and one.body is not item.body:
                yield from ((key, one.body.map(key)) for key in ("data", "stringData"))

    def _targets(self, path: str, body: Map, found: _Applied) -> None:
        """Note what the kustomization means to change and whether it applies that."""
        if not found.whole or not found.objects or body.text("kind") == "Component":
            return  # a component is for what others apply
        for entry in body.maps("images"):
            if entry.text("name"):
                name = str(entry.text("name"))
                hit = any(_has_image(item.body, name) for item in found.objects)
                images = [
                    (m.Place(item.place.path, int(line)), text)
                    for item in found.objects
                    for text, line in _images(item.body)
                ]
                self._target("images", name, m.Place(path, entry.line_of("name")), images, found=hit)
        for entry in body.maps("replicas"):
            if entry.text("name"):
                name = str(entry.text("name"))
                workloads = [item for item in found.objects if item.kind in kubernetes.WORKLOADS]
                hit = any(_named(name, item.name, found.affixes) for item in workloads)
                near = [(item.place, f"{item.kind} {item.name}") for item in workloads]
                self._target("replicas", name, m.Place(path, entry.line_of("name")), near, found=hit)
        self._merged(path, body, found)
        patchable = [*found.objects, *self._generated(directory_of(path))]
        for target, _, where, line in _patches(self.draft, path, body):
            kind, name = str(target.text("kind") or ""), str(target.text("name") or "")
            if target and (kind or name):
                hit = any(_meant(target, item, found.affixes) for item in patchable)
                near = [(item.place, f"{item.kind} {item.name}") for item in patchable if item.kind == kind]
                told = f"{kind} {name}".strip()
                at = target.line_of("name" if name else "kind")
                place = m.Place(getattr(at, "path", where), int(at or line))
                self._target("patches", told, place, near, found=hit)

    def _merged(self, path: str, body: Map, found: _Applied) -> None:
        """Note the ConfigMaps and Secrets that generators are to merge into."""
        for key, kind in (("configMapGenerator", "ConfigMap"), ("secretGenerator", "Secret")):
            below = [item for item in found.objects if item.kind == kind]
            near = [(item.place, f"{kind} {item.name}") for item in below]
            for entry in body.maps(key):
                name = str(entry.text("name") or "")
                if name and entry.text("behavior") in ("merge", "replace"):
                    hit = any(_named(re.escape(name), item.name, found.affixes) for item in below)
                    self._target(key, f"{kind} {name}", m.Place(path, entry.line_of("name")), near, found=hit)

    def _target(self, what: str, name: str, place: m.Place, near: list[tuple[m.Place, str]], *, found: bool) -> None:
        self.draft.kustomize_targets.append(m.KustomizeTarget(what, name, place, tuple(near[:60]), found))


def _patches(draft: Draft, path: str, body: Map) -> Iterator[tuple[Map, str | None, str, int]]:
    """(target, JSON patch or None, file, line before its first) of each patch; a strategic merge patch is its own
    target.
    """
    directory = directory_of(path)
    entries = [*body.maps("patches"), *body.maps("patchesJson6902")]
    for entry in entries:
        target, inline, named = entry.map("target"), entry.text("patch"), entry.text("path")
        where = (join(directory, str(named)) or "") if named else path
        text = draft.repo.read(where) if named and where else inline
        line = 0 if named else inline.line if inline else 0
        if text is None:
            continue
        objects = [one for one, _ in load_all("\n" * line + str(text)).maps()]
        if not objects:
            yield _located(target, path), str(text), where, line
        elif target:
            yield _located(target, path), None, path, line
        else:
            yield from ((_identity(one), None, where, line) for one in objects)
    for written in body.seq("patchesStrategicMerge").texts():
        inlined = "\n" in written
        where = path if inlined else join(directory, str(written)) or ""
        text = str(written) if inlined else draft.repo.read(where) if where else None
        line = written.line if inlined else 0
        for one, _ in load_all("\n" * line + (text or "")).maps():
            yield _identity(one), None, where, line


def _located(target: Map, path: str) -> Map:
    marked_target = copied(target)
    marked_target.key_lines = {key: Line.of(line, path) for key, line in target.key_lines.items()}
    return marked_target


def _identity(body: Map) -> Map:
    """Kind and name of an object as the target of a patch."""
    metadata = body.map("metadata")
    found = Map(body.line)
    for key, value, line in (
        ("kind", body.text("kind"), body.line_of("kind")),
        ("name", metadata.text("name"), metadata.line_of("name")),
    ):
        if value is not None:
            found[key] = value
            found.key_lines[key] = line
    return found


def _operations(text: str, path: str, line: int) -> Iterator[Map]:
    """The operations of a JSON patch, with the file's lines."""
    for document in load_all("\n" * line + text).items:
        value = document.value
        if isinstance(value, Seq):
            for one in value:
                if isinstance(one, Map):
                    marked(one, path)
                    yield one


def _meant(target: Map, item: m.KubeObject, affixes: set[str]) -> bool:
    """Whether a patch is for an object. Names are patterns, as kustomize reads them."""
    kind, name = target.text("kind"), target.text("name")
    if kind and not _matches(str(kind), item.kind):
        return False
    if name and not _named(str(name), item.name, affixes):
        return False
    return bool(kind or name or target.text("labelSelector") or target.text("annotationSelector"))


def _matches(pattern: str, text: str) -> bool:
    try:
        return pattern == text or (len(pattern) < 200 and re.fullmatch(pattern, text[:300]) is not None)
    except re.error:
        return False


def _named(pattern: str, name: str, affixes: set[str]) -> bool:
    names = {name, *(affix + name for affix in affixes), *(name + affix for affix in affixes)}
    return any(_matches(pattern, one) for one in names)


def _images(value: Value) -> Iterator[tuple[str, int]]:
    """Every image in an object, with its line."""
    if isinstance(value, Map):
        image = value.text("image")
        if image is not None:
            yield str(image), value.line_of("image")
        for one in value.values():
            yield from _images(one)
    elif isinstance(value, Seq):
        for one in value:
            yield from _images(one)


def _has_image(body: Map, name: str) -> bool:
    here = m.Place("", 0)
    return any(parse_image(text, here).repository == name or text == name for text, _ in _images(body))


def _rename(value: Value, name: str, image: str, line: Line) -> None:
    if isinstance(value, Map):
        written = value.text("image")
        if written is not None and parse_image(written, m.Place("", 0)).repository == name:
            value["image"] = Scalar.at(image, line)
            value.key_lines["image"] = line
        for one in value.values():
            _rename(one, name, image, line)
    elif isinstance(value, Seq):
        for one in value:
            _rename(one, name, image, line)


def _lay(body: Map, key: str, data: Map, path: str) -> None:
    """Lay the entries of a generator upon those of a ConfigMap or a Secret."""
    if not data:
        return
    own = body.get(key)
    if not isinstance(own, Map):
        own = Map(data.line)
        body[key] = own
    for name, value in data.items():
        own[name] = value
        own.key_lines[name] = Line.of(data.line_of(name), path)


def _renamed(body: Map, entry: Map, path: str) -> None:
    tag = f":{entry.text('newTag')}" if entry.text("newTag") else ""
    image = f"{entry.text('newName')}{tag}"
    _rename(body, str(entry.text("name")), image, Line.of(entry.line_of("newName"), path))


def _counts(body: Map, item: m.KubeObject, affixes: set[str]) -> Iterator[Map]:
    """The `spec` of each count of replicas that a kustomization gives a workload."""
    for entry in body.maps("replicas") if item.kind in kubernetes.WORKLOADS else ():
        if _named(str(entry.text("name")), item.name, affixes):
            found = Map(entry.line)
            found["replicas"] = entry.get("count")
            found.key_lines["replicas"] = entry.line_of("count")
            yield found


def _object(kind: str, name: str, made: Map) -> Map:
    body = Map(made.line)
    metadata = Map(made.line)
    metadata["name"] = Scalar.at(name, made.line)
    body.update(made)
    body["apiVersion"], body["kind"], body["metadata"] = (
        Scalar.at("v1", made.line),
        Scalar.at(kind, made.line),
        metadata,
    )
    return body


def _same_object(item: m.KubeObject, objects: list[m.KubeObject]) -> bool:
    return any((item.kind, item.name) == (one.kind, one.name) for one in objects)
