"""Values in a cluster: what a container's variable holds by way of a ConfigMap or Secret, and which Service leads to
it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from trimtab.audit.facts.configured import decoded
from trimtab.audit.facts.model import Container, EnvVar, Facts, KubeObject, Place, Workload
from trimtab.yamlpos import Scalar


class Held(NamedTuple):
    """A value and where it stands."""

    text: str
    place: Place


def values_of(item: KubeObject) -> Iterator[tuple[str, Held]]:
    """The keys of a ConfigMap or Secret with their plain values."""
    for part in ("data", "stringData"):
        values = item.body.map(part)
        for key, value in values.items():
            if isinstance(value, Scalar):
                encoded = item.kind == "Secret" and part == "data"
                line = values.line_of(key)
                place = Place(getattr(line, "path", item.place.path), int(line))
                yield key, Held(decoded(value) if encoded else str(value), place)


def held_by(facts: Facts, variable: EnvVar, group: str) -> list[Held]:
    """What a variable holds: its own value, or those that the objects of its group give the key it names."""
    if variable.value is not None:
        return [Held(variable.value, variable.place)]
    if variable.source is None:
        return []
    kind, name, key = variable.source
    index = facts.once("values of objects", lambda: _index(facts))
    return index.get((kind, name, key, group), [])


def _index(facts: Facts) -> dict[tuple[str, str, str, str], list[Held]]:
    found: dict[tuple[str, str, str, str], list[Held]] = {}
    for item in facts.objects:
        if item.kind in ("ConfigMap", "Secret"):
            for key, held in values_of(item):
                found.setdefault((item.kind, item.name, key, item.group), []).append(held)
    return found


def taken_whole(facts: Facts, container: Container, group: str) -> Iterator[tuple[str, Held]]:
    """The variables that a container takes with `envFrom`, by name."""
    for item in facts.objects:
        if (item.kind, item.name) in container.env_from and item.group == group:
            yield from values_of(item)


def names_of(facts: Facts, workload: Workload) -> set[str]:
    """The hosts under which a workload's pods are reached: its Services."""
    return {
        one.name
        for one in facts.kube_services
        if one.group == workload.group
        and one.selector
        and all(workload.pod_labels.get(key) == value for key, value in one.selector.items())
    }
