"""The variables of one service: configuration, public, secret, and where environments differ."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from trimtab.audit.adopt.addresses import STORES, Addresses, is_local, is_stand_in
from trimtab.audit.adopt.cluster import Cluster
from trimtab.audit.adopt.database import drives
from trimtab.audit.adopt.gathering import EXAMPLE, LOCAL, SHARED, Gatherer, Var, label_of
from trimtab.audit.adopt.model import CLUSTER, Choice, Seen, brief_list, choose, kind_of, shown
from trimtab.audit.adopt.secrecy import is_name, only_switches
from trimtab.audit.adopt.served import by_tool
from trimtab.audit.adopt.units import Unit
from trimtab.audit.facts import model as m
from trimtab.audit.facts.text import urls
from trimtab.settings.env_names import ALIASES, DERIVED, looks_secret
from trimtab.settings.schema import ENV_NAME

_DURATION = re.compile(r"(\d+)\s*(s|sec|seconds?|m|min|minutes?|h|hours?|d|days?|w|weeks?)", re.IGNORECASE)
_LOCAL_URL = re.compile(r"(?:https?|wss?)://([\w.-]+)(?::\d+)?(/[\w./~-]*)?")
_LOOPBACK = ("localhost", "127.0.0.1", "0.0.0.0")  # noqa: S104 - read, not bound
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_STORE_URLS = {"DATABASE_URL": "postgres", "REDIS_URL": "redis"}
_SCHEMES = {"postgres": "postgres", "postgresql": "postgres", "redis": "redis", "rediss": "redis"}
MAX_VALUE = 2000
# Values that say that it is a developer's machine that they are for.
_DEVELOPS = re.compile(
    r"(?:\w{0,40}_)?DEBUG(?:_\w{0,40})?=(?i:true|1|yes|on)"
    r"|(?:\w{0,40}_)?(?:ENV|ENVIRONMENT|MODE|TIER|STAGE)=(?i:dev|develop|development|local)"
)
# Kinds of what is left out, each with what to say of it, in this order.
_SAID = {
    "pooled": "read by other services only, so left out here",
    "case": "left out, since names of variables are upper case",
    "empty": "empty where they are named, so left out",
    "stand-in": "only stand-ins were found, so left out",
    "valueless": "named without a value, so left out",
    "local": "addresses of one machine, so set for `local` only",
    "built": "set for development only, while a build holds one value for every environment, so left out",
    "browser": "left out, since every visitor could read these secrets",
    "static": "left out, since static files read no variables but",
    "store": "Redis asks for its password from now on, so its URLs are secrets",
    "unset": "read by the source, and set in no file",
    "unset secrets": "secrets that the source reads, and no file sets",
}


@dataclass(slots=True)
class Variables:
    """What one service is given. `notes` are names with their places, by what is to be said of them."""

    env: dict[str, tuple[Choice, str]] = field(default_factory=dict)  # name -> (value, a word on the name)
    public: dict[str, tuple[Choice, str]] = field(default_factory=dict)
    overrides: dict[tuple[str, bool], dict[str, Choice]] = field(
        default_factory=dict
    )  # (environment, public?) -> name -> value
    secrets: dict[str, m.Place] = field(default_factory=dict)
    stores: dict[str, m.Place] = field(default_factory=dict)
    calls: dict[str, m.Place] = field(default_factory=dict)
    comments: list[str] = field(default_factory=list)
    notes: dict[str, dict[str, m.Place]] = field(default_factory=dict)

    def note(self, kind: str, name: str, place: m.Place) -> None:
        """Remember a name for one of the sentences on what was left out."""
        self.notes.setdefault(kind, {}).setdefault(name, place)

    def said(self, prefix: str) -> list[str]:
        """Every comment. `prefix` is that of public variables."""
        found = list(self.comments)
        for kind, what in _SAID.items():
            held = self.notes.get(kind)
            if held:
                text = what + (f" {prefix}*" if kind == "static" else "")
                found.append(f"{text}: {brief_list([f'{name} ({shown(at)})' for name, at in held.items()], 5)}")
        return found


class Reader:
    """The variables of every service."""

    def __init__(
        self, facts: m.Facts, cluster: Cluster, units: list[Unit], addresses: Addresses, gatherer: Gatherer
    ) -> None:
        """Take the facts, the cluster, the services, what names on the network lead to, and what gives variables."""
        self.facts = facts
        self.cluster = cluster
        self.units = units
        self.addresses = addresses
        self.gatherer = gatherer
        # Whether it runs anywhere but on developers' machines, as far as files say.
        self.remote = bool(cluster.environments) or any(
            one.origin == "kubernetes" or one.environment in ("production", "staging")
            for unit in units
            for one in unit.containers
        )

    def read(self, unit: Unit) -> Variables:
        """Everything about one service's variables."""
        result = Variables()
        derived = self._derived(unit)
        seen: dict[str, list[Var]] = {}
        for var in self.gatherer.seen(unit):
            if var.pooled and self.gatherer.others(unit, var.name):
                if var.name not in derived:
                    result.note("pooled", var.name, var.place)
            else:
                seen.setdefault(var.name, []).append(var)
        self._needs(unit, result, seen)
        for name, found in seen.items():
            self._one(unit, result, name, found, derived)
        self._unset(unit, result, seen, derived)
        return result

    def _derived(self, unit: Unit) -> set[str]:
        names = {*DERIVED, *(unit.data.get("env") or {}), f"{unit.name.upper().replace('-', '_')}_PORT"}
        if unit.data.get("port_env"):
            names.add(str(unit.data["port_env"]))
        return names

    def _needs(self, unit: Unit, result: Variables, seen: dict[str, list[Var]]) -> None:
        """What the service connects to."""
        stores = set(self.addresses.hosts.values()) & set(STORES)
        self._by_value(unit, result, seen, stores)
        for read in unit.service.reads:
            target = _STORE_URLS.get(ALIASES.get(read.name, read.name))
            if target in stores or (target and not unit.static and drives(unit, target, self.facts)):
                result.stores.setdefault(str(target), read.place)
        for container in () if unit.static else unit.containers:
            for name, place in container.depends_on:
                if self.addresses.leads(name) in STORES:
                    result.stores.setdefault(self.addresses.leads(name), place)
        result.stores = self._ordered(unit, result.stores)

    def _ordered(self, unit: Unit, stores: dict[str, m.Place]) -> dict[str, m.Place]:
        """The datastores in the order of Compose: it runs each; a cluster may hold no variable of an external one."""
        listed = [
            self.addresses.leads(name)
            for one in unit.containers
            if one.origin == "compose"
            for name, _ in one.depends_on
        ]
        return dict(
            sorted(stores.items(), key=lambda item: listed.index(item[0]) if item[0] in listed else len(listed))
        )

    def _by_value(self, unit: Unit, result: Variables, seen: dict[str, list[Var]], stores: set[str]) -> None:
        """What the values of variables lead to."""
        for name, found in seen.items():
            target = _STORE_URLS.get(ALIASES.get(name, name))
            for var in found:
                for scheme, host, _, _ in urls(var.value or ""):
                    leads = self.addresses.leads(host) or _SCHEMES.get(scheme, "")
                    if leads in STORES:
                        result.stores.setdefault(leads, var.place)
                        target = None
                    elif scheme not in _SCHEMES and ALIASES.get(name, name) == "DATABASE_URL":
                        target = None
                self._by_host(unit, result, var)
                if target in stores and self.addresses.leads(var.value or "") not in STORES:
                    result.stores.setdefault(str(target), var.place)

    def _by_host(self, unit: Unit, result: Variables, var: Var) -> None:
        """What the hosts in a value lead to."""
        value = var.value or ""
        for leads in {*self.addresses.called(var.name, value), self.addresses.leads(value)} - {""}:
            if leads in STORES:
                result.stores.setdefault(leads, var.place)
            elif leads != unit.name and not unit.static and leads in self.addresses.called(var.name, value):
                result.calls.setdefault(leads, var.place)

    def _one(self, unit: Unit, result: Variables, name: str, found: list[Var], derived: set[str]) -> None:
        place = found[0].place
        if name in derived or ALIASES.get(name) in derived:
            self._renamed(unit, result, name)
            return
        call = next((one for one in self.units if name == f"{one.name.upper().replace('-', '_')}_URL"), None)
        if call is not None and call.name in result.calls:
            return
        if not re.fullmatch(ENV_NAME, name) or len(name) > 128:
            result.note("case", name, place)
            return
        new = ALIASES.get(name, name)
        word = f"was {name}; rename it in the code, too" if new != name else ""
        prefix = (unit.data.get("public") or {}).get("prefix")
        public = bool(prefix and new.startswith(prefix))
        if public and looks_secret(new):
            result.note("browser", name, place)
            return
        if not public and self._is_secret(new, found):
            result.secrets.setdefault(new, place)
            return
        if not public and any(self._is_store_url(var.value or "") for var in found):
            result.secrets.setdefault(new, place)
            result.note("store", new, place)
            return
        if unit.static and not public and not self.cluster.marked:
            if any(one.name == name for one in unit.service.reads):
                result.note("static", name, place)
            return
        _Value(self, unit, result, new, word, public, tuple(found)).put()

    def _renamed(self, unit: Unit, result: Variables, name: str) -> None:
        """Say where the source reads a variable under a name, or in a form, that it does not have from now on."""
        read = next((one for one in unit.service.reads if one.name == name), None)
        if read is None or name == unit.data.get("port_env"):
            return
        if name != ALIASES.get(name, name):
            result.comments.append(
                f"{name}, read at {shown(read.place)}, is {ALIASES[name]} from now on: rename it in the code."
            )
        elif name.startswith(("POSTGRES_", "REDIS_")) and not name.endswith("_URL"):
            result.comments.append(f"{name}, read at {shown(read.place)}, is not passed any more: use the URL instead.")

    @staticmethod
    def has_base(unit: Unit) -> bool:
        """Whether files give variables that are not for development only: what they lack, they lack on purpose."""
        return any(
            item.origin in ("compose", "kubernetes")
            for one in unit.containers
            if one.environment not in (LOCAL, EXAMPLE)
            for item in one.env
        )

    def in_browsers(self, value: str) -> tuple[str, str]:
        """A value for browsers: an address of one machine, or of a container, becomes a path on the one origin."""
        match = _LOCAL_URL.fullmatch(value)
        if match and (match[1] in _LOOPBACK or self.addresses.leads(match[1])):
            return (match[2] or "").rstrip("/"), f"was {value}: the gateway serves every route on one origin"
        return value, ""

    def adapted(self, name: str, value: str) -> tuple[str, str]:
        """A value in the unit that the canonical name states, and with the names that all have from now on."""
        match = _DURATION.fullmatch(value.strip())
        if name.endswith("_SECONDS") and match:
            return str(int(match[1]) * _SECONDS[match[2][0].lower()]), f"{value} in seconds"
        return self.addresses.adapted(name, value)

    def _is_store_url(self, value: str) -> bool:
        """Whether a value is the URL of a Redis that is ours from now on, and so lacks its password."""
        if self.cluster.marked or "redis" not in self.addresses.hosts.values():
            return False
        return any(
            scheme in ("redis", "rediss") and (host in _LOOPBACK or self.addresses.leads(host) == "redis")
            for scheme, host, _, _ in urls(value)
        )

    def _is_secret(self, name: str, found: list[Var]) -> bool:
        if any(one.secret for one in found):
            return True
        if is_name(name) and not only_switches(name, [one.value for one in found]):
            return True
        empty = any(one.value == "" and label in (EXAMPLE, SHARED) for one, label in self._everywhere(name))
        return empty and all(one.value is None and one.required for one in found)

    def _everywhere(self, name: str) -> list[tuple[m.EnvVar, str]]:
        return [
            (item, label_of(file.path, file.environment))
            for file in self.facts.env_files
            for item in file.variables
            if item.name == name
        ]

    def _unset(self, unit: Unit, result: Variables, seen: dict[str, list[Var]], derived: set[str]) -> None:
        """Variables that the source cannot do without and that no file sets."""
        for read in sorted(unit.service.reads, key=lambda one: one.name):
            new = ALIASES.get(read.name, read.name)
            if read.name in seen or new in derived or new in result.secrets or not re.fullmatch(ENV_NAME, read.name):
                continue
            if looks_secret(read.name) and not unit.static:
                if read.required:
                    result.secrets.setdefault(new, read.place)
                elif not by_tool(read.place.path):
                    result.note("unset secrets", read.name, read.place)
            elif read.required and not by_tool(read.place.path):
                result.note("unset", read.name, read.place)


@dataclass(frozen=True, slots=True)
class _Value:
    """One variable of one service that is no secret, with all that is known of it, on its way to its place."""

    reader: Reader
    unit: Unit
    result: Variables
    name: str
    word: str
    public: bool
    found: tuple[Var, ...]

    def put(self) -> None:
        """Set it for all environments, for some, or not at all, and note which."""
        holder = self.result.public if self.public else self.result.env
        if self.name in holder or self.name in self.result.secrets:
            return
        by_label = self._by_label()
        base = self._base(by_label)
        if base is None:
            if not all(var.label == "test" or var.name.startswith("TEST_") for var in self.found):
                self.result.note("valueless", self.name, self.found[0].place)
            return
        choice = choose(by_label[base])
        assert choice is not None  # noqa: S101 - the label has a value
        if self._withheld(base, choice):
            return
        if self.public and not (self.unit.data.get("public") or {}).get("runtime"):
            holder[self.name] = (self._built(base, choice, by_label), self.word)
        else:
            holder[self.name] = (self._overridden(base, choice, by_label), self.word)

    def _by_label(self) -> dict[str, list[Seen]]:
        """The values by environment, each as it is to be from now on, with a word on what it was."""
        by_label: dict[str, list[Seen]] = {}
        for var in self.found:
            if var.value is None or len(var.value) > MAX_VALUE:
                continue
            literal = self.reader.cluster.marked and kind_of(var.rank) == CLUSTER  # nothing fills a manifest of ours
            if "${" in var.value and not literal:
                continue
            if var.label == "test" or var.name.startswith("TEST_"):
                continue
            read = self.reader.in_browsers(var.value) if self.public else self.reader.adapted(self.name, var.value)
            label = LOCAL if self._is_local(read[0], var) else var.label
            by_label.setdefault(label, []).append(Seen(read[0], var.place, var.rank, read[1] or var.via))
        return self._browsers(by_label) if self.public else by_label

    @staticmethod
    def _browsers(by_label: dict[str, list[Seen]]) -> dict[str, list[Seen]]:
        """The values for browsers: where some are real addresses, those of one machine are for that alone."""
        real = {label: [one for one in seen if not one.why.startswith("was ")] for label, seen in by_label.items()}
        if not any(seen for label, seen in real.items() if label != LOCAL):
            return by_label
        found = {label: seen for label, seen in real.items() if seen and label != LOCAL}
        local = [one for label, seen in by_label.items() for one in seen if one not in real[label] or label == LOCAL]
        return {**found, LOCAL: local} if local else found

    def _is_local(self, value: str, var: Var | None = None) -> bool:
        """Whether a value names a developer's machine, or says that it is for development, though it runs elsewhere."""
        if self.public or not self.reader.remote or self.reader.cluster.marked:
            return False
        shared = var is not None and var.label in (SHARED, EXAMPLE) and kind_of(var.rank) > kind_of(CLUSTER)
        return is_local(self.name, value) or (shared and bool(_DEVELOPS.fullmatch(f"{self.name}={value}")))

    def _base(self, by_label: dict[str, list[Seen]]) -> str | None:
        """The environment whose value is every environment's that has no own."""
        others = reversed(self.reader.cluster.environments)
        order = [SHARED, "production", *others, EXAMPLE, LOCAL, *by_label]
        held = [label for label in order if label in by_label]
        shown_only = (label for label in held if not all(is_stand_in(str(one.value)) for one in by_label[label]))
        return next(shown_only, held[0] if held else None)

    def _withheld(self, base: str, choice: Choice) -> bool:
        """Whether the best value is for development only, or none at all; it is set or noted accordingly."""
        assert choice.place is not None  # noqa: S101 - every variable stands somewhere
        if choice.value == "" and (base == EXAMPLE or not (self.public or self.reader.cluster.marked)):
            self.result.note("empty", self.name, self.found[0].place)
            return True
        if is_stand_in(str(choice.value)) and not self.reader.cluster.marked:
            self.result.note("stand-in", self.name, choice.place)
            return True
        if base != LOCAL:
            return False
        local = self._is_local(str(choice.value)) or bool(_DEVELOPS.fullmatch(f"{self.name}={choice.value}"))
        base_is_known = self.reader.remote or self.reader.has_base(self.unit)
        lacking = base_is_known and all(one.development for one in self.found if one.label == LOCAL)
        if lacking and self.public and not (self.unit.data.get("public") or {}).get("runtime"):
            self.result.note("built", self.name, choice.place)
        elif local or lacking:
            self.result.overrides.setdefault((LOCAL, self.public), {})[self.name] = choice
            if self._is_local(str(choice.value)):
                self.result.note("local", self.name, choice.place)
        return local or lacking

    def _built(self, base: str, choice: Choice, by_label: dict[str, list[Seen]]) -> Choice:
        """The value that a build fixes for every environment, and the others that production might have."""
        labels = [label for label in [base, *by_label] if label not in (LOCAL, EXAMPLE)]
        every = choose([one for label in labels for one in by_label[label] if not one.why.startswith("was ")])
        others = tuple(one for one in (every.others if every else ()) if one[0] != choice.value)
        if others:
            self.result.comments.append(f"{self.name} has several values, and a build holds one for every environment")
        return Choice(choice.value, choice.place, choice.why, others)

    def _overridden(self, base: str, choice: Choice, by_label: dict[str, list[Seen]]) -> Choice:
        """Note where environments differ. What a weaker kind of file says of the same environments is a conflict."""
        weaker: list[Seen] = []
        best = min(one.rank for one in by_label[base])
        for label, seen in by_label.items():
            own = choose(seen)
            if label in (base, EXAMPLE) or own is None or own.value == choice.value:
                continue
            if label != LOCAL and kind_of(min(one.rank for one in seen)) > kind_of(best) == kind_of(CLUSTER):
                weaker += seen
            else:
                self.result.overrides.setdefault((label, self.public), {})[self.name] = own
        both = choose([*by_label[base], *weaker]) if weaker else choice
        return Choice(choice.value, choice.place, choice.why, both.others if both else ())
