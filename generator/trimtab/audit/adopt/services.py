"""One service's part of the settings, each value where it belongs, each word beside the setting that it is about."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from trimtab.audit.adopt import database, scaling
from trimtab.audit.adopt.cluster import Cluster, located
from trimtab.audit.adopt.health import health, metrics
from trimtab.audit.adopt.model import Node, conflict, shown
from trimtab.audit.adopt.ports import Ports, listened
from trimtab.audit.adopt.routes import Routed
from trimtab.audit.adopt.served import Sources
from trimtab.audit.adopt.units import Unit
from trimtab.audit.adopt.variables import Variables
from trimtab.audit.facts import model as m
from trimtab.repo import Repo
from trimtab.settings.env_names import ALIASES

# Frameworks whose images, or who themselves, take these datastores' URLs without a word in the source.
_TAKEN = {
    "spring": {"postgres", "redis"},
    "aspnet": {"postgres", "redis"},
    "laravel": {"postgres", "redis"},
    "rails": {"postgres", "redis"},
}


@dataclass(slots=True)
class Described:
    """What the services are described from."""

    repo: Repo
    facts: m.Facts
    cluster: Cluster
    units: list[Unit]
    variables: dict[str, Variables]
    ports: Ports
    routed: Routed
    sources: Sources
    clustered: bool
    scales: dict[str, scaling.Scale] = field(default_factory=dict)

    def put(self, services: Node, unit: Unit) -> None:
        """Write one service."""
        variables = self.variables[unit.name]
        node = services.at(unit.name)
        node.comments += unit.comments
        node.choice("framework", unit.framework)
        node.choice("path", unit.path)
        for text in self.ports.comments.get(unit.name, ()):
            node.note("port", text)
        node.choice("port", self.ports.stated[unit.name])
        self._route(node, unit)
        self._health(node, unit)
        uses = self._uses(node, unit, variables)
        if "postgres" in uses:
            self._migrations(node, unit)
        self._variables(node, unit, variables)
        for key, choice in scaling.resources(self.repo, self.cluster, unit, "").items():
            node.at("resources").choice(key, choice)
        self.scales[unit.name] = scaling.Scale(self.cluster, unit)
        self.scales[unit.name].put_base(node)

    def _route(self, node: Node, unit: Unit) -> None:
        for text in self.routed.comments.get(unit.name, ()):
            node.note("route", text)
        if unit.name in self.routed.paths:
            paths = self.routed.paths[unit.name]
            node.put("route", list(paths), places(list(paths.values())))
        elif (
            unit.name not in self.routed.crowded
            and (self.routed.known or self.cluster.marked)
            and any(one.origin == "kubernetes" for one in unit.containers)
            and next(self.cluster.objects("Ingress", "Gateway", "HTTPRoute"), None) is not None
        ):
            node.put("route", False, "nothing routes here")

    def _health(self, node: Node, unit: Unit) -> None:
        live, ready, comment = health(unit, self.sources, self.facts.files)
        if comment:
            node.note("health", comment)
        if live is not None and ready is not None:
            below = node.at("health")
            below.choice("live", live)
            below.choice("ready", ready)
        told = bool(next(self.cluster.objects("ServiceMonitor", "PodMonitor"), None))
        said, choice = metrics(
            unit, self.sources, self._scraped(unit), told=told or (self.clustered and self.cluster.marked)
        )
        if said and choice is None:
            node.put("metrics", False, "no route for metrics was found")
        else:
            node.choice("metrics", choice)

    def _scraped(self, unit: Unit) -> list[tuple[str, m.Place]]:
        """The paths at which the cluster's monitoring asks a service for its metrics."""
        found = []
        for one in self.cluster.objects("ServiceMonitor", "PodMonitor"):
            labels = one.body.map("spec", "selector", "matchLabels")
            if one.name in unit.kube or any(str(value) in unit.kube for value in labels.values()):
                ends = one.body.map("spec").maps("endpoints") or one.body.map("spec").maps("podMetricsEndpoints")
                found += [
                    (str(end.text("path") or "/metrics"), located(one.place.path, end.line_of("path"))) for end in ends
                ]
        for one in self.cluster.objects("Deployment", "StatefulSet", "Rollout"):
            held = one.body.map("spec", "template", "metadata", "annotations")
            if one.name not in unit.kube or str(held.text("prometheus.io/scrape") or "") != "true":
                continue
            port = str(held.text("prometheus.io/port") or "")
            if port in ("", str(self.ports.numbers[unit.name])):
                key = "prometheus.io/path" if held.text("prometheus.io/path") else "prometheus.io/scrape"
                path = str(held.text("prometheus.io/path") or "/metrics")
                found.append((path, located(one.place.path, held.line_of(key))))
        return found

    def _uses(self, node: Node, unit: Unit, variables: Variables) -> dict[str, m.Place]:
        """What it connects to; and where its source does not read the variables that say where that is."""
        uses = {**variables.stores, **variables.calls}
        uses.pop(unit.name, None)
        reads = {ALIASES.get(one.name, one.name) for one in unit.service.reads}
        for store, name in (("postgres", "DATABASE_URL"), ("redis", "REDIS_URL")):
            given = store in _TAKEN.get(unit.framework.value, ())
            if store in uses and unit.service.package is not None and name not in reads and not given:
                node.note("uses", f"{store} reaches it as {name}, which no line of its source was seen to read")
        if uses:
            node.put("uses", list(uses), places(list(uses.values())))
        return uses

    def _migrations(self, node: Node, unit: Unit) -> None:
        others = [one for one in self.units if "postgres" in self.variables[one.name].stores and one is not unit]
        found = database.migrations(self.repo, self.facts, unit, not others)
        if unit.helpers:
            so_far = "migrated so far, by nothing that Trimtab can run"
            done = "done by `migrations` from now on" if found.tool else so_far
            found.comments.insert(0, f"migrations: {', '.join(unit.helpers)}: {done}")
        for text in found.comments:
            node.note("migrations", text)
        if found.tool is not None:
            below = node.at("migrations")
            below.choice("tool", found.tool)
            below.choice("path", found.path)
            if found.indexes:
                below.put("expect_indexes", found.indexes)

    def _variables(self, node: Node, unit: Unit, variables: Variables) -> None:
        prefix = str((unit.data.get("public") or {}).get("prefix") or "")
        for text in variables.said(prefix):
            node.note("env", text)
        for key, held in (("env", variables.env), ("public_env", variables.public)):
            for name, (choice, word) in held.items():
                remark = "; ".join(filter(None, [shown(choice.place) if choice.place else "", choice.why, word]))
                node.at(key).put(name, typed(choice.value), remark, [conflict(name, choice)] if choice.others else [])
        for read in listened(unit)[:1]:
            number = self.ports.numbers[unit.name]
            node.at("env").put(read.name, number, f"{shown(read.place)}; the port, which the source reads here")
        if variables.secrets:
            node.put("secrets", list(variables.secrets)).remarks = [shown(at) for at in variables.secrets.values()]


def typed(value: str) -> Any:
    """A value of a variable as people write it: whole numbers and truth values unquoted, which render alike."""
    if re.fullmatch(r"0|[1-9]\d{0,14}", value):
        return int(value)
    return {"true": True, "false": False}.get(value, value)


def places(found: list[m.Place]) -> str:
    """The first few places, for a remark."""
    more = f" and {len(found) - 3} more" if len(found) > 3 else ""
    return ", ".join(shown(place) for place in found[:3]) + more
