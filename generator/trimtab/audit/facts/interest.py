"""Whether a source file can hold a port, a health route or a variable. Most files hold none of them and need no parser.

This runs over the bytes of every source file, so it is made of plain searches, which are many times faster than an
expression of alternatives; an expression only looks again where its word stands, and begins with that word.
"""

from __future__ import annotations

import re
from functools import cache

# (word, what must follow it, languages; empty for all)
_SIGNS = (
    # Variables
    (b"env", rb"env(?:iron|y?::var|:\"|config:|/static|\w*\()", ""),
    (b".env", None, "javascript typescript tsx html"),
    (b"Env", rb"Env\w*\(", ""),
    (b"ENV", rb"ENV(?!\w)", "ruby php elixir"),
    (b"arg(", rb"arg\([^\n]*env", "rust"),
    (b"config", rb"config(?:\(\s*[\"'`]|(?:Service|uration)?\.get)", "python javascript typescript"),
    (b"onfiguration[", None, "csharp"),
    (b"BaseSettings", None, "python"),
    (b"@Value", None, "java kotlin"),
    (b"Property(", None, "java kotlin"),
    # Ports
    (b"isten", rb"isten\w*\(", ""),
    (b"bind", rb"bind(?:\(|\s*=\s*[\"'])", "rust python ruby"),
    (b"port", rb"port(?:\b\W{0,4}\d{2}|\([^\n)/]*:\d)", ""),
    (b"PORT", rb"PORT\b\W{0,4}\d{2}", ""),
    (b"Port(", None, "java kotlin csharp"),
    (b"Addr", rb"Addr(?::|::from)", "rust go"),
    (b"ServerSocket(", None, "java kotlin"),
    (b".Run(", None, "go csharp"),
    (b".Start(", None, "go"),
    (b"uvicorn", None, "python"),
    (b"UseUrls", None, "csharp"),
    (b"server.port", None, "java kotlin"),
    # Changes of the schema
    (b"migrat", rb"migrat(?:e!\(|e\.latest\(|e\.New|ionsRun)", "rust javascript typescript go"),
    (b"igrations(", rb"igrations\(", "rust javascript typescript"),
    (b"Migrat", rb"Migrat(?:e(?:Async)?\(|or::up)", "rust csharp go"),
    (b"command.upgrade(", None, "python"),
    (b"create_all", None, "python"),
    (b"sync", rb"sync(?:\(|hronize\s*:\s*true)", "javascript typescript"),
    (b"goose.Up", None, "go"),
    (b"EnsureCreated", None, "csharp"),
    (b"CREATE TABLE", None, "python javascript typescript go java kotlin csharp"),
    # Health checks that a library serves
    (b"MapHealthChecks", None, "csharp"),
    (b"health_check", None, ""),
)
# Parts of a path that health checks ask, between a quote or slash and another; those that begin alike are found by one
# search.
_HEALTH = {
    b"health": (b"health", b"healthz", b"healthy", b"healthcheck", b"health-check"),
    b"live": (b"live", b"livez", b"liveness"),
    b"alive": (b"alive",),
    b"read": (b"ready", b"readyz", b"readiness"),
    b"ping": (b"ping",),
    b"up": (b"up",),
    b"heartbeat": (b"heartbeat",),
    b"status": (b"status",),
}
_BEFORE, _AFTER = frozenset(b"\"'`/"), frozenset(b"\"'`/?")


def is_interesting(data: bytes, language: str) -> bool:
    """Whether the bytes of a source file in `language` can hold a port, a health route or a variable."""
    for word, pattern in _signs(language):  # plain loops: a generator would double the time
        if word in data and (pattern is None or pattern.search(data)):
            return True
    return _asks_health(data)


@cache
def _signs(language: str) -> tuple[tuple[bytes, re.Pattern[bytes] | None], ...]:
    return tuple(
        (word, re.compile(pattern) if pattern else None)
        for word, pattern, languages in _SIGNS
        if not languages or language in languages.split()
    )


def _asks_health(data: bytes) -> bool:
    size = len(data)
    for stem, words in _HEALTH.items():
        at = data.find(stem, 1)
        while at >= 0:
            if data[at - 1] in _BEFORE:
                for word in words:
                    end = at + len(word)
                    if end < size and data[end] in _AFTER and data.startswith(word, at):
                        return True
            at = data.find(stem, at + 1)
    return False
