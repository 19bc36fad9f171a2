"""Which variables hold secrets. When in doubt one does: a name under `secrets` costs nothing, a leaked value does."""

from __future__ import annotations

import re
from collections.abc import Iterator

from trimtab.audit.facts import model as m
from trimtab.audit.facts.secrets import is_secret_name, looks_random
from trimtab.settings.env_names import looks_secret

# Names of keys that settings accept as configuration, and that are secrets all the same.
_KEYS = re.compile(
    r"(?:^|_)(?:ENCRYPTION|SIGNING|LICENSE|AUTH|MASTER|APP|SESSION|COOKIE)_KEY$|(?:^|_)(?:SALT|PASS|PWD|AUTH|PIN|WEBHOOK_URL)$"
)
_SWITCH = re.compile(r"(?:true|false|yes|no|on|off|none|\d{1,3}|)", re.IGNORECASE)
# A value that has credentials in it, whatever it is called.
_CREDENTIALS = re.compile(
    r"://[^/\s:@]*:[^/\s@]+@"  # user:password@host
    r"|://[^/\s:@]{16,}@"  # token@host
    r"|(?i:(?:^|[?&;,\s\"'])(?:password|passwd|pwd|secret|token|api_?key|access_?key|sig|signature|accountkey"
    r"|sharedaccesskey|client_secret|user_?pass)[\"']?\s{0,3}[=:]\s{0,3}[\"']?[^\s\"';&,]{3,})"
    r"|(?i:\b(?:bearer|basic)\s+[A-Za-z0-9+/_.=-]{8,})"
    r"|(?<![\w-])eyJ[\w-]{8,}\.[\w-]{4,}"  # a JSON web token
    r"|-----BEGIN "
    r"|hooks\.slack\.com/(?:services|workflows)/|discord(?:app)?\.com/api/webhooks/|\.webhook\.office\.com/"
)
# A single word that ends like a password that somebody made up: `myredissecret`, `admin-password1`.
_MADE_UP = re.compile(
    r"[\w@#!$%^&*+-]{0,60}?(?:secret|passw(?:or)?d|passwd|changeme|letmein|hunter2)\d{0,6}!?", re.IGNORECASE
)
_NO_SECRET = re.compile(r"(?:_|^)(?:NAME|PATH|FILE|KEY|HEADER|STORE|TYPE|MODE|PROVIDER|POLICY|STRATEGY|FIELD|COOKIE)$")
_PUBLIC_NAME = re.compile(
    r"(?:^|_)(?:USER(?:NAME)?|DB|DATABASE|DBNAME|NAME|EMAIL|HOST|SCHEMA|BUCKET|REGION|ENV(?:IRONMENT)?)$"
)
_MIN_SHARED = 6


class Secrecy:
    """What the repository's files show of its secrets: the values that stand under a secret's name somewhere."""

    def __init__(self, facts: m.Facts) -> None:
        """Take the facts. Values are compared, and never kept beyond this object."""
        self.strong = {(one.name, one.place) for one in facts.secrets if one.strength == "certain"}
        items = list(_items(facts))
        told = {value for name, value in items if _PUBLIC_NAME.search(name)}
        self.values = {
            value
            for name, value in items
            if is_name(name) and len(value) >= _MIN_SHARED and not _SWITCH.fullmatch(value) and value not in told
        }

    def holds(self, name: str, value: str | None, place: m.Place) -> bool:
        """Whether a variable is a secret by its value."""
        if (name, place) in self.strong:
            return True
        if not value:
            return False
        made_up = bool(_MADE_UP.fullmatch(value)) and not _NO_SECRET.search(name)
        return bool(_CREDENTIALS.search(value[:4000])) or looks_random(value) or made_up or value in self.values


def is_name(name: str) -> bool:
    """Whether a variable of this name holds a secret."""
    return looks_secret(name) or is_secret_name(name) or bool(_KEYS.search(name))


def only_switches(name: str, values: list[str | None]) -> bool:
    """Whether a name that might be a secret's is given nothing but switches: `SMTP_AUTH: true`."""
    weak = bool(_KEYS.search(name)) and not looks_secret(name)
    return weak and bool(values) and all(value is not None and _SWITCH.fullmatch(value) for value in values)


def _items(facts: m.Facts) -> Iterator[tuple[str, str]]:
    for container in facts.containers:
        for item in container.env:
            if item.value:
                yield item.name, item.value
    for file in facts.env_files:
        for item in file.variables:
            if item.value:
                yield item.name, item.value
    for one in facts.objects:
        if one.kind == "Secret":
            yield from ((key, str(text)) for key, text in one.body.map("stringData").items() if isinstance(text, str))
