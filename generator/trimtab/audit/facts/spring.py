"""Spring's properties, as a file of them or as YAML: the server's port, health routes, variables and secrets."""

from __future__ import annotations

import re

from trimtab.audit.facts import model as m
from trimtab.audit.facts import schemacode
from trimtab.audit.facts.draft import Draft
from trimtab.audit.facts.naming import environment_of
from trimtab.audit.facts.secrets import note_secret
from trimtab.yamlpos import Map


def read_properties(draft: Draft, path: str, text: str) -> None:
    """Add what a file of properties shows."""
    for number, line in enumerate(text.split("\n"), start=1):
        key, sign, value = line.partition("=")
        if sign and not key.lstrip().startswith(("#", "!")):
            _note(draft, key.strip(), value.strip(), m.Place(path, number))


def read_tree(draft: Draft, path: str, body: Map, prefix: str = "") -> None:
    """Add what a YAML document of properties shows, below the key `prefix`."""
    for key, value in body.items():
        full = f"{prefix}.{key}" if prefix else key
        if isinstance(value, Map):
            read_tree(draft, path, value, full)
        elif isinstance(value, str):
            _note(draft, full, value, m.Place(path, body.line_of(key)))


def _note(draft: Draft, key: str, value: str, place: m.Place) -> None:
    """One property: the server's port, the variables that it is filled from, and secrets."""
    note_secret(draft, re.sub(r"\W", "_", key).upper(), value, place, environment_of(place.path))
    if environment_of(place.path) not in ("local", "test"):
        draft.schema_calls.extend(schemacode.of_property(key, value, place))
    for name, default in re.findall(r"\$\{([A-Z][A-Z0-9_]*)(?::([^{}]*))?\}", value):
        draft.reads.append(m.EnvRead(name, place, default if ":" in value else None, required=":" not in value))
    draft.routes.extend(m.Route(path, place) for path in _health_routes(key, value))
    if key == "server.port":
        number = re.search(r"\d{2,5}", value)
        variable = re.search(r"\$\{([A-Z_]+)", value)
        draft.binds.append(
            m.Bind(int(number[0]) if number else None, variable[1] if variable else "SERVER_PORT", place)
        )


def _health_routes(key: str, value: str) -> list[str]:
    """The paths at which Spring's properties put its health endpoint, where that is not /actuator/health."""
    if key.endswith("additional-path"):  # server:/livez
        return [value.rpartition(":")[2]]
    if key == "management.endpoints.web.base-path":
        return [f"{value.rstrip('/')}/health{probe}" for probe in ("", "/liveness", "/readiness")]
    return []
