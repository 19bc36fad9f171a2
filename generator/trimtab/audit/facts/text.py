"""Small readings shared by several kinds of file: image references, commands, ports, URLs, paths."""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

from trimtab.audit.facts.interpolation import MAX_VALUE, interpolate
from trimtab.audit.facts.model import Image, Place
from trimtab.yamlpos import Scalar, Seq, Value


def parse_image(text: str, place: Place, values: Mapping[str, str] | None = None) -> Image:
    """The parts of an image reference. An interpolated part that has no value is left out and marks the
    image open.
    """
    filled, names = interpolate(text.strip(), values or {})
    known = filled is not None and "{{" not in filled and not names
    shown = filled if filled is not None else re.sub(r"\$\{[^${}]*\}|\$\w+", "", text)
    shown = re.sub(r"\$?\{\{[^{}]*\}\}|<[^<>]*>", "", shown).strip("\"' ")
    name, _, digest = shown.partition("@")
    repository, tag = name, ""
    if ":" in name.rsplit("/", 1)[-1]:
        repository, _, tag = name.rpartition(":")
    return Image(text, repository.strip("/"), tag, digest, place, open=not known or "${" in text or "{{" in text)


def command_text(value: Value) -> str:
    """A command as one line, whether it is written as a string or as a list."""
    if isinstance(value, Seq):
        return " ".join(
            item if re.fullmatch(r"[\w@%+=:,./$\{}-]+", item) else shlex.quote(item) for item in value.texts()
        )
    return str(value) if isinstance(value, Scalar) else ""


def split_port(text: str) -> tuple[str, int | None, str]:
    """Host part, container port and protocol of a compose port: `127.0.0.1:8080:80/tcp` gives ("8080",
    80, "tcp").
    """
    body, _, protocol = text.partition("/")
    if body.startswith("[") or body.count(":") > 2:  # an IPv6 host address
        body = body[body.rfind("]") + 2 :] if "]" in body else body
    parts = body.split(":")
    host = parts[-2] if len(parts) > 1 else ""
    return host, to_port(parts[-1]), protocol or "tcp"


def to_port(text: object) -> int | None:
    """A port number, or None when `text` is none (a range, a name, an interpolation)."""
    digits = str(text).strip().strip("\"'")
    if digits.isascii() and digits.isdigit() and len(digits) <= 5 and 0 < int(digits) <= 65535:
        return int(digits)
    return None


_URL = re.compile(r"\b([a-z][a-z0-9+.-]{1,20}):(?:\\?/){2}([^\s\"'`<>|;,)\\]+)", re.IGNORECASE)
DEFAULT_PORTS = {
    "http": 80,
    "https": 443,
    "postgres": 5432,
    "postgresql": 5432,
    "redis": 6379,
    "rediss": 6379,
    "mysql": 3306,
    "mariadb": 3306,
    "mongodb": 27017,
    "amqp": 5672,
    "amqps": 5671,
    "ws": 80,
    "wss": 443,
    "kafka": 9092,
    "memcached": 11211,
    "nats": 4222,
    "elasticsearch": 9200,
    "clickhouse": 8123,
}


_HOST = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?|[0-9a-f:]+", re.IGNORECASE)


def urls(text: str) -> list[tuple[str, str, int | None, str]]:
    """(scheme, host, port as written, path) of every URL in `text`; JDBC's inner scheme is given as the
    scheme.
    """
    found: list[tuple[str, str, int | None, str]] = []
    if "//" not in text:
        return found
    for match in _URL.finditer(text[:MAX_VALUE]):
        scheme = match[1].lower().split("+")[0].rsplit(".", 1)[-1]
        try:
            parts = urlsplit(f"{scheme}://{match[2]}")
            host, port = parts.hostname or "", parts.port
        except ValueError:
            continue
        if host and _HOST.fullmatch(host):
            found.append((scheme, host, port, parts.path))
    return found


def join(directory: str, path: str) -> str | None:
    """`path` as seen from `directory`, relative to the root; None when it leads outside, is absolute or
    is not known.
    """
    if path.startswith(("/", "~")) or "$" in path or "{{" in path or "://" in path or "\0" in path:
        return None
    joined = posixpath.normpath(posixpath.join(directory or ".", path))
    return None if joined.startswith("..") else ("" if joined == "." else joined)


def directory_of(path: str) -> str:
    """The directory of a path, "" at the root."""
    return path.rpartition("/")[0]


def nearest(directory: str, known: Collection[str]) -> str:
    """`directory`, or the first one above it that is `known`; "" where none is, and where the root is."""
    while directory and directory not in known:
        directory = directory_of(directory)
    return directory


_HTTP_CHECK = re.compile(
    r"https?://(?P<host>localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1?\]|\$\{?HOSTNAME\}?)(?::(?P<port>\$\{?[A-Za-z_][^}/\s]*\}?|\d+))?"
    r"(?P<path>/[^\s\"'|);,\]]*)?"
)


def http_check(command: str, values: Mapping[str, str]) -> tuple[str, int | None] | None:
    """Path and port of the URL on the container itself that a health check's command asks; None when it
    asks none.
    """
    match = _HTTP_CHECK.search(command)
    if match is None:
        return None
    written = match["port"]
    if written is None:
        port: int | None = 443 if match.group().startswith("https") else 80
    else:
        port = to_port(interpolate(written.replace("\\", ""), values)[0] or "")
    return (match["path"] or "/").split("?")[0], port
