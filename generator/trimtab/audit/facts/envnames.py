"""What an environment variable's name means, whatever its spelling: `DB_URI` and `DATABASE_URL` carry the
same thing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from trimtab.audit.facts.frameworks import PUBLIC_PREFIXES

_WORDS = {
    "DATABASE": "DB",
    "DATABASES": "DB",
    "URI": "URL",
    "DSN": "URL",
    "PASS": "PASSWORD",
    "PWD": "PASSWORD",
    "PASSWD": "PASSWORD",
    "USERNAME": "USER",
    "HOSTNAME": "HOST",
    "ADDR": "HOST",
    "ADDRESS": "HOST",
    "ORIGINS": "ORIGIN",
    "HOSTS": "HOST",
    "EXPIRES": "EXPIRY",
    "EXPIRATION": "EXPIRY",
    "EXPIRE": "EXPIRY",
    "TTL": "EXPIRY",
    "LIFETIME": "EXPIRY",
    "VALIDITY": "EXPIRY",
    "APIKEY": "API_KEY",
    "LOGLEVEL": "LOG_LEVEL",
    "WEBSOCKET": "WS",
    "SOCKET": "WS",
    "ENDPOINT": "URL",
    "DOMAINS": "DOMAIN",
    "AUTHENTICATION": "AUTH",
    "ENVIRONMENT": "ENV",
    "MAILER": "MAIL",
    "EMAIL": "MAIL",
    "CONFIGURATION": "CONFIG",
    "DIRECTORY": "DIR",
    "CONNECTIONS": "CONNECTION",
    "CONNS": "CONNECTION",
    "CONN": "CONNECTION",
    "MAXIMUM": "MAX",
    "MINIMUM": "MIN",
    "REQUESTS": "REQUEST",
    "MINIO": "S3",
}
UNITS = {
    "MS": "ms",
    "MILLIS": "ms",
    "MILLISECONDS": "ms",
    "SECONDS": "s",
    "SECS": "s",
    "SEC": "s",
    "MINUTES": "min",
    "MINS": "min",
    "HOURS": "h",
    "DAYS": "d",
}
_FILLERS = frozenset({"IN", "TIME", "THE", "APP", "BASE"})
# Several meanings are one: the words on the left are read as those on the right.
_MEANINGS: dict[frozenset[str], frozenset[str]] = {
    frozenset({"BACKEND", "URL"}): frozenset({"API", "URL"}),
    frozenset({"BACKEND", "API", "URL"}): frozenset({"API", "URL"}),
    frozenset({"SERVER", "URL"}): frozenset({"API", "URL"}),
    frozenset({"POSTGRES", "URL"}): frozenset({"DB", "URL"}),
    frozenset({"PG", "URL"}): frozenset({"DB", "URL"}),
    frozenset({"POSTGRESQL", "URL"}): frozenset({"DB", "URL"}),
    frozenset({"DB", "CONNECTION", "STRING"}): frozenset({"DB", "URL"}),
    frozenset({"POSTGRES", "HOST"}): frozenset({"DB", "HOST"}),
    frozenset({"CLIENT", "URL"}): frozenset({"FRONTEND", "URL"}),
    frozenset({"UI", "URL"}): frozenset({"FRONTEND", "URL"}),
    frozenset({"WEB", "URL"}): frozenset({"FRONTEND", "URL"}),
    frozenset({"CORS", "ALLOWED", "ORIGIN"}): frozenset({"CORS", "ORIGIN"}),
    frozenset({"ALLOWED", "ORIGIN"}): frozenset({"CORS", "ORIGIN"}),
    frozenset({"CORS", "ALLOW", "ORIGIN"}): frozenset({"CORS", "ORIGIN"}),
    frozenset({"JWT", "SECRET", "KEY"}): frozenset({"JWT", "SECRET"}),
    frozenset({"JWT", "KEY"}): frozenset({"JWT", "SECRET"}),
    frozenset({"ACCESS", "TOKEN", "EXPIRY"}): frozenset({"JWT", "EXPIRY"}),
    frozenset({"JWT", "ACCESS", "EXPIRY"}): frozenset({"JWT", "EXPIRY"}),
    frozenset({"JWT", "ACCESS", "TOKEN", "EXPIRY"}): frozenset({"JWT", "EXPIRY"}),
    frozenset({"TOKEN", "EXPIRY"}): frozenset({"JWT", "EXPIRY"}),
    frozenset({"JWT", "TOKEN", "EXPIRY"}): frozenset({"JWT", "EXPIRY"}),
    frozenset({"REFRESH", "TOKEN", "EXPIRY"}): frozenset({"JWT", "REFRESH", "EXPIRY"}),
    frozenset({"JWT", "REFRESH", "TOKEN", "EXPIRY"}): frozenset({"JWT", "REFRESH", "EXPIRY"}),
    frozenset({"S3", "ACCESS", "KEY", "ID"}): frozenset({"S3", "ACCESS", "KEY"}),
    frozenset({"S3", "SECRET", "ACCESS", "KEY"}): frozenset({"S3", "SECRET", "KEY"}),
    frozenset({"S3", "BUCKET", "NAME"}): frozenset({"S3", "BUCKET"}),
    frozenset({"RUST", "LOG"}): frozenset({"RUST", "LOG"}),
}
_DURATION = frozenset({"EXPIRY", "TIMEOUT", "DURATION", "INTERVAL", "DELAY", "MAXAGE"})


BUNDLED = ("VITE_", "REACT_APP_", "VUE_APP_")
_BUNDLED_NAME = {prefix: re.compile(rb"(?<![A-Za-z0-9_])%s[A-Z0-9_]{0,80}" % prefix.encode()) for prefix in BUNDLED}


@lru_cache(maxsize=65536)
def public_prefix(name: str) -> str:
    """The public prefix of a name, or ""."""
    return next((prefix for prefix in PUBLIC_PREFIXES if name.startswith(prefix)), "")


def bundled(data: bytes) -> Iterator[str]:
    """The names in source that begin as the public variables of a bundler do. Nothing but the bundle's own source reads
    those, while libraries read names that begin as those of Next.js or Nuxt.
    """
    for prefix in BUNDLED:
        if prefix.encode() in data:
            yield from (match.decode() for match in _BUNDLED_NAME[prefix].findall(data))


@lru_cache(maxsize=65536)
def meaning(name: str) -> frozenset[str]:
    """The words that a name means, without prefix, units and fillers. Two names of one meaning carry the
    same value.
    """
    bare = name[len(public_prefix(name)) :].upper()
    words: set[str] = set()
    for word in re.split(r"_+", bare):
        mapped = _WORDS.get(word, word)
        words.update(mapped.split("_"))
    if "MAX" in words and "AGE" in words:
        words = (words - {"MAX", "AGE"}) | {"EXPIRY"}
    words -= {""}
    if "SERVICE" in words and len(words) > 3 and words & {"URL", "HOST", "PORT"}:
        words -= {"SERVICE"}  # of whom the rest tells enough
    kept = words - _FILLERS - (UNITS.keys() if words & _DURATION else set())
    found = frozenset(kept or words)
    return _MEANINGS.get(found, found)


def is_duration(name: str) -> bool:
    """Whether a name is that of a length of time."""
    return bool(meaning(name) & _DURATION)


def unit_of(name: str) -> str:
    """The unit that a name states, or ""."""
    return next((UNITS[word] for word in name.upper().split("_") if word in UNITS), "") if is_duration(name) else ""
