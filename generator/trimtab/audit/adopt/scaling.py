"""Resources, replicas and autoscaling of one service in one environment."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Any

from trimtab.audit.adopt.cluster import Cluster, located
from trimtab.audit.adopt.model import CLUSTER, COMPOSE, Choice, Node, Seen, choose, rank, shown
from trimtab.audit.adopt.units import Unit
from trimtab.audit.facts import model as m
from trimtab.audit.facts.text import to_port
from trimtab.repo import Repo
from trimtab.settings.schema import CPU, MEMORY, METRIC, QUANTITY
from trimtab.yamlpos import Map, load_all

_WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "Rollout")
_BYTES = {
    "": 1,
    "b": 1,
    "k": 10**3,
    "kb": 2**10,
    "m": 10**6,
    "mb": 2**20,
    "g": 10**9,
    "gb": 2**30,
    "ki": 2**10,
    "mi": 2**20,
    "gi": 2**30,
    "ti": 2**40,
    "t": 10**12,
}


def resources(repo: Repo, cluster: Cluster, unit: Unit, environment: str) -> dict[str, Choice]:
    """CPU and memory by the manifests of one environment; for what all share, by Compose too where no manifest says."""
    found: dict[str, list[Seen]] = {"cpu": [], "memory": []}
    for one in cluster.objects(*_WORKLOADS, environment=environment):
        if one.name in unit.kube:
            spec = one.body.map("spec", "template", "spec")
            main = [
                body for body in spec.maps("containers") if str(body.text("name")) in (*unit.kube, unit.name)
            ] or spec.maps("containers")
            for body in main[:1]:
                _kube(found, body, one.place.path, environment)
    if not environment and not any(found.values()):
        for container in unit.containers:
            if container.origin == "compose" and container.environment in ("", "production"):
                _compose(found, repo, container)
    chosen = {key: choose(seen) for key, seen in found.items()}
    return {key: one for key, one in chosen.items() if one is not None}


def _kube(found: dict[str, list[Seen]], body: Map, path: str, environment: str) -> None:
    limits, requests = body.map("resources", "limits"), body.map("resources", "requests")
    for key, read in (("cpu", cpu), ("memory", memory)):
        limit, request = (read(str(held.text(key) or "")) for held in (limits, requests))
        order = rank(CLUSTER, environment)
        if found[key] and environment:
            continue  # stated by a patch already, which comes before what an overlay leaves as it is
        if limit:
            why = f"(the limit; {request} is requested)" if request and request != limit else ""
            found[key].append(Seen(limit, located(path, limits.line_of(key)), order, why))
        elif request:
            found[key].append(Seen(request, located(path, requests.line_of(key)), order + 1, "(requested; no limit)"))


def _compose(found: dict[str, list[Seen]], repo: Repo, container: m.Container) -> None:
    for body, _ in load_all(repo.read(container.place.path) or "").maps():
        service = body.map("services", container.name)
        limits = service.map("deploy", "resources", "limits")
        for holder, key, name, read in (
            (limits, "cpu", "cpus", cpu), (limits, "memory", "memory", compose_memory),
            (service, "cpu", "cpus", cpu), (service, "memory", "mem_limit", compose_memory),
        ):  # fmt: skip
            text = holder.text(name)
            value = read(str(text)) if text else None
            if value:
                place = m.Place(container.place.path, holder.line_of(name))
                found[key].append(Seen(value, place, rank(COMPOSE, container.environment)))


def cpu(text: str) -> str | None:
    """Cores as the settings write them, or None."""
    if re.fullmatch(CPU, text):
        return text
    try:
        cores = Decimal(text[:-1]) / 1000 if text.endswith("m") else Decimal(text)
    except InvalidOperation:
        return None
    return f"{int(cores * 1000)}m" if cores.is_finite() and cores > 0 and int(cores * 1000) else None


def memory(text: str) -> str | None:
    """Memory as the settings write it: Mi or Gi, rounded up."""
    if re.fullmatch(MEMORY, text):
        return text
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)", text)
    unit = _BYTES.get(match[2].lower()) if match else None
    if match is None or unit is None or len(match[1]) > 18:
        return None
    size = -(-int(Decimal(match[1]) * unit) // 2**20)
    return None if size < 1 else f"{size // 1024}Gi" if size % 1024 == 0 else f"{size}Mi"


def compose_memory(text: str) -> str | None:
    """Memory as Compose writes it, where M means mebibytes."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([kmg])b?", text, re.IGNORECASE)
    return memory(f"{match[1]}{match[2].upper()}i") if match else memory(text)


Values = dict[str, tuple[Any, m.Place]]


def autoscaling(cluster: Cluster, unit: Unit, environment: str) -> tuple[Values | None, list[str]]:
    """The autoscaler of one environment: min, max, cpu, memory, metrics, each with its place; and what could not be
    taken.
    """
    for one in cluster.objects("HorizontalPodAutoscaler", "ScaledObject", environment=environment):
        spec = one.body.map("spec")
        names = {one.name, str(spec.map("scaleTargetRef").text("name") or "")}
        if not any(cluster.overlays.plain(name, unit.kube) in unit.kube for name in names):
            continue
        path = one.place.path
        found: Values = {}
        for key, spellings in (
            ("min", ("minReplicas", "minReplicaCount")),
            ("max", ("maxReplicas", "maxReplicaCount")),
        ):
            written = next((name for name in spellings if spec.text(name)), "")
            number = to_port(spec.text(written) or "") if written else None
            if number and number <= 1000:
                found[key] = (number, located(path, spec.line_of(written)))
        notes: list[str] = []
        percent = to_port(spec.text("targetCPUUtilizationPercentage") or "")
        if percent:
            found["cpu"] = (min(percent, 100), located(path, spec.line_of("targetCPUUtilizationPercentage")))
        for metric in spec.maps("metrics"):
            _metric(cluster, found, notes, metric, path)
        for trigger in spec.maps("triggers"):
            _trigger(found, trigger, path)
        return found, notes
    return None, []


def _metric(cluster: Cluster, found: Values, notes: list[str], metric: Map, path: str) -> None:
    resource = metric.map("resource")
    name = str(resource.text("name") or "")
    holder, key = resource.map("target"), "averageUtilization"
    if not holder.text(key):
        holder, key = resource, "targetAverageUtilization"
    percent = to_port(holder.text(key) or "")
    if name in ("cpu", "memory") and percent:
        found[name] = (min(percent, 100), located(path, holder.line_of(key)))
        return
    pods = metric.map("pods")
    custom = str(pods.map("metric").text("name") or pods.text("metricName") or "")
    target = str(pods.map("target").text("averageValue") or pods.text("targetAverageValue") or "")
    if not custom:
        return
    series = _series(cluster).get(custom)
    if series and re.fullmatch(METRIC, custom) and re.fullmatch(QUANTITY, target):
        _add(found, {"name": custom, "from": series, "target": _number(target)}, located(path, metric.line))
    else:
        notes.append(
            f"autoscaling on {custom} ({target}) left out: which Prometheus series it comes from was not found"
        )


def _add(found: Values, metric: dict[str, Any], place: m.Place) -> None:
    held, at = found.get("metrics", ([], place))
    found["metrics"] = ([*held, metric], at)


def _number(text: str) -> int | str:
    return int(text) if re.fullmatch(r"0|[1-9][0-9]{0,8}", text) else text


def _series(cluster: Cluster) -> dict[str, str]:
    """The series behind each custom metric, by the rules of prometheus-adapter."""
    found: dict[str, str] = {}
    for path in cluster.repo.files:
        if "adapter" in path.rsplit("/", 1)[-1] and path.endswith((".yml", ".yaml")):
            for body, _ in load_all(cluster.repo.read(path) or "").maps():
                for holder in (body.map("rules"), body):
                    for rule in (*holder.maps("custom"), *holder.maps("rules")):
                        series = re.match(r"[a-zA-Z_:][a-zA-Z0-9_:]*", str(rule.text("seriesQuery") or ""))
                        name = str(rule.map("name").text("as") or "")
                        if series and name:
                            found[name] = series[0]
    return found


def _trigger(found: Values, trigger: Map, path: str) -> None:
    kind, data = str(trigger.text("type") or ""), trigger.map("metadata")
    percent = to_port(data.text("value") or "")
    if kind in ("cpu", "memory") and percent:
        found[kind] = (min(percent, 100), located(path, data.line_of("value")))
    elif kind == "prometheus":
        query, threshold = str(data.text("query") or ""), str(data.text("threshold") or "")
        series = re.search(r"(?<![a-zA-Z0-9_:])([a-zA-Z_:][a-zA-Z0-9_:]*)\{", query)
        name = str(trigger.text("name") or data.text("metricName") or "").replace("-", "_")
        if series and re.fullmatch(METRIC, name) and re.fullmatch(QUANTITY, threshold):
            metric = {"name": name, "from": series[1], "target": _number(threshold)}
            _add(found, metric, located(path, data.line_of("threshold")))


def replicas(cluster: Cluster, unit: Unit, environment: str) -> tuple[int, m.Place] | None:
    """The fixed number of replicas of one environment."""
    set_by = cluster.replicas(environment, unit.kube)
    if set_by is not None:
        return set_by
    for one in cluster.objects("Deployment", "Rollout", "StatefulSet", environment=environment):
        spec = one.body.map("spec")
        number = to_port(spec.text("replicas") or "")
        if one.name in unit.kube and number and number <= 1000:
            return number, located(one.place.path, spec.line_of("replicas"))
    return None


class Scale:
    """How one service is scaled, in each environment."""

    def __init__(self, cluster: Cluster, unit: Unit) -> None:
        """Read the autoscalers and numbers of replicas of every environment."""
        self.cluster = cluster
        self.unit = unit
        self.names = list(dict.fromkeys(["", "production", *cluster.environments]))
        self.found = {name: autoscaling(cluster, unit, name) for name in self.names}
        self.fixed = {name: replicas(cluster, unit, name) for name in self.names}
        self.base = next((name for name in self.names if self.found[name][0] is not None), None)
        self.number = next((one for one in self.fixed.values() if one), None)

    def put_base(self, node: Node) -> None:
        """Write what holds in every environment that says nothing else."""
        if self.base is not None:
            value, notes = self.found[self.base]
            for text in notes:
                node.note("autoscaling", text)
            _put(node, value or {})
        elif self.number is not None:
            _fix(node, self.number)
        elif not self.cluster.marked and any(one.name in self.unit.kube for one in self.cluster.objects("Deployment")):
            node.put("autoscaling", False, "no autoscaler was found")
            node.put("replicas", 1, "what Kubernetes runs where no number is given")

    def put_environment(self, node: Node, path: tuple[str, ...], environment: str) -> None:
        """Write where one environment differs; `path` is the service's place in it."""
        value, _ = self.found.get(environment, (None, []))
        fixed = self.fixed.get(environment)
        base = self.found[self.base][0] if self.base is not None else None
        if value is not None:
            shared = {key: one[0] for key, one in (base or {}).items()}
            changed = {key: one for key, one in value.items() if not base or shared.get(key) != one[0]}
            if changed:
                _put(node.at(*path), changed)
        elif base is not None and self._is_off(environment):
            if fixed is not None:
                _fix(node.at(*path), fixed)
            elif self.base == "":
                node.at(*path).put("autoscaling", False)
        elif base is None and fixed is not None and self.number is not None and fixed[0] != self.number[0]:
            _fix(node.at(*path), fixed)

    def _is_off(self, environment: str) -> bool:
        """Whether an environment has no autoscaler although another has one."""
        gone = any(self.cluster.deleted("HorizontalPodAutoscaler", name, environment) for name in self.unit.kube)
        return gone or self.base != ""


def _put(node: Node, value: Values) -> None:
    below = node.at("autoscaling")
    for key, (one, place) in value.items():
        below.put(key, one, shown(place))


def _fix(node: Node, number: tuple[int, m.Place]) -> None:
    node.put("autoscaling", False)
    node.put("replicas", number[0], shown(number[1]))
