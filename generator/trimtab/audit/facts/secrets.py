"""Which values in files are secrets, and which only stand for one. A value itself is never kept: only its
digest.
"""

from __future__ import annotations

import base64 as b64
import binascii
import hashlib
import math
import re

from trimtab.audit.facts import model as m
from trimtab.audit.facts.draft import Draft

_NAME = re.compile(
    r"(?:(?:^|_)[A-Z]*(?:PASSWORD|PASSWD|SECRET|TOKEN)|(?:^|_)(?:PASS|PASSPHRASE|SECRETS|JWT_?KEY|API_?KEY|PRIVATE_?KEY|ACCESS_?KEY|SECRET_?KEY|ENCRYPTION_?KEY|SIGNING_?KEY|"
    r"CLIENT_SECRET|AUTH_?KEY|MASTER_?KEY|CREDENTIALS|PWD|PEPPER|SALT|DSN|APP_KEY|KEY_BASE))(?:$|_)",
    re.IGNORECASE,
)
_NOT_NAME = re.compile(
    r"(?:EXPIR|TTL|LIFETIME|DURATION|LENGTH|MIN(?!IO)|MAX|ALGORITHM|_URL$|_URI$|_FILE$|_PATH$|_NAME$|_ID$|HEADER|ENDPOINT|PUBLIC|SITE_KEY|_HOST|_PORT|"
    r"ENABLED|POLICY|TYPE|VERSION|ROTATION|RATE|LIMIT|ISSUER|AUDIENCE|COOKIE|_IN$|SECONDS|MINUTES|HOURS|DAYS|LOCATION|RESET|"
    r"(?:ENVIRONMENT|REGION|ZONE|BUCKET|DOMAIN|EMAIL|USER|USERNAME)$)",
    re.IGNORECASE,
)
# What a Secret holds beside secrets: whose or where the thing is.
_IDENTITY = re.compile(
    r"(?:^|_)(?:ENV|ENVIRONMENT|REGION|ZONE|INDEX|MODEL|USER|USERNAME|LOGIN|DATABASE|DB|BUCKET|EMAIL|CLUSTER|LEVEL|MODE|SCHEME|"
    r"PROVIDER|ADDRESS|PROJECT|ACCOUNT|ORG|ORGANIZATION|TENANT|REALM|DOMAIN|SCOPE|CHANNEL|TOPIC|QUEUE|NAMESPACE|GROUP|DRIVER|SCHEMA|"
    r"ENGINE|PREFIX|FROM|SENDER|SERVER|BROKER|BROKERS|ORIGIN|ORIGINS|IMAGE|CLASS|STORE|BACKEND)$",
    re.IGNORECASE,
)
_PLACEHOLDER = re.compile(
    r"change.?(?:me|it|this)|your|example|placeholder|replace|todo|fixme|dummy|xxx|insert|sample|<[^<>]*>|\.\.\.|\*\*\*|_here|-here|fake|"
    r"not-?a-?real|redacted|generate|^(?:none|null|nil|undefined|false|true|secret|password|passwd|pass|token|key|admin|root|postgres|user|"
    r"test|testing|dev|development|local|localhost|default|guest|minio|minioadmin|redis|mysql|mongo|django|app|demo|db|string|value|empty|unset)$|"
    r"\bset[-_ ](?:me|in|this|by)|super.?secret|my.?secret|secret.?key|jwt.?secret|dev.?secret|\$\{|\$\(|\{\{|^\$|%\(|must.?be|should.?be|please|"  # noqa: E501
    r"^(?:test|dev|local|demo|ci)[-_.]|[-_.](?:test|dev|local|demo|ci)$|for.?(?:dev|test|local)|in.?production|do.?not.?use|insecure|unsafe|^enc\[|sealed|vault:|ref\+|op://|arn:aws|projects/",
    re.IGNORECASE,
)
# What tutorials and set-up scripts use.
_WEAK = re.compile(
    r"(?:p[a@]ssw[o0]rd|pass|admin|root|postgres|mysql|redis|mongo|rabbitmq|minio|minioadmin|guest|user|secret|test|changeme|"
    r"qwerty|letmein|welcome)[-_@#.!]?\d{0,4}[!@#]?",
    re.IGNORECASE,
)
# Words that say what a value is for, as a name does: `webhook_secret_123`.
_DESCRIPTION = re.compile(
    r"(?:[a-z]{1,30}\d{0,2}[_-]){1,3}?(?:password|passwd|pass|secret|token|key|auth|account|credentials?|bearer)"
    r"(?:[_-][a-z]{1,30}|[_-]\d{1,3}){0,2}"
)
_CERTAIN = re.compile(
    r"AKIA[0-9A-Z]{16}|ghp_[A-Za-z0-9]{36}|github_pat_\w{40,}|xox[abps]-[0-9A-Za-z-]{20,}|sk_live_[0-9a-zA-Z]{20,}|rk_live_[0-9a-zA-Z]{20,}|"
    r"AIza[0-9A-Za-z_-]{35}|SG\.[\w-]{20,}\.[\w-]{20,}|glpat-[\w-]{20,}|-----BEGIN (?:RSA |EC |OPENSSH |)PRIVATE KEY-----|npm_[A-Za-z0-9]{36}|"  # noqa: E501
    r"sk-(?:proj-|ant-)?[A-Za-z0-9_-]{32,}|dop_v1_[a-f0-9]{64}"
)
_APP_PASSWORD = re.compile(r"[a-z]{4}(?: [a-z]{4}){3}")  # as Google makes them for mail clients
_URL_PASSWORD = re.compile(r"^[a-z][a-z0-9+.]*://[^\s:/@]*:([^\s@/]+)@([\w.-]+)", re.IGNORECASE)


def is_secret_name(name: str) -> bool:
    """Whether a variable of this name holds a secret."""
    return bool(_NAME.search(name)) and not _NOT_NAME.search(name)


def is_placeholder(value: str) -> bool:
    """Whether a value only stands for a secret: empty, a reference, a hint to change it, or a word that
    nobody took for one.
    """
    return _stands_in(value) or _DESCRIPTION.fullmatch(value.strip()) is not None


def _stands_in(value: str) -> bool:
    """Whether nobody would use a value; words that describe a secret may serve as a bad one."""
    text = value.strip()
    if len(text) < 8 or _PLACEHOLDER.search(text):
        return True
    return (
        len(set(text.lower())) <= 3
        or text.isdigit()
        or bool(re.fullmatch(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)+|/[\w./-]+", text))
    )


def is_weak(value: str) -> bool:
    """Whether everybody knows a password, so that nobody took it for a secret; in production it is one all the same."""
    return _WEAK.fullmatch(value.strip()) is not None


def entropy(text: str) -> float:
    """Shannon entropy in bits per character."""
    counts = [text.count(char) for char in set(text)]
    return -sum(count / len(text) * math.log2(count / len(text)) for count in counts) if text else 0.0


def looks_random(value: str) -> bool:
    """Whether a value can only have been made at random: one long word of letters and digits without order.

    Hexadecimal digits hold 4 bits each at most, base 64 holds 6: real words in a name or a path stay below both marks.
    """
    if len(value) < 24 or not re.fullmatch(r"[A-Za-z0-9+/_-]+={0,2}", value) or is_placeholder(value):
        return False
    if re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", value, re.IGNORECASE):
        return False  # a UUID is an identity, not a secret
    digits = sum(char.isdigit() for char in value)
    hexadecimal = bool(re.fullmatch(r"[0-9a-fA-F]+", value))
    return digits >= 3 and entropy(value) >= (3.0 if hexadecimal else 4.0)


def secret_in(name: str, value: str) -> tuple[str, m.Strength] | None:
    """(the secret, `certain` or `likely`) within a variable's value, or None when it holds none."""
    known = _CERTAIN.search(value)
    if known and not _PLACEHOLDER.search(value):
        return known.group(), "certain"
    if is_secret_name(name) and _APP_PASSWORD.fullmatch(value.strip()) and len(set(value)) > 9:
        return value.strip(), "certain"
    url = _URL_PASSWORD.match(value)
    if url:
        password = url[1]
        weak = is_placeholder(password) or not _strong(password)
        return None if weak else (password, "likely")
    if (
        is_secret_name(name)
        and not is_placeholder(value)
        and "://" not in value
        and " " not in value.strip()
        and _strong(value)
    ):
        return value, "likely"
    return None


def _strong(value: str) -> bool:
    """Whether a value looks made at random or chosen as a password, rather than written as a word."""
    classes = sum(bool(re.search(pattern, value)) for pattern in (r"[a-z]", r"[A-Z]", r"\d", r"[^\w]"))
    return entropy(value) >= 2.8 and (
        classes >= 3 or (classes == 2 and entropy(value) >= 3.1 and bool(re.search(r"\d", value))) or len(value) >= 24
    )


def _given(name: str, value: str) -> bool:
    """Whether a Secret gives a value that is meant to be used, however weak: it says more than its name does."""
    words, own = (set(re.split(r"[\W\d_]+", text.lower())) for text in (value, name))
    alike = re.sub(r"[\W_]", "", value).lower() == re.sub(r"[\W_]", "", name).lower()
    return is_secret_name(name.replace("-", "_")) and not _stands_in(value) and not alike and not words - {""} <= own


def note_secret(  # noqa: PLR0913 - where a value stands has several sides
    draft: Draft,
    name: str,
    value: str,
    place: m.Place,
    environment: str,
    *,
    base64: bool = False,
    kubernetes: bool = False,
    fallback: bool = False,
) -> None:
    """Add the secret that a variable's value holds, if it holds one and git does not leave its file out. `fallback` is
    whether the value is what an interpolation falls back on.
    """
    if "tpl-" in value or draft.repo.is_tracked(place.path) is False:  # a template's placeholder is no value
        return
    if base64:
        try:
            value = b64.b64decode(value, validate=True).decode()
        except (binascii.Error, ValueError):
            return
    plain = not kubernetes or _NOT_NAME.search(name) or _IDENTITY.search(name)
    found = secret_in(name if plain else f"{name}_SECRET", value)
    if found is None and kubernetes and is_secret_name(name) and not is_placeholder(value) and _strong(value):
        found = (value, "likely")
    if found is None and kubernetes and "templates/" not in place.path and _given(name, value.strip()):
        found = (value.strip(), "weak")
    if found is None:
        return
    secret, strength = found
    weak = is_weak(secret) and (fallback or environment not in ("production", "staging"))
    fallback = fallback and not looks_random(secret)  # a random default is shared by all who keep it
    digest = hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    draft.secrets.append(m.SecretValue(name, digest, place, environment, strength, fallback, weak))
