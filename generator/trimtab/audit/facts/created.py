"""ConfigMaps and Secrets that commands create: `kubectl create secret generic NAME --from-literal=KEY=…`."""

from __future__ import annotations

import re
from typing import NamedTuple

from trimtab.audit.facts.model import Facts, Place

_CREATE = re.compile(r"\bcreate\s{1,20}(secret\s{1,20}(?:generic|tls|docker-registry)|configmap|cm)\s([^\n;|]{1,6000})")
_LITERAL = re.compile(r"--from-literal[= ]\s{0,20}[\"']?([\w.-]{1,200})=")
_FILE = re.compile(r"--from-file[= ]\s{0,20}[\"']?([^\s\"'=]{1,300})(=)?")
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")
_TAKES_VALUE = frozenset({"-n", "--namespace", "--context", "--kubeconfig", "-o", "--output", "--type"})
_FIXED = {"tls": ("tls.crt", "tls.key"), "docker-registry": (".dockerconfigjson",)}


class Created(NamedTuple):
    """An object that commands create. `keys` has its keys with their places, None where they are not all known."""

    place: Place
    keys: dict[str, Place] | None


def created_objects(facts: Facts) -> dict[tuple[str, str], Created]:
    """The objects that commands of the repository create, by kind and name; several commands add up."""
    return facts.once("created objects", lambda: _find(facts))


def _find(facts: Facts) -> dict[tuple[str, str], Created]:
    found: dict[tuple[str, str], Created] = {}
    for command in facts.commands:
        if "create" not in command.text:
            continue
        for match in _CREATE.finditer(command.text):
            name = _name(match[2])
            if not name:
                continue
            words = match[1].split()
            kind = "Secret" if words[0] == "secret" else "ConfigMap"
            keys = _keys(words[-1], match[2], command.place, facts)
            before = found.get((kind, name))
            known = None if keys is None or (before and before.keys is None) else (before.keys or {}) if before else {}
            merged = None if known is None or keys is None else {**keys, **known}
            found[(kind, name)] = Created(before.place if before else command.place, merged)
    return found


def _name(arguments: str) -> str:
    """The object's name: the first argument that is no flag and no flag's value."""
    skip = False
    for word in arguments.split():
        if skip:
            skip = False
        elif word.startswith("-"):
            skip = word in _TAKES_VALUE
        else:
            plain = word.strip("\"'")
            return plain if _NAME.fullmatch(plain) else ""
    return ""


def _keys(form: str, arguments: str, place: Place, facts: Facts) -> dict[str, Place] | None:
    if form in _FIXED:
        return dict.fromkeys(_FIXED[form], place)
    if "--from-env-file" in arguments or "[@]" in arguments:
        return None
    keys = dict.fromkeys(_LITERAL.findall(arguments), place)
    for written, named in _FILE.findall(arguments):
        if not named and (written.rstrip("/") in facts.directories or written.endswith("/") or "$" in written):
            return None
        keys[written if named else written.rsplit("/", 1)[-1]] = place
    return keys or None
