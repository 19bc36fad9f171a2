"""Words that people use for one thing in the names of variables: `SMTP_HOST` here, `MAIL_HOST` there. Such a pair may
still be two things, so that it counts only where one of the names is set and read by nobody.
"""

from __future__ import annotations

from functools import lru_cache

from trimtab.audit.facts.envnames import public_prefix

_GROUPS = (
    ("METRICS", "PROMETHEUS"),
    ("WINDOW", "PERIOD"),
    ("SMTP", "MAIL", "EMAIL"),
    ("FOLDER", "DIR", "DIRECTORY"),
    ("SENDER", "FROM"),
    ("WORKERS", "CONCURRENCY"),
    ("BROKERS", "BROKER", "BOOTSTRAP_SERVERS", "BOOTSTRAP_SERVER"),
    ("RABBITMQ", "AMQP"),
    ("URL", "URI", "ENDPOINT", "BASE_URL", "ADDR", "ADDRESS"),
    ("PASSWORD", "PASS", "PWD", "PASSWD"),
    ("USER", "USERNAME"),
)
_CHOSEN = {tuple(word.split("_")): group[0] for group in _GROUPS for word in group}
_LONGEST = max(map(len, _CHOSEN))


def are_synonyms(name: str, other: str) -> bool:
    """Whether two names of at least two words are one, but for words that mean the same."""
    if name == other or public_prefix(name) != public_prefix(other):
        return False
    words = _plain(name)
    return len(words) > 1 and words == _plain(other)


@lru_cache(maxsize=65536)
def _plain(name: str) -> tuple[str, ...]:
    """The words of a name, with one word for each thing."""
    words = name.upper().split("_")
    found: list[str] = []
    at = 0
    while at < len(words):
        size = next((size for size in range(_LONGEST, 0, -1) if tuple(words[at : at + size]) in _CHOSEN), 0)
        found.append(_CHOSEN[tuple(words[at : at + size])] if size else words[at])
        at += size or 1
    return tuple(found)
