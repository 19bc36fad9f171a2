"""A URL asks for TLS of a database that has none."""

from __future__ import annotations

import re
from collections.abc import Iterator

from trimtab.audit.facts.configured import given
from trimtab.audit.facts.dbservers import servers
from trimtab.audit.facts.model import Container, Facts, Place
from trimtab.audit.finding import Finding, Rule
from trimtab.errors import some

# Images that have TLS off until somebody gives them a certificate.
_PLAIN = frozenset({"postgres", "pgvector", "postgis", "timescaledb"})
_ASKS = re.compile(
    r"\bpostgres(?:ql)?(?:\+\w{1,20})?://(?:[^\s@/]{0,200}@)?([A-Za-z][\w.-]{0,100})(?::\d{1,5})?/[^\s?\"']{0,100}"
    r"\?[^\s\"']{0,200}?\b(ssl(?:mode)?=(?:require|verify-ca|verify-full|true))\b"
)


def check(facts: Facts) -> Iterator[Finding]:
    """One finding per image: databases of one kind lack it alike."""
    asked: dict[str, dict[tuple[Place, str], None]] = {}
    names: dict[str, dict[str, None]] = {}
    for item in given(facts):
        for match in _ASKS.finditer(item.text[:5000]):
            found = servers(match[1], item.place, facts)
            if not found or not all(_without(one, facts) for one in found):
                continue
            for one in found:
                image = one.image.text if one.image else one.name
                asked.setdefault(image, {})[(item.place, f"{match[1]}: {match[2]}")] = None
                asked[image][(one.place, f"{one.name}: {image}, no TLS")] = None
                names.setdefault(image, {})[match[1].split(".")[0]] = None
    for image, places in asked.items():
        yield RULE.finding(
            f"URLs ask {some(list(names[image]), 3)} for TLS, which {image} has off",
            places,
            confidence="medium",
            severity="medium" if all(_example(place) for place, said in places if "no TLS" not in said) else None,
        )


def _example(place: Place) -> bool:
    return re.search(r"example|sample|template", place.path.rsplit("/", 1)[-1]) is not None


def _without(server: Container, facts: Facts) -> bool:
    """Whether a container is a database that nothing gives TLS: no option, no file of settings, no other image."""
    if server.image is None or server.build or server.image.base not in _PLAIN or "bitnami" in server.image.repository:
        return False
    settings = any(
        mount.target.startswith("/etc") or mount.source.endswith((".conf", ".crt", ".pem", ".key", "certs"))
        for mount in server.mounts
    )
    told = "ssl" in server.command or "config_file" in server.command or any("SSL" in one.name for one in server.env)
    altered = any("ssl = on" in one.text or "ssl=on" in one.text for one in facts.commands)
    return not settings and not told and not altered


RULE = Rule(
    module=__name__,
    kind="2.4",
    severity="high",
    area="Environment Variables Consistency",
    title="A URL asks for TLS of a database without it",
    what="Takes the PostgreSQL URLs with `sslmode=require` or stricter in env files, compose files, manifests and "
    "Secrets in clear, and looks whether their host is a container of a plain image that no option, mount or variable "
    "gives a certificate.",
    why="PostgreSQL's images have TLS off: the client gives up with `server does not support SSL`.",
    example="""DATABASE_URL: postgres://app@db:5432/app?sslmode=require
kind: StatefulSet, name: db, image: postgres:17""",
    remedy="Give the database a certificate and `ssl=on`, or write `sslmode=disable` for the one inside the cluster.",
    check=check,
)
