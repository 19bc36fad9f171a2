"""The variables of one service: configuration, public, secret, and where environments differ."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from trimtab.audit.adopt.cluster import Cluster, place_environment
from trimtab.audit.adopt.model import CLUSTER, COMPOSE, ENV_FILE, IMAGE, Choice, Seen, choose, conflict, rank, shown
from trimtab.audit.adopt.units import Unit
from trimtab.audit.facts import model as m
from trimtab.audit.facts.secrets import is_secret_name, looks_random
from trimtab.audit.facts.text import urls
from trimtab.settings.env_names import ALIASES, DERIVED, looks_secret
from trimtab.settings.schema import ENV_NAME

LOCAL, SHARED, EXAMPLE = "local", "", "example"
_CREDENTIALS = re.compile(r"://[^/\s:@]*:[^/\s@]+@")
_DURATION = re.compile(r"(\d+)\s*(s|sec|seconds?|m|min|minutes?|h|hours?|d|days?|w|weeks?)", re.IGNORECASE)
_LOCAL_URL = re.compile(r"(?:https?|wss?)://([\w.-]+)(?::\d+)?(/[\w./~-]*)?")
_LOOPBACK = ("localhost", "127.0.0.1", "0.0.0.0")  # noqa: S104 - read, not bound
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_STORE_URLS = {"DATABASE_URL": "postgres", "REDIS_URL": "redis"}
_SCHEMES = {"postgres": "postgres", "postgresql": "postgres", "redis": "redis", "rediss": "redis"}
# Names of keys that settings accept as configuration, and that are secrets all the same.
_KEYS = re.compile(
    r"(?:^|_)(?:ENCRYPTION|SIGNING|LICENSE|AUTH|MASTER|APP|SESSION|COOKIE)_KEY$|(?:^|_)(?:SALT|PASS|PWD)$"
)
_HOST_NAME = re.compile(r"(?:(POSTGRES|PG|DB|DATABASE)|REDIS)_?HOST(?:NAME)?")
# Variables that hold an address. Others may hold a host's name by chance: `DB_CONNECTION: pgsql` names a driver.
_ADDRESS = re.compile(
    r"(?:HOST(?:NAME|S)?|(?:^|_)(?:ADDR|ADDRESS|BROKER|ENDPOINT|SERVERS?|SERVICE|UPSTREAM|UR[IL]))(?:_|$)"
)
MAX_VALUE = 2000


@dataclass(slots=True)
class Variables:
    """What one service is given."""

    env: dict[str, tuple[Choice, str]] = field(default_factory=dict)  # name -> (value, a word on the name)
    public: dict[str, tuple[Choice, str]] = field(default_factory=dict)
    overrides: dict[tuple[str, bool], dict[str, Choice]] = field(
        default_factory=dict
    )  # (environment, public?) -> name -> value
    secrets: dict[str, m.Place] = field(default_factory=dict)
    stores: dict[str, m.Place] = field(default_factory=dict)
    calls: dict[str, m.Place] = field(default_factory=dict)
    empty: dict[str, m.Place] = field(default_factory=dict)  # names that examples list without a value
    comments: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Var:
    name: str
    value: str | None
    place: m.Place
    label: str
    rank: int
    secret: bool = False
    required: bool = False
    development: bool = False  # by a file that is for development only


class Reader:
    """The variables of every service. `hosts` maps names on the network to a service or a datastore."""

    def __init__(self, facts: m.Facts, cluster: Cluster, units: list[Unit], hosts: dict[str, str]) -> None:
        """Take the facts, the cluster, the services, and what each host name leads to."""
        self.facts = facts
        self.cluster = cluster
        self.units = units
        self.hosts = hosts
        self.gone = {one.name for one in facts.containers if one.origin == "compose"} - set(hosts) - {""}
        self.by_name = {unit.name: unit for unit in units}
        self.strong = {(one.name, one.place) for one in facts.secrets if one.strength == "certain"}

    def read(self, unit: Unit) -> Variables:
        """Everything about one service's variables."""
        result = Variables()
        derived = self._derived(unit)
        seen: dict[str, list[_Var]] = {}
        for var in self._seen(unit):
            seen.setdefault(var.name, []).append(var)
        self._needs(unit, result, seen)
        for name, found in seen.items():
            self._one(unit, result, name, found, derived)
        self._unset(unit, result, seen, derived)
        if result.empty:
            listed = ", ".join(f"{name} ({shown(place)})" for name, place in result.empty.items())
            result.comments.append(f"empty in examples, so left out: {listed}")
        return result

    def _derived(self, unit: Unit) -> set[str]:
        names = {*DERIVED, *(unit.data.get("env") or {}), f"{unit.name.upper().replace('-', '_')}_PORT"}
        if unit.data.get("port_env"):
            names.add(str(unit.data["port_env"]))
        return names

    def _seen(self, unit: Unit) -> Iterator[_Var]:
        """Every place that gives the service a variable, the cluster first, so that its order of names is kept."""
        kube = [one for one in unit.containers if one.origin == "kubernetes"]
        config = {name for one in kube for kind, name in one.env_from if kind == "ConfigMap"} | {f"{unit.name}-config"}
        secrets = {name for one in kube for kind, name in one.env_from if kind == "Secret"}
        for environment in [SHARED, *self.cluster.environments]:
            for key, value, place in self.cluster.config(config, environment):
                yield _Var(key, value, place, environment, rank(CLUSTER, environment))
        for one in kube:
            for item in one.env:
                yield self._var(item, one.environment, CLUSTER, kube=True)
        yield from self._compose(unit, clustered=bool(kube))
        for key, place in self.cluster.secret_keys(secrets):
            yield _Var(key, None, place, SHARED, CLUSTER, secret=True)
        yield from self._files(unit)

    def _compose(self, unit: Unit, *, clustered: bool) -> Iterator[_Var]:
        prefix = (unit.data.get("public") or {}).get("prefix", "\0")
        for one in unit.containers:
            if one.origin == "compose" and one.environment not in ("test", "ci"):
                public = (item for item in (one.build.args if one.build else ()) if item.name.startswith(prefix))
                items = [*one.env, *public]
                yield from (self._var(item, one.environment, COMPOSE, clustered=clustered) for item in items)

    def _files(self, unit: Unit) -> Iterator[_Var]:
        prefix = (unit.data.get("public") or {}).get("prefix", "\0")
        read = {one.name for one in unit.service.reads}
        for dockerfile in unit.service.dockerfiles:
            for item in (*dockerfile.args, *dockerfile.env):
                if item.name.startswith(prefix) or (item.name in read and item in dockerfile.env):
                    yield self._var(item, SHARED, IMAGE)
        for file in self.facts.env_files:
            own = file in unit.service.env_files or (
                not file.directory and unit.path.value == "." and len(self.units) == 1
            )
            for item in file.variables:
                if own or (not file.directory and item.name in read):
                    yield self._var(item, _label(file), ENV_FILE)

    def _var(self, item: m.EnvVar, environment: str, kind: int, *, clustered: bool = False, kube: bool = False) -> _Var:
        label = environment
        if item.origin == "envfile":
            kind = ENV_FILE
            label = (
                item.environment
                if item.environment in ("production", "staging")
                else _file_label(item.place.path, environment)
            )
        if kube:
            label = place_environment(item.place.path)
        elif clustered and label in (SHARED, EXAMPLE):
            label = LOCAL
        value = item.value
        secret = item.secret or (item.name, item.place) in self.strong or bool(value and _CREDENTIALS.search(value))
        development = environment == LOCAL and not kube
        return _Var(
            item.name,
            value,
            item.place,
            label,
            rank(kind, label),
            secret,
            value is None and bool(item.refs),
            development,
        )

    def _needs(self, unit: Unit, result: Variables, seen: dict[str, list[_Var]]) -> None:
        """What the service connects to."""
        stores = set(self.hosts.values()) & {"postgres", "redis"}
        self._by_value(unit, result, seen, stores)
        for read in unit.service.reads:
            target = _STORE_URLS.get(ALIASES.get(read.name, read.name))
            if target in stores:
                result.stores.setdefault(str(target), read.place)
        for container in () if unit.static else unit.containers:
            for name, place in container.depends_on:
                if self.hosts.get(name) in ("postgres", "redis"):
                    result.stores.setdefault(self.hosts[name], place)
        result.stores = self._ordered(unit, result.stores)

    def _ordered(self, unit: Unit, stores: dict[str, m.Place]) -> dict[str, m.Place]:
        """The datastores in the order of Compose: it runs each; a cluster may hold no variable of an external one."""
        listed = [
            self.hosts.get(name) for one in unit.containers if one.origin == "compose" for name, _ in one.depends_on
        ]
        return dict(
            sorted(stores.items(), key=lambda item: listed.index(item[0]) if item[0] in listed else len(listed))
        )

    def _by_value(self, unit: Unit, result: Variables, seen: dict[str, list[_Var]], stores: set[str]) -> None:
        """What the values of variables lead to."""
        for name, found in seen.items():
            target = _STORE_URLS.get(ALIASES.get(name, name))
            for var in found:
                for scheme, host, _, _ in urls(var.value or ""):
                    leads = self.hosts.get(host, _SCHEMES.get(scheme, ""))
                    if leads in ("postgres", "redis"):
                        result.stores.setdefault(leads, var.place)
                        target = None
                    elif leads and leads != unit.name and not unit.static:
                        result.calls.setdefault(leads, var.place)
                    elif scheme not in _SCHEMES and ALIASES.get(name, name) == "DATABASE_URL":
                        target = None
                if self.hosts.get(var.value or "") in ("postgres", "redis"):
                    result.stores.setdefault(self.hosts[var.value or ""], var.place)
                elif target in stores:
                    result.stores.setdefault(str(target), var.place)

    def _one(self, unit: Unit, result: Variables, name: str, found: list[_Var], derived: set[str]) -> None:
        place = found[0].place
        if name in derived or ALIASES.get(name) in derived:
            reads = [one for one in unit.service.reads if one.name == name]
            if reads and name != ALIASES.get(name, name):
                result.comments.append(
                    f"{name}, read at {shown(reads[0].place)}, is {ALIASES[name]} from now on: rename it in the code."
                )
            elif reads and name.startswith(("POSTGRES_", "REDIS_")) and not name.endswith("_URL"):
                result.comments.append(
                    f"{name}, read at {shown(reads[0].place)}, is not passed any more: use the URL instead."
                )
            return
        call = next((one for one in self.units if name == f"{one.name.upper().replace('-', '_')}_URL"), None)
        if call is not None and call.name in result.calls:
            return
        if not re.fullmatch(ENV_NAME, name) or len(name) > 128:
            result.comments.append(f"{name} at {shown(place)}: left out, since names of variables are upper case")
            return
        new = ALIASES.get(name, name)
        word = f"was {name}; rename it in the code, too" if new != name else ""
        prefix = (unit.data.get("public") or {}).get("prefix")
        public = bool(prefix and new.startswith(prefix))
        if public and looks_secret(new):
            result.comments.append(f"{name} at {shown(place)}: left out, since every visitor could read this secret")
            return
        if not public and self._is_secret(new, found):
            result.secrets.setdefault(new, place)
            return
        if unit.static and not public and not self.cluster.marked:
            if any(one.name == name for one in unit.service.reads):
                result.comments.append(
                    f"{name} at {shown(place)}: left out, since static files read no variables but {prefix}*"
                )
            return
        self._values(unit, result, (new, word, public), found)

    def _values(self, unit: Unit, result: Variables, named: tuple[str, str, bool], found: list[_Var]) -> None:  # noqa: C901
        name, word, public = named
        holder = result.public if public else result.env
        if name in holder or name in result.secrets:
            return
        by_label: dict[str, list[Seen]] = {}
        for var in found:
            if var.value is not None and "${" not in var.value and len(var.value) <= MAX_VALUE and var.label != "test":
                value, note = self._public(var.value) if public else self._adapted(name, var.value)
                word = word or note
                by_label.setdefault(var.label, []).append(Seen(value, var.place, var.rank))
        order = [SHARED, "production", *reversed(self.cluster.environments), EXAMPLE, LOCAL, *by_label]
        base = next((label for label in order if label in by_label), None)
        if base is None and all(var.label == "test" for var in found):
            return
        if base is None:
            result.comments.append(f"{name}: {shown(found[0].place)} names it, and no file gives it a value")
            return
        if base == LOCAL and self._has_base(unit) and all(one.development for one in found if one.label == LOCAL):
            result.overrides.setdefault((LOCAL, public), {})[name] = choose(by_label[LOCAL])  # type: ignore[assignment]
            return
        choice = choose(by_label[base])
        assert choice is not None  # noqa: S101 - the label has a value
        if base == EXAMPLE and choice.value == "":
            result.empty[name] = found[0].place
            return
        holder[name] = (choice, word)
        if public and not (unit.data.get("public") or {}).get("runtime"):
            every = choose([one for label in [base, *by_label] for one in by_label[label]])
            if every is not None and every.others:
                result.comments.append(
                    conflict(name, Choice(choice.value, choice.place, "", every.others)) + "; a build holds one value"
                )
            return
        for label, seen in by_label.items():
            own = choose(seen)
            if label not in (base, EXAMPLE) and own is not None and own.value != choice.value:
                result.overrides.setdefault((label, public), {})[name] = own

    @staticmethod
    def _has_base(unit: Unit) -> bool:
        """Whether files give variables that are not for development only: what they lack, they lack on purpose."""
        return any(
            item.origin in ("compose", "kubernetes")
            for one in unit.containers
            if one.environment not in (LOCAL, EXAMPLE)
            for item in one.env
        )

    def _public(self, value: str) -> tuple[str, str]:
        """A value for browsers: an address of one machine, or of a container, becomes a path on the one origin."""
        match = _LOCAL_URL.fullmatch(value)
        if match and (match[1] in _LOOPBACK or match[1] in self.hosts):
            return (match[2] or "").rstrip("/"), f"was {value}; the gateway serves every route on one origin"
        return value, ""

    def _adapted(self, name: str, value: str) -> tuple[str, str]:
        """A value in the unit that the canonical name states, and with the names that datastores have from now on."""
        match = _DURATION.fullmatch(value.strip())
        if name.endswith("_SECONDS") and match:
            return str(int(match[1]) * _SECONDS[match[2][0].lower()]), f"{value} in seconds"
        host = _HOST_NAME.fullmatch(name)
        if host and value in ("localhost", "127.0.0.1") and ("postgres" if host[1] else "redis") in self.hosts.values():
            return "postgres" if host[1] else "redis", f"was {value}"
        for _, there, _, _ in urls(value):
            if there in self.gone:
                return value, f"{there} is not adopted, so name the one that will serve"
        renamed = self.hosts.get(value) if _ADDRESS.search(name) else None
        if renamed is not None and renamed != value and (renamed in self.by_name or renamed in ("postgres", "redis")):
            return renamed, f"was {value}"
        return value, ""

    def _is_secret(self, name: str, found: list[_Var]) -> bool:
        if looks_secret(name) or is_secret_name(name) or _KEYS.search(name) or any(one.secret for one in found):
            return True
        if any(one.value and looks_random(one.value) for one in found):
            return True  # whatever its name: what nobody would write by hand is kept out of a tracked file
        empty = any(one.value == "" and one.label in (EXAMPLE, SHARED) for one in self._everywhere(name))
        return empty and all(one.value is None and one.required for one in found)

    def _everywhere(self, name: str) -> Iterator[_Var]:
        for file in self.facts.env_files:
            for item in file.variables:
                if item.name == name:
                    yield _Var(name, item.value, item.place, _label(file), 0)

    def _unset(self, unit: Unit, result: Variables, seen: dict[str, list[_Var]], derived: set[str]) -> None:
        """Variables that the source cannot do without and that no file sets."""
        missing: dict[str, m.Place] = {}
        for read in unit.service.reads:
            if (
                read.required
                and read.name not in seen
                and read.name not in derived
                and ALIASES.get(read.name) not in derived
            ):
                missing.setdefault(read.name, read.place)
        for name, place in list(missing.items()):
            if looks_secret(name) and re.fullmatch(ENV_NAME, name) and not unit.static:
                result.secrets.setdefault(ALIASES.get(name, name), place)
                del missing[name]
        if missing:
            listed = [f"{name} ({shown(place)})" for name, place in sorted(missing.items())[:8]]
            more = f" and {len(missing) - 8} more" if len(missing) > 8 else ""
            result.comments.append(f"read by the source, and set in no file: {', '.join(listed)}{more}")


def _label(file: m.EnvFile) -> str:
    return _file_label(file.path, file.environment)


def _file_label(path: str, environment: str) -> str:
    """What an env file is for; a plain `.env` is one machine's own."""
    if path.rsplit("/", 1)[-1] == ".env":
        return LOCAL
    return environment
