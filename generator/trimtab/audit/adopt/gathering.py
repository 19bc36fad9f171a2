"""Every place that gives a service a variable, in the order in which what they say should stand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from trimtab.audit.adopt.cluster import Cluster, place_environment
from trimtab.audit.adopt.model import CLUSTER, COMPOSE, ENV_FILE, IMAGE, rank, shown
from trimtab.audit.adopt.secrecy import Secrecy
from trimtab.audit.adopt.units import Unit
from trimtab.audit.facts import model as m
from trimtab.settings.env_names import ALIASES

LOCAL, SHARED, EXAMPLE = "local", "", "example"
_SPRING = re.compile(r"(?:SPRING|MANAGEMENT|LOGGING|SERVER)_")  # read by the framework itself
_WORDS = re.compile(r"[^a-z0-9]+")
_LOCAL_WORDS = frozenset({"local", "dev", "development", "localhost"})
_PRODUCTION_WORDS = frozenset({"prod", "production", "prd"})
_TEST_WORDS = frozenset({"test", "testing", "ci", "e2e"})


@dataclass(frozen=True, slots=True)
class Var:
    """A variable as one place gives it. `label` is the environment that it is for."""

    name: str
    value: str | None
    place: m.Place
    label: str
    rank: int
    secret: bool = False
    required: bool = False
    development: bool = False  # by a file that is for development only
    pooled: bool = False  # of a ConfigMap or Secret that several services take whole
    via: str = ""  # where the value stands, if another file fills it in


class Gatherer:
    """What files give to services."""

    def __init__(self, facts: m.Facts, cluster: Cluster, units: list[Unit]) -> None:
        """Take the facts, the cluster and the services."""
        self.facts = facts
        self.cluster = cluster
        self.units = units
        self.secrecy = Secrecy(facts)
        dotenv = [one for one in facts.env_files if one.path.rsplit("/", 1)[-1] == ".env"]
        self.dotenv = {one.directory: {item.name: item for item in one.variables} for one in dotenv}
        held = [{pair for one in _kube(unit) for pair in one.env_from} for unit in units]
        self.pools = {pair for pairs in held for pair in pairs if sum(pair in other for other in held) > 1}
        # Keys that containers ask for by name, under another one: they are there for that.
        self.keyed = {one.key for one in facts.kube_refs if one.key}
        self.reads = {unit.name: {ALIASES.get(one.name, one.name) for one in unit.service.reads} for unit in units}

    def seen(self, unit: Unit) -> Iterator[Var]:
        """Every place that gives the service a variable, the cluster first, so that its order of names is kept."""
        kube = _kube(unit)
        explicit = self._explicit(unit)
        pods, keys = list(self._pods(unit, kube)), list(self._keys(kube))
        whole = {var.name for var in (*pods, *keys)} - explicit
        yield from (var for var in pods if var.name in whole)
        for one in kube:
            for item in one.env:
                if item.name not in whole:
                    yield self._var(item, one.environment, CLUSTER, kube=True)
        yield from self._compose(unit, clustered=bool(kube))
        yield from (var for var in keys if var.name in whole)
        yield from self._files(unit)

    def config(self, unit: Unit) -> list[Var]:
        """The variables that ConfigMaps give a service as they are, less those that its containers give themselves."""
        explicit = self._explicit(unit)
        return [var for var in self._pods(unit, _kube(unit)) if var.name not in explicit]

    def _explicit(self, unit: Unit) -> set[str]:
        """The names that the workloads' containers give themselves, which beat those that they take whole."""
        found: set[str] = set()
        for one in self.cluster.objects("Deployment", "StatefulSet", "DaemonSet", "Rollout"):
            if one.name in unit.kube:
                for body in one.body.map("spec", "template", "spec").maps("containers"):
                    found |= {str(item.text("name")) for item in body.maps("env")}
        return found

    def others(self, unit: Unit, name: str) -> bool:
        """Whether a variable is read by the source of others only, as far as reading is seen."""
        new = ALIASES.get(name, name)
        mine = self.reads[unit.name]
        if not mine or new in mine or (unit.framework.value == "spring" and _SPRING.match(name)):
            return False
        return name in self.keyed or any(new in names for other, names in self.reads.items() if other != unit.name)

    def _pods(self, unit: Unit, kube: list[m.Container]) -> Iterator[Var]:
        """The keys of the ConfigMaps that become variables as they are; a container's own variables beat them."""
        taken = {name for one in kube for kind, name in one.env_from if kind == "ConfigMap"} | {f"{unit.name}-config"}
        for environment in [SHARED, *self.cluster.environments]:
            for name in taken:
                pooled = ("ConfigMap", name) in self.pools
                for key, value, place in self.cluster.config({name}, environment):
                    yield Var(key, value, place, environment, rank(CLUSTER, environment), pooled=pooled)

    def _keys(self, kube: list[m.Container]) -> Iterator[Var]:
        for name in dict.fromkeys(name for one in kube for kind, name in one.env_from if kind == "Secret"):
            pooled = ("Secret", name) in self.pools
            for key, place in self.cluster.secret_keys({name}):
                yield Var(key, None, place, SHARED, CLUSTER, secret=True, pooled=pooled)

    def _compose(self, unit: Unit, *, clustered: bool) -> Iterator[Var]:
        prefix = (unit.data.get("public") or {}).get("prefix", "\0")
        for one in unit.containers:
            if one.origin == "compose" and one.environment not in ("test", "ci"):
                public = (item for item in (one.build.args if one.build else ()) if item.name.startswith(prefix))
                items = [*one.env, *public]
                yield from (self._var(item, one.environment, COMPOSE, clustered=clustered) for item in items)

    def _files(self, unit: Unit) -> Iterator[Var]:
        prefix = (unit.data.get("public") or {}).get("prefix", "\0")
        read = {one.name for one in unit.service.reads}
        for dockerfile in unit.service.dockerfiles:
            label = LOCAL if dockerfile.environment == LOCAL else SHARED
            for item in (*dockerfile.args, *dockerfile.env):
                if item.name.startswith(prefix) or (item.name in read and item in dockerfile.env):
                    yield self._var(item, label, IMAGE)
        for file in self.facts.env_files:
            own = file in unit.service.env_files or (
                not file.directory and unit.path.value == "." and len(self.units) == 1
            )
            for item in file.variables:
                if own or (not file.directory and item.name in read):
                    yield self._var(item, label_of(file.path, file.environment), ENV_FILE)

    def _var(self, item: m.EnvVar, environment: str, kind: int, *, clustered: bool = False, kube: bool = False) -> Var:
        label = environment
        if item.origin == "envfile":
            kind = ENV_FILE
            told = item.environment in ("production", "staging")
            label = item.environment if told else label_of(item.place.path, environment)
        if kube:
            label = place_environment(item.place.path)
        elif clustered and label in (SHARED, EXAMPLE):
            label = LOCAL
        found = Var(
            item.name,
            item.value,
            item.place,
            label,
            rank(kind, label),
            item.secret or self.secrecy.holds(item.name, item.value, item.place),
            item.value is None and bool(item.refs),
            environment == LOCAL and not kube,
            via=self._filled(item),
        )
        shows_production = label == EXAMPLE and words(item.place.path) & _PRODUCTION_WORDS
        return replace(found, rank=found.rank - 1) if shows_production else found

    def _filled(self, item: m.EnvVar) -> str:
        """Where the value of a variable stands that Compose fills in from the `.env` beside it."""
        if not item.refs or not item.value or item.origin == "envfile":
            return ""
        given = self.dotenv.get(item.place.path.rpartition("/")[0], {})
        found = next((given[name] for name in item.refs if name in given and given[name].value), None)
        return f"by {shown(found.place)}" if found and (found.value or "") in item.value else ""


def _kube(unit: Unit) -> list[m.Container]:
    return [one for one in unit.containers if one.origin == "kubernetes"]


def words(path: str) -> frozenset[str]:
    """The words of a file's name."""
    return frozenset(_WORDS.split(path.rsplit("/", 1)[-1].lower()))


def label_of(path: str, environment: str) -> str:
    """What an env file is for; a plain `.env` is one machine's own, and an example of what is local shows just that."""
    if path.rsplit("/", 1)[-1] == ".env":
        return LOCAL
    if environment == EXAMPLE:
        named = words(path)
        return LOCAL if named & _LOCAL_WORDS else "test" if named & _TEST_WORDS else EXAMPLE
    return environment
