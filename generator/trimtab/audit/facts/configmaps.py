"""The variables that ConfigMaps and Secrets hold, and the containers that get them from there."""

from __future__ import annotations

import dataclasses

from trimtab.audit.facts import model as m
from trimtab.yamlpos import Scalar, Seq


def object_env(objects: list[m.KubeObject]) -> dict[tuple[str, str, str], tuple[m.EnvVar, ...]]:
    """The variables that each ConfigMap and Secret gives, by (group, kind, name)."""
    found: dict[tuple[str, str, str], tuple[m.EnvVar, ...]] = {}
    for item in objects:
        if item.kind not in ("ConfigMap", "Secret", "ExternalSecret", "SealedSecret"):
            continue
        variables: list[m.EnvVar] = []
        for key in ("data", "stringData"):
            body = item.body.map(key)
            for name, value in body.items():
                readable = isinstance(value, Scalar) and not (item.kind == "Secret" and key == "data")
                text = str(value) if readable else None
                place = _place(item, body.line_of(name))
                variables.append(
                    m.EnvVar(name, text, place, "kubernetes", item.environment, secret=item.kind != "ConfigMap")
                )
        if isinstance(item.body.map("spec").get("data"), Seq):
            for entry in item.body.map("spec").maps("data"):
                if entry.text("secretKey"):
                    place = _place(item, entry.line_of("secretKey"))
                    variables.append(
                        m.EnvVar(
                            str(entry.text("secretKey")),
                            None,
                            place,
                            "kubernetes",
                            item.environment,
                            secret=True,
                        )
                    )
        for name in item.body.map("spec", "encryptedData"):
            place = m.Place(item.place.path, item.body.map("spec", "encryptedData").line_of(name))
            variables.append(m.EnvVar(name, None, place, "kubernetes", item.environment, secret=True))
        kind = "ConfigMap" if item.kind == "ConfigMap" else "Secret"
        # Overlays add to what their base gives; its own values stand.
        key_of = (item.group, kind, item.name)
        known = found.get(key_of, ())
        first, then = (tuple(variables), known) if not item.environment else (known, tuple(variables))
        names = {one.name for one in first}
        found[key_of] = first + tuple(one for one in then if one.name not in names)
    return found


def _place(item: m.KubeObject, line: int) -> m.Place:
    """A line of an object, which may be one of a patch in another file."""
    return m.Place(getattr(line, "path", item.place.path), int(line))


def with_objects(
    container: m.Container, group: str, held: dict[tuple[str, str, str], tuple[m.EnvVar, ...]]
) -> m.Container:
    """A container with the values that ConfigMaps and Secrets of its group give it."""
    env = []
    for item in container.env:
        if item.source is not None:
            kind, name, key = item.source
            match = next((one for one in held.get((group, kind, name), ()) if one.name == key), None)
            if match is not None and match.value is not None and kind == "ConfigMap":
                env.append(dataclasses.replace(match, name=item.name, source=item.source))
                continue
        env.append(item)
    own = {item.name for item in env}
    for kind, name in container.env_from:
        env.extend(item for item in held.get((group, kind, name), ()) if item.name not in own)
    return dataclasses.replace(container, env=tuple(env))
