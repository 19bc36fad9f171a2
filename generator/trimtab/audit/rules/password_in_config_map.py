"""A ConfigMap holds a password in plain text."""

from __future__ import annotations

import re
from collections.abc import Iterator

from trimtab.audit.facts.clusterdata import values_of
from trimtab.audit.facts.model import Facts, Place
from trimtab.audit.finding import Finding, Rule

_LOGIN = re.compile(r"^[a-z][a-z0-9+:]{1,40}://[^\s/:@]{0,200}:([^\s/@]{1,200})@", re.IGNORECASE)
_SECRET = re.compile(r"(?:^|_)(?:PASSWORD|PASSWD|SECRET_KEY|API_SECRET|CLIENT_SECRET|JWT_SECRET|PRIVATE_KEY)$")
_NO_PASSWORD = frozenset({"pass", "pwd", "p", "x"})
_OPEN = re.compile(r"\$|<|\{\{|tpl-|change|your|example|xxx|placeholder|replace", re.IGNORECASE)


def check(facts: Facts) -> Iterator[Finding]:
    """One finding per ConfigMap."""
    for item in facts.objects:
        if item.kind != "ConfigMap" or item.patch or item.environment in ("local", "test", "example"):
            continue
        places: list[tuple[Place, str]] = []
        for key, held in values_of(item):
            login = _LOGIN.match(held.text)
            if login and login[1].lower() not in _NO_PASSWORD and not _OPEN.search(login[1]):
                places.append((held.place, f"{key} holds a password"))
            elif _SECRET.search(key) and held.text.strip() and "\n" not in held.text and not _OPEN.search(held.text):
                places.append((held.place, f"{key} is a password"))
        if places:
            yield RULE.finding(f"ConfigMap {item.name} holds a password in plain text", places)


RULE = Rule(
    module=__name__,
    severity="medium",
    area="Kubernetes",
    title="A ConfigMap holds a password",
    what="Looks in ConfigMaps for URLs with a password in them, and for values under the name of a password. What is "
    "filled in from elsewhere, and the ConfigMaps of development, are left out.",
    why="Everybody who may read the configuration of the namespace can log in, and the password stands in the "
    "repository for good.",
    example="kind: ConfigMap, data: { DATABASE_URL: 'postgresql://app:hunter2@postgres:5432/app' }",
    remedy="Put it into a Secret that is not in the repository, and give the URL its password from there.",
    check=check,
)
