"""Every value that configuration gives: in env files, containers, images, ConfigMaps and Secrets."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from typing import NamedTuple

from trimtab.audit.facts.model import Facts, KubeObject, Place
from trimtab.yamlpos import Scalar

MAX_ENCODED = 20_000


class Given(NamedTuple):
    """One value; `partial` is whether parts that are not known are left out of it."""

    place: Place
    name: str
    text: str
    environment: str
    partial: bool = False


def given(facts: Facts) -> Iterator[Given]:
    """The values in the order env files, containers, Dockerfiles, Kubernetes objects; each place once."""
    variables = [item for file in facts.env_files for item in file.variables]
    variables += [item for container in facts.containers for item in container.env]
    variables += [item for dockerfile in facts.dockerfiles for item in dockerfile.env]
    seen: set[tuple[Place, str]] = set()
    for item in variables:
        seen.add((item.place, item.name))
        yield Given(item.place, item.name, item.value or item.outline, item.environment, item.value is None)
    for one in facts.objects:
        for found in _of_object(one) if one.kind in ("ConfigMap", "Secret") else ():
            if (found.place, found.name) not in seen:
                yield found


def _of_object(one: KubeObject) -> Iterator[Given]:
    for key in ("data", "stringData"):
        values = one.body.map(key)
        for name, value in values.items():
            if isinstance(value, Scalar):
                text = str(value) if one.kind == "ConfigMap" or key == "stringData" else decoded(value)
                yield Given(Place(one.place.path, values.line_of(name)), name, text, one.environment)


def decoded(text: str) -> str:
    """The value that a Secret's base64 holds, "" for anything else."""
    if len(text) > MAX_ENCODED:
        return ""
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, ValueError):
        return ""
