"""The objects of a cluster, and the rules by which an API server changes them, as far as kubectl can tell."""

from __future__ import annotations

import copy
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]
NAMESPACELESS = {"Namespace", "ClusterRole", "ClusterRoleBinding", "ClusterIssuer", "ClusterSecretStore"}


@dataclass(frozen=True)
class Kind:
    """A resource of the API."""

    group: str
    version: str
    kind: str

    @property
    def plural(self) -> str:
        name = self.kind.lower()
        if name.endswith("y") and name[-2] not in "aeiou":
            return name[:-1] + "ies"
        return name + ("es" if name.endswith("s") else "s")

    @property
    def namespaced(self) -> bool:
        return self.kind not in NAMESPACELESS

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version


def kind_of(document: Object) -> Kind:
    group, _, version = document["apiVersion"].rpartition("/")
    return Kind(group, version, document["kind"])


class ApiError(Exception):
    """What the server answers instead of an object."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason}
        self.status["message"] = message
        self.code = code


@dataclass(frozen=True)
class Key:
    kind: Kind
    namespace: str
    name: str


class Store:
    """Objects by key, the order of their changes, and who wants to hear of them."""

    def __init__(self, kinds: Iterable[Kind]) -> None:
        self.kinds = set(kinds)
        self.objects: dict[Key, Object] = {}
        self.events: list[tuple[str, Key, Object]] = []
        self.changed = threading.Condition(threading.RLock())
        self.listeners: list[Callable[[Key, Object], None]] = []

    def get(self, key: Key) -> Object:
        with self.changed:
            if key not in self.objects:
                raise ApiError(404, "NotFound", f'{key.kind.plural} "{key.name}" not found')
            return copy.deepcopy(self.objects[key])

    def all(self, kind: Kind, namespace: str = "", labels: dict[str, str] | None = None) -> list[Object]:
        with self.changed:
            found = [o for k, o in self.objects.items() if k.kind == kind and namespace in ("", k.namespace)]
            return [copy.deepcopy(o) for o in found if (labels or {}).items() <= labels_of(o).items()]

    def of(self, name: str, namespace: str = "") -> list[Object]:
        """The objects of a kind, by its name alone."""
        return [o for kind in self.kinds if kind.kind == name for o in self.all(kind, namespace)]

    def create(self, key: Key, document: Object) -> Object:
        with self.changed:
            if key in self.objects:
                raise ApiError(409, "AlreadyExists", f'{key.kind.plural} "{key.name}" already exists')
            return self.apply(key, document)

    def apply(self, key: Key, document: Object) -> Object:
        """Server-side apply by the only manager: what is applied replaces what was, but for what controllers wrote."""
        with self.changed:
            old = self.objects.get(key, {})
            new = {**document, "metadata": {**old.get("metadata", {}), **document["metadata"]}}
            annotations = {
                **old.get("metadata", {}).get("annotations", {}),
                **document["metadata"].get("annotations", {}),
            }
            new["metadata"] |= {"annotations": annotations, "namespace": key.namespace, "name": key.name}
            if not key.kind.namespaced:
                del new["metadata"]["namespace"]
            if "status" in old:
                new["status"] = old["status"]
            if old and old.get("spec") == new.get("spec"):
                return self.put(key, new, tell=False)
            return self.put(key, new)

    def put(self, key: Key, new: Object, *, tell: bool = True) -> Object:
        """Write an object. A spec that differs is a new generation; controllers hear of it unless they wrote it."""
        with self.changed:
            old = self.objects.get(key, {})
            metadata = new["metadata"]
            metadata.setdefault("uid", str(uuid.uuid4()))
            metadata.setdefault("creationTimestamp", time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))
            generation = old.get("metadata", {}).get("generation", 0)
            metadata["generation"] = generation + (not old or old.get("spec") != new.get("spec"))
            metadata["resourceVersion"] = str(len(self.events) + 1)
            self.objects[key] = copy.deepcopy(new)
            self.events.append(("MODIFIED" if old else "ADDED", key, copy.deepcopy(new)))
            self.changed.notify_all()
        if tell:
            for listener in self.listeners:
                listener(key, copy.deepcopy(new))
        return copy.deepcopy(new)

    def set_status(self, key: Key, status: Object, annotations: dict[str, str] | None = None) -> None:
        with self.changed:
            if key in self.objects:
                new = copy.deepcopy(self.objects[key])
                new["status"] = status
                new["metadata"].setdefault("annotations", {}).update(annotations or {})
                self.put(key, new, tell=False)

    def patch(self, key: Key, operations: list[Object]) -> Object:
        """A JSON patch of whole members, which is what `kubectl rollout undo` sends."""
        with self.changed:
            new = self.get(key)
            for operation in operations:
                *parents, last = operation["path"].strip("/").split("/")
                target = new
                for parent in parents:
                    target = target[parent]
                target[last] = operation["value"]
            return self.put(key, new)

    def delete(self, key: Key) -> Object:
        with self.changed:
            old = self.get(key)
            del self.objects[key]
            self.events.append(("DELETED", key, old))
            self.changed.notify_all()
            return old

    def watch(self, kind: Kind, namespace: str, since: int, seconds: float) -> Iterator[tuple[str, Object]]:
        """Events after `since`, as they come, for so long."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            with self.changed:
                if since >= len(self.events):
                    self.changed.wait(min(left, 1))
                fresh = self.events[since:]
                since += len(fresh)
            for event, key, document in fresh:
                if key.kind == kind and namespace in ("", key.namespace):
                    yield event, document


def labels_of(document: Object) -> dict[str, str]:
    labels: dict[str, str] = document["metadata"].get("labels") or {}
    return labels
