"""Addresses in the values of variables: which lead to one machine only, and which to names that change."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from trimtab.audit.facts.text import urls

LOOPBACK = frozenset({"localhost", "127.0.0.1", "0.0.0.0", "::1", "host.docker.internal"})  # noqa: S104 - read, not bound
STORES = ("postgres", "redis")
_AUTHORITY = re.compile(r"(?<=//)((?:[^/@\s,;\"']{0,200}@)?)([A-Za-z0-9_.-]{1,253})(?::(\d{1,5}))?(?![\w.-]*@)")
_HOST_PORT = re.compile(r"([A-Za-z][A-Za-z0-9_.-]{0,252})(?::(\d{1,5}))?")
_STORE_HOST = re.compile(r"(?:^|_)(?:(POSTGRES(?:QL)?|PG|DB|DATABASE)|REDIS|CACHE)_?HOST(?:NAME)?$")
# Variables that hold an address. Others may hold a host's name by chance: `DB_CONNECTION: pgsql` names a driver.
_ADDRESS = re.compile(
    r"(?:HOST(?:NAME|S)?|(?:^|_)(?:ADDR|ADDRESS|BROKERS?|ENDPOINTS?|SERVERS?|SERVICE|UPSTREAM|UR[IL]))(?:_|$)"
)
# Variables that hold the address to listen on, which in a container is every one.
_BIND = re.compile(
    r"(?:^|_)(?:BIND|LISTEN|LISTENER)(?:_(?:ADDR|ADDRESS))?(?:_(?:HOST|IP))?$|^(?:SERVER|APP|HTTP|UVICORN|FLASK_RUN)_(?:HOST|ADDR|ADDRESS)$"
)
_LIST = re.compile(r"[\s,;\[\]\"']+")
_CLUSTER = re.compile(r"\.(?:svc(?:\.cluster\.local)?|[a-z0-9-]+\.svc(?:\.cluster\.local)?)$")


@dataclass(frozen=True, slots=True)
class Addresses:
    """What names on the network lead to from now on. `hosts` maps each to a service or a datastore."""

    hosts: Mapping[str, str]
    ports: Mapping[str, int]  # of services, where known
    gone: frozenset[str] = field(default=frozenset())  # names of what is not adopted

    def leads(self, host: str) -> str:
        """The service or datastore that a host's name leads to, or ""."""
        return self.hosts.get(host) or self.hosts.get(_CLUSTER.sub("", host)) or ""

    def lost(self, host: str) -> str:
        """The name of something that is not adopted, where a host's name leads to it, or ""."""
        short = _CLUSTER.sub("", host)
        return host if host in self.gone else short if short in self.gone else ""

    def adapted(self, name: str, value: str) -> tuple[str, str]:
        """A value with the names and ports that services and datastores have from now on, and a word on it."""
        if _BIND.search(name) and value in LOOPBACK and value != "0.0.0.0":  # noqa: S104 - as above
            return "0.0.0.0", f"was {value}, where a container listens for nobody"  # noqa: S104 - as above
        store = _STORE_HOST.search(name)
        if store and value in LOOPBACK and ("postgres" if store[1] else "redis") in self.hosts.values():
            return "postgres" if store[1] else "redis", f"was {value}"
        changed = _AUTHORITY.sub(self._authority, value) if "//" in value else self._bare(name, value)
        lost = next((there for _, host, _, _ in urls(value) if (there := self.lost(host))), "")
        if not lost and _ADDRESS.search(name):
            match = _HOST_PORT.fullmatch(value)
            lost = self.lost(match[1]) if match else ""
        if lost:
            return changed, f"{lost} is not adopted, so name the one that will serve"
        return changed, f"was {value}" if changed != value else ""

    def _authority(self, match: re.Match[str]) -> str:
        user, host, port = match[1], match[2], match[3]
        target = self.leads(host)
        if target in STORES:
            return f"{user}{target}" + (f":{port}" if port else "")
        if not target:
            return match[0]
        number = self.ports.get(target)
        return f"{user}{target}" + (f":{number}" if number else f":{port}" if port else "")

    def _bare(self, name: str, value: str) -> str:
        match = _HOST_PORT.fullmatch(value) if _ADDRESS.search(name) else None
        target = self.leads(match[1]) if match else ""
        if match is None or not target:
            return value
        if target in STORES or not match[2]:
            return f"{target}:{match[2]}" if match[2] else target
        return f"{target}:{self.ports.get(target) or match[2]}"

    def called(self, name: str, value: str) -> set[str]:
        """The services and datastores that a value leads to."""
        found = {self.leads(host) for _, host, _, _ in urls(value)}
        match = _HOST_PORT.fullmatch(value) if _ADDRESS.search(name) else None
        if match:
            found.add(self.leads(match[1]))
        return found - {""}


def is_local(name: str, value: str) -> bool:
    """Whether every address in a value is one of a developer's machine."""
    parts = [part for part in _LIST.split(value) if part]
    if not parts:
        return False
    found = [urls(part) for part in parts]
    if all(len(one) == 1 and one[0][1] in LOOPBACK for one in found):
        return True
    if _BIND.search(name) or not _ADDRESS.search(name) or "0.0.0.0" in value:  # noqa: S104 - as above
        return False
    return all(part.rpartition(":")[0] in LOOPBACK or part in LOOPBACK for part in parts)


_STAND_IN = re.compile(
    r"(?:^|[^a-z])your(?:[-_. ]|domain|app|company|org|site|host|name|email|project)|(?:^|[^a-z])my[-_]domain"
    r"|change[-_ ]?(?:me|this|it)|<[^<>]{1,80}>|x{4,}|placeholder|replace[-_ ]?(?:me|with|this)|/path/to/|\btodo\b"
    r"|\.\.\.$",
    re.IGNORECASE,
)


def is_stand_in(value: str) -> bool:
    """Whether a value only shows what is to be written in its place."""
    return bool(_STAND_IN.search(value[:500]))
