"""Connections that a service is given in one form and reads in the other: as a URL, or as a host with its parts."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from trimtab.audit.facts.envnames import meaning, public_prefix
from trimtab.audit.facts.model import Command, Container, EnvRead, EnvVar, Facts, Service
from trimtab.audit.facts.products import is_third_party

_FAMILIES = {
    "DB": "DB",
    "MYSQL": "DB",
    "MARIADB": "DB",
    "POSTGRES": "DB",
    "REDIS": "REDIS",
    "VALKEY": "REDIS",
    "MONGO": "MONGO",
    "MONGODB": "MONGO",
    "RABBITMQ": "RABBITMQ",
    "AMQP": "RABBITMQ",
    "ELASTICSEARCH": "ELASTICSEARCH",
    "KAFKA": "KAFKA",
}
# Libraries that read such a variable without the source's spelling it.
_IMPLICIT = frozenset(
    {"prisma", "@prisma/client", "dj-database-url", "django-environ", "rails", "activerecord", "laravel/framework"}
)
_FRAMEWORKS = frozenset({"spring", "quarkus", "aspnet", "laravel", "symfony", "rails", "phoenix-live"})


@dataclass(frozen=True, slots=True)
class OtherForm:
    """What a service reads of a connection, and the variables in the other form that it is given instead."""

    service: Service
    reads: tuple[EnvRead, ...]
    given: tuple[EnvVar, ...]

    @property
    def works_by_default(self) -> bool:
        """Whether the source's default is another host than the container itself."""
        return any(read.default and not re.search(r"localhost|127\.0\.0\.1", read.default) for read in self.reads)


def given_otherwise(service: Service, env: Iterable[EnvVar], facts: Facts) -> frozenset[str]:
    """What a service reads of the connections that these variables give it in the form that it does not read."""
    places = {item.place for item in env}
    told = (one for one in other_forms(facts) if one.service is service)
    return frozenset(read.name for one in told if places & {item.place for item in one.given} for read in one.reads)


def other_forms(facts: Facts) -> tuple[OtherForm, ...]:
    """Every service and kind of connection where the form that is given is the one that nothing reads."""
    found: tuple[OtherForm, ...] = facts.once("other forms", lambda: tuple(_other_forms(facts)))
    return found


def _other_forms(facts: Facts) -> Iterator[OtherForm]:
    owned = {id(read) for service in facts.services for read in service.reads}
    known = {read.name for read in facts.reads if id(read) not in owned} | facts.mentioned  # of shared libraries
    inside = [one.text for one in facts.commands if one.context not in ("script", "workflow") or _starts(one)]
    known |= {word for text in inside for word in re.findall(r"[A-Z][A-Z0-9_]{2,}", text)}
    known |= {word for one in facts.containers for word in re.findall(r"[A-Z][A-Z0-9_]{2,}", one.command)}
    known |= {ref for one in facts.containers for item in one.env for ref in item.refs}
    for service in facts.services:
        if service.root is None or service.framework in _FRAMEWORKS or _implicit(service, facts):
            continue
        read: dict[str, dict[str, list[EnvRead]]] = defaultdict(lambda: defaultdict(list))
        for one in service.reads:
            family, form = _form(one.name)
            if family:
                read[family][form].append(one)
        for family, forms in sorted(read.items()):
            if len(forms) == 1:
                form, reads = next(iter(forms.items()))
                given = [
                    item for one in service.containers for item in _given(one, family, form) if item.name not in known
                ]
                if given:
                    yield OtherForm(service, tuple(reads), tuple(given))


def _starts(command: Command) -> bool:
    """Whether a command may be of a script that starts a container, rather than one that a developer runs."""
    return bool(re.search(r"entry|start|run|init|docker|migrat|boot|launch", command.place.path.rsplit("/", 1)[-1]))


def _implicit(service: Service, facts: Facts) -> bool:
    return any(
        package.dependencies & _IMPLICIT
        for package in facts.packages
        if service.root is not None and package.directory in (service.root, "")
    )


def _given(container: Container, family: str, form: str) -> list[EnvVar]:
    """What a container is given of a connection, where none of it is in the form that is read."""
    told = {item.place.path for item in container.env if item.origin == "envfile"}
    if container.partial or container.job or container.init or not all(path in told for path, _ in container.env_files):
        return []
    if container.image and is_third_party(container.image.repository) and not container.build:
        return []
    found = [(item, _form(item.name)[1]) for item in container.env if _form(item.name)[0] == family]
    return [] if any(one == form for _, one in found) else [item for item, _ in found]


def _form(name: str) -> tuple[str, str]:
    """(family, URL or HOST) of a variable of a connection; ("", "") for any other."""
    words = meaning(name)
    if len(words) == 2 and not public_prefix(name):
        for form in ("URL", "HOST"):
            rest = words - {form}
            if len(rest) == 1 and next(iter(rest)) in _FAMILIES:
                return _FAMILIES[next(iter(rest))], form
    return "", ""
