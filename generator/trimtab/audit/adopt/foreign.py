"""What cannot be adopted, each with the reason: images of others, datastores of other kinds, unknown stacks."""

from __future__ import annotations

from trimtab.audit.adopt.model import brief_list, shown
from trimtab.audit.facts import model as m
from trimtab.audit.facts.naming import environment_of, is_auxiliary
from trimtab.audit.facts.products import DATASTORES, datastore_of, is_third_party

STORES = ("postgres", "redis")
PROXIES = frozenset({"nginx", "nginx-unprivileged", "caddy", "traefik", "haproxy", "envoy", "httpd"})
# Datastores that speak the protocol of one that Trimtab brings, so that clients notice no difference.
ALIKE = {"valkey": "redis", "keydb": "redis", "dragonfly": "redis"}


def store_of(role: str) -> str:
    """The datastore of Trimtab's that takes the place of one, or the same name."""
    return ALIKE.get(role, role)


def datastores(facts: m.Facts) -> list[str]:
    """Datastores that Trimtab does not bring."""
    return [
        f"{one.name} ({shown(one.containers[0].place)}): Trimtab brings postgres and redis, and no {one.role}"
        for one in facts.services
        if one.role in DATASTORES and store_of(one.role) not in STORES and one.containers
    ]


def unknown(service: m.Service, facts: m.Facts) -> str:
    """Why a service that this repository builds has no framework that Trimtab knows."""
    last = [one.stages[-1].image for one in service.dockerfiles if one.stages]
    bases = {stage.image.repository.rsplit("/", 1)[-1] for one in service.dockerfiles for stage in one.stages}
    alone = all(len(one.stages) == 1 for one in service.dockerfiles) or bases <= PROXIES
    for image in last if alone else ():
        store, base = datastore_of(image.repository), image.repository.rsplit("/", 1)[-1]
        where = shown(image.place)
        if store:
            plain = f"Trimtab's {store} is the plain image" if store in STORES else f"Trimtab brings no {store}"
            return f"its image is {image.text} with files of its own ({where}), and {plain}"
        if base in PROXIES and service.package is None:
            return f"its image is {image.text} with files of its own ({where}); the gateway takes a proxy's place"
    if service.package is not None:
        found = f"{service.package.path} names no framework that Trimtab knows"
        return f"{found}, and its image starts from {last[0].text}" if last else found
    first = [one.stages[0].image for one in service.dockerfiles if one.stages]
    if first:
        return f"its image starts from {first[0].text} ({shown(first[0].place)}), and no manifest names a framework"
    for container in service.containers:
        if container.build is not None and container.build.context is not None:
            path = container.build.dockerfile
            if not facts.exists(path):
                return f"{path} is not there, and no manifest names a framework"
    return "no framework that Trimtab knows was recognised in it"


def published(facts: m.Facts, taken: set[str], others: dict[str, str]) -> list[str]:
    """Images of others that files run beside the services, in one sentence per kind. `taken` are adopted names,
    `others` what was found to be such, by name.
    """
    proxies: dict[str, str] = {}
    others = dict(others)
    for service in facts.services:
        if service.role in DATASTORES or service.name in taken:
            continue
        for one in service.containers:
            if one.image is None or one.build or one.init or not is_third_party(one.image.repository):
                continue
            if one.environment in ("test", "local") or is_auxiliary(one.place.path):
                continue
            held = proxies if one.image.base in PROXIES else others
            held.setdefault(service.name, shown(one.place))
    found = []
    for held, what in (
        (proxies, "a proxy, whose place the gateway takes"),
        (others, "an image of others, which Trimtab does not run"),
    ):
        if held:
            listed = brief_list([f"{name} ({place})" for name, place in held.items()], 12)
            found.append(f"{listed}: {what if len(held) == 1 else _plural(what)}")
    return found


def _plural(what: str) -> str:
    return {
        "a proxy, whose place the gateway takes": "proxies, whose place the gateway takes",
        "an image of others, which Trimtab does not run": "images of others, which Trimtab does not run",
    }[what]


def orphans(facts: m.Facts, services: list[m.Service]) -> list[str]:
    """Dockerfiles that belong to no service."""
    owned = {one.path for service in services for one in service.dockerfiles}
    owned |= {one.build.dockerfile for one in facts.containers if one.build}
    found = {
        one.path: one.stages[-1].image.text if one.stages else ""
        for one in facts.dockerfiles
        if one.path not in owned and not is_auxiliary(one.path) and environment_of(one.path) not in ("test", "local")
    }
    if len(found) == 1:
        ((path, base),) = found.items()
        from_ = f"; it starts from {base}" if base else ""
        return [f"{path}: no manifest beside it names a framework that Trimtab knows{from_}"]
    listed = brief_list([f"{path} (from {base})" if base else path for path, base in found.items()], 4)
    return [f"{listed}: no manifest beside these Dockerfiles names a framework that Trimtab knows"] if found else []
