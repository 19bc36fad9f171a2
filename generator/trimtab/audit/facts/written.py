"""Secrets that are written into commands and .NET settings: assignments, `NAME=value` before a command, and the
passwords of connection strings.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from trimtab.audit.facts import model as m
from trimtab.audit.facts.draft import Draft
from trimtab.audit.facts.naming import environment_of
from trimtab.audit.facts.secrets import is_weak, note_secret
from trimtab.audit.facts.text import to_port

MAX_LINE = 2_000
# A name such as CERT_SECRET is in scripts as often the name of an object as its value.
_NAME = re.compile(
    r"(?:PASSWORD|(?:^|_)(?:PASSWD|PASS|PWD|TOKEN|API_?KEY|SECRET_?KEY|ACCESS_?KEY|JWT_?SECRET|CLIENT_SECRET))$"
)
_ASSIGNED = re.compile(
    r"(?:^|[\s;&|(])(?P<name>[A-Z][A-Z0-9_]{2,60})=(?:\"(?P<double>[^\"$`\\\n]{1,200})\"|'(?P<single>[^'$\n]{1,200})'|"
    r"(?P<bare>[^\s\"'$`;&|()<>\\]{1,200}))(?=$|[\s;&|)])"
)
_SERVER = re.compile(r"\b(?:server|host|data source)\s{0,9}=", re.IGNORECASE)
_PASSWORD = re.compile(
    r"(?:^|[;\"'\s])(?:password|pwd)\s{0,9}=\s{0,9}([^;\"'\s${}<>]{4,100})(?=[;\"'\s]|$)", re.IGNORECASE
)
_PAIR = re.compile(r"^\s{0,80}\"([\w:.-]{1,80})\"\s{0,9}:\s{0,9}\"([^\"\n]{1,500})\"")
_LISTEN = re.compile(r"https?://(?:\*|\+|0\.0\.0\.0|\[::\]|localhost):(\d{2,5})\b")


def in_commands(draft: Draft, path: str, lines: list[str], first: int, environment: str) -> None:
    """Note the secrets that lines of a script, or of a workflow's step, assign or pass on."""
    for number, line in enumerate(lines, start=first):
        if "=" not in line or line.lstrip().startswith("#"):
            continue
        for match in _ASSIGNED.finditer(line[:MAX_LINE]):
            value = match["double"] or match["single"] or match["bare"]
            if _NAME.search(match["name"]) and not is_weak(value):
                note_secret(draft, match["name"], value, m.Place(path, number), environment)
        for password in _connections(line):
            note_secret(draft, "PASSWORD", password, m.Place(path, number), environment)


def in_settings(draft: Draft, path: str, text: str) -> None:
    """Note the secrets of an appsettings file, and the port that it gives the server."""
    environment = environment_of(path)
    for number, line in enumerate(text.split("\n"), start=1):
        pair = _PAIR.match(line[:MAX_LINE])
        if pair is None:
            continue
        key, value, place = pair[1], pair[2], m.Place(path, number)
        note_secret(draft, re.sub(r"(?<=[a-z])(?=[A-Z])|\W", "_", key).upper(), value, place, environment)
        for password in _connections(value):
            note_secret(draft, "PASSWORD", password, place, environment)
        listen = _LISTEN.search(value) if key.lower() in ("url", "urls") else None
        if listen and environment not in ("local", "test"):
            draft.binds.append(m.Bind(to_port(listen[1]), "ASPNETCORE_URLS", place))


def _connections(line: str) -> Iterator[str]:
    """The passwords of connection strings of the form `Server=…;Password=…`."""
    if _SERVER.search(line[:MAX_LINE]):
        yield from (match[1] for match in _PASSWORD.finditer(line[:MAX_LINE]))
