"""Which files of its directory get into a service: those that its Dockerfiles copy, where these say so."""

from __future__ import annotations

import re
from collections.abc import Iterable

from trimtab.audit.facts import model as m
from trimtab.audit.facts.text import join

_OPEN = re.compile(r"[*?$<{\[]")


def copied(
    facts: m.Facts, root: str, containers: Iterable[m.Container], dockerfiles: Iterable[m.Dockerfile]
) -> frozenset[str] | None:
    """The files and directories that the images of a service hold; None where it may be all that lies in `root`, as
    with another context, a Dockerfile that copies everything or what is not there, or a mount of the directory.
    """
    for container in containers:
        if container.build is not None and container.build.context != root:
            return None
        if any(not mount.named and mount.source.rstrip("/") in (root, root or ".") for mount in container.mounts):
            return None
    found: set[str] = set()
    for dockerfile in dockerfiles:
        own: set[str] = set()
        for source, _ in dockerfile.copies:
            known = _OPEN.split(source, maxsplit=1)[0]
            whole = known if known == source else known.rpartition("/")[0]
            path = join(root, whole.strip("/") or ".")
            if path is None or path == root or not facts.exists(path):
                return None
            own.add(path)
        if not own:
            return None
        found |= own
    return frozenset(found) or None


def holds(paths: frozenset[str] | None, path: str) -> bool:
    """Whether a file is among what was copied, by itself or with a directory."""
    if paths is None or path in paths:
        return True
    return any(path.startswith(one.rstrip("/") + "/") for one in paths)


def named_by_arguments(facts: m.Facts, build: m.Build, name: str) -> str | None:
    """The package below the context that a build argument names, for a Dockerfile that several services share: the
    only one of that name, or the one in a directory (`workers/`) of which the service, its Dockerfile or the argument
    has the name as well.
    """
    if not build.args or build.context is None:
        return None
    sharing = {
        other.build.context
        for other in facts.containers
        if other.build and other.build.dockerfile == build.dockerfile and other.name != name
    }
    if not sharing:
        return None
    prefix = build.context + "/" if build.context else ""
    packages = {package.directory for package in facts.packages}
    for argument in build.args:
        inside = sorted(
            one
            for one in packages
            if one.startswith(prefix) and one != build.context and one.rsplit("/", 1)[-1] == argument.value
        )
        words = set(re.split(r"[^a-z0-9]+", f"{name} {build.dockerfile} {argument.name}".lower()))
        alike = [one for one in inside if one.split("/")[-2:-1] and one.split("/")[-2].lower().rstrip("s") in words]
        chosen = inside if len(inside) == 1 else alike
        if len(chosen) == 1:
            return chosen[0]
    return None
