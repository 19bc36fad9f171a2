"""What one environment changes: the difference between the facts of the same objects without and with its values."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from trimtab.audit.facts import configmaps
from trimtab.audit.facts import model as m
from trimtab.audit.facts.draft import Draft


def _lists(draft: Draft) -> Iterator[tuple[str, list[Any]]]:
    for one in dataclasses.fields(draft):
        value = getattr(draft, one.name)
        if isinstance(value, list):
            yield one.name, value


def extend(draft: Draft, more: Draft) -> None:
    """Add all that is in `more` to `draft`."""
    for name, items in _lists(more):
        getattr(draft, name).extend(items)


def difference(base: Draft, made: Draft) -> Draft:
    """What `made` has that `base` has not; workloads that both have become patches with what differs."""
    found = Draft(made.repo)
    for name, items in _lists(made):
        if name in ("workloads", "objects"):
            continue
        known = {_shown(item) for item in getattr(base, name)}
        getattr(found, name).extend(item for item in items if _shown(item) not in known)
    names = {(item.kind, item.name) for item in base.objects}
    found.objects.extend(item for item in made.objects if (item.kind, item.name) not in names)
    before = {(item.kind, item.name): item for item in resolved(base.workloads, base.objects)}
    for workload in resolved(made.workloads, made.objects):
        own = before.get((workload.kind, workload.name))
        if own is None:
            found.workloads.append(workload)
            continue
        others = {one.name: one for one in own.containers}
        changed = [_changed(others.get(one.name), one) for one in workload.containers]
        kept = tuple(one for one in changed if one is not None)
        scalers = found.autoscalers if workload.replicas == own.replicas else made.autoscalers
        scaled = any(one.target and one.target[1] == workload.name and not one.off for one in scalers)
        if kept or (scaled and workload.replicas):
            replicas = workload.replicas if scaled else None
            found.workloads.append(dataclasses.replace(workload, patch=True, containers=kept, replicas=replicas))
    return found


def _shown(item: Any) -> str:
    """A fact without its environment, for comparison."""
    return repr(dataclasses.replace(item, environment="") if hasattr(item, "environment") else item)


def resolved(workloads: list[m.Workload], objects: list[m.KubeObject]) -> list[m.Workload]:
    """Workloads whose containers have the values that ConfigMaps and Secrets of their group give them."""
    held_by = configmaps.object_env(objects)
    return [
        dataclasses.replace(
            item, containers=tuple(configmaps.with_objects(one, item.group, held_by) for one in item.containers)
        )
        for item in workloads
    ]


def _changed(base: m.Container | None, made: m.Container) -> m.Container | None:
    """A container with only what is not the same in `base`; None where all is."""
    if base is None:
        return made
    values = {(item.name, item.value, item.source) for item in base.env}
    names = {item.name for item in base.env if item.value is None}
    ports = {(item.number, item.name) for item in base.ports}
    probes = {(item.kind, item.path, item.port, item.command) for item in base.probes}
    same_image = (made.image.text if made.image else "") == (base.image.text if base.image else "")
    found = dataclasses.replace(
        made,
        partial=True,
        image=None if same_image else made.image,
        ports=tuple(item for item in made.ports if (item.number, item.name) not in ports),
        env=tuple(
            item
            for item in made.env
            if (item.name, item.value, item.source) not in values and not (item.value is None and item.name in names)
        ),
        env_from=(),
        probes=tuple(item for item in made.probes if (item.kind, item.path, item.port, item.command) not in probes),
        command="" if made.command == base.command else made.command,
        command_place=None if made.command == base.command else made.command_place,
        limits=made.limits,
    )
    told = found.image or found.ports or found.env or found.probes or found.command
    return found if told else None
