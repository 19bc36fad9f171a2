"""nginx and Redis configuration: the directives that name hosts, ports, paths and passwords."""

from __future__ import annotations

import re

from trimtab.audit.facts import model as m
from trimtab.audit.facts.draft import Draft
from trimtab.audit.facts.text import to_port

_TOKEN = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|[{};]|#[^\n]*|\n|\$\{\w+\}|(?:[^\s{};\"'#$]|\$(?!\{))+")
_FILLED_IN = re.compile(r"\$\{([A-Z][A-Z0-9_]{0,80})\}")
_KEPT = frozenset(
    {
        "listen",
        "location",
        "proxy_pass",
        "upstream",
        "server",
        "server_name",
        "root",
        "fastcgi_pass",
        "grpc_pass",
        "try_files",
        "uwsgi_pass",
    }
)


def directives(text: str) -> list[tuple[str, list[str], int]]:
    """(name, arguments, line) of each nginx directive, block openers included. Never raises."""
    found: list[tuple[str, list[str], int]] = []
    words: list[str] = []
    line, start = 1, 1
    joined_to = -1
    for match in _TOKEN.finditer(text):
        token = match[0]
        if token == "\n":  # noqa: S105
            line += 1
        elif token in "{};":  # noqa: S105
            if words:
                found.append((words[0], words[1:], start))
            words = []
        elif not token.startswith("#"):
            if not words:
                start = line
            if words and match.start() == joined_to:
                words[-1] += token
            else:
                words.append(token.strip("\"'"))
        line += token.count("\n") if token != "\n" else 0  # noqa: S105
        joined_to = match.end()
    return found


def read_nginx(draft: Draft, path: str, text: str) -> None:
    """Add one nginx configuration. What it writes as `${NAME}` in capitals, a program fills in from the environment
    (nginx's own variables are in small letters), and leaves as it stands where nothing sets it.
    """
    _filled_in(draft, path, text)
    upstreams: set[str] = set()
    variables: dict[str, str] = {}
    inside = ""
    for name, words, line in directives(text):
        place = m.Place(path, line)
        if name == "set" and len(words) > 1:
            variables[words[0]] = words[1]
        if name == "upstream" and words:
            upstreams.add(words[0])
            inside = "upstream"
        elif name in ("location", "http", "listen", "server") and not (name == "server" and words):
            inside = name
        if name in _KEPT:
            draft.settings.append(m.Setting("nginx", name, " ".join(words), place))
        if name == "server" and words and inside == "upstream":
            _upstream(draft, words[0], place, "upstream")
        elif name in ("proxy_pass", "grpc_pass", "fastcgi_pass", "uwsgi_pass") and words:
            target = re.sub(r"\$\w+", lambda match: variables.get(match[0], match[0]), words[0])
            host = re.sub(r"^\w+://", "", target).split("/")[0].split(":")[0]
            if host not in upstreams:
                _upstream(draft, target, place, name)


def _filled_in(draft: Draft, path: str, text: str) -> None:
    for number, line in enumerate(text.split("\n") if "${" in text else (), start=1):
        for name in _FILLED_IN.findall(line.split("#")[0]):
            draft.reads.append(m.EnvRead(name, m.Place(path, number), ""))


def _upstream(draft: Draft, target: str, place: m.Place, name: str) -> None:
    match = re.fullmatch(r"(?:(\w+)://)?([A-Za-z0-9_.-]+)(?::(\d+))?(?:/.*)?", target)
    if match and not target.startswith("unix:"):
        draft.upstreams.append(m.Upstream(match[2], to_port(match[3] or ""), place, match[1] or "http", name))


def read_redis(draft: Draft, path: str, text: str) -> None:
    """Add one Redis configuration."""
    for number, line in enumerate(text.split("\n"), start=1):
        words = line.split("#")[0].split()
        if len(words) > 1 and words[0].lower() in (
            "requirepass",
            "port",
            "maxmemory",
            "appendonly",
            "protected-mode",
            "user",
        ):
            value = "set" if words[0].lower() == "requirepass" else " ".join(words[1:])
            draft.settings.append(m.Setting("redis", words[0].lower(), value, m.Place(path, number)))
