"""A file in the repository holds a secret."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from trimtab.audit.facts.model import Facts, SecretValue
from trimtab.audit.finding import Finding, Rule
from trimtab.errors import some

_APART = ("local", "test", "example")


def check(facts: Facts) -> Iterator[Finding]:
    """One finding per secret; the value is never shown."""
    by_digest: dict[str, list[SecretValue]] = defaultdict(list)
    for secret in facts.secrets:
        by_digest[secret.digest].append(secret)
    plain: dict[str, list[SecretValue]] = defaultdict(list)
    for found in by_digest.values():
        # A value of a development or test file matters where it stands in another file, too.
        grave = [one for one in found if _grave(one)]
        if not grave:
            continue
        if all(one.strength == "weak" for one in grave):
            for secret in grave:
                plain[secret.place.path].append(secret)
            continue
        certain = any(secret.strength == "certain" for secret in grave)
        open_default = all(secret.fallback for secret in grave)
        names = ", ".join(dict.fromkeys(secret.name for secret in found))
        yield RULE.finding(
            f"The value of {names} looks like a real secret",
            [(secret.place, secret.name) for secret in found],
            confidence="low"
            if open_default and not certain
            else "high"
            if certain or any(secret.environment in ("production", "staging") for secret in grave)
            else "medium",
            severity="critical" if certain else "medium" if open_default else "high",
        )
    yield from _weak(plain)


def _grave(secret: SecretValue) -> bool:
    return secret.strength == "certain" or (secret.environment not in _APART and not secret.weak)


def _weak(by_file: dict[str, list[SecretValue]]) -> Iterator[Finding]:
    """One finding for the plain words in the Secrets of a file."""
    for path, found in sorted(by_file.items()):
        names = some(sorted({secret.name for secret in found}), 3)
        yield RULE.finding(
            f"{path} holds the value of {names} in a Secret that everybody can read",
            [(secret.place, secret.name) for secret in found],
            severity="medium",
            confidence="medium",
        )


RULE = Rule(
    module=__name__,
    severity="high",
    area="Environment Variables Consistency",
    title="A file in the repository holds a secret",
    what="Looks at the values of variables that are named like secrets, and for keys of known services, in env files, "
    "compose, Kubernetes Secrets and ConfigMaps, scripts, workflow steps and .NET settings. Placeholders, references "
    "and development values are left out, and passwords that everybody knows anywhere but in production; what an "
    "interpolation falls back on weighs less, unless it was made at random.",
    why="Everybody who can read the repository, now or later, has the secret, and taking it out of "
    "the history is hard.",
    example="env.production: JWT_SECRET=9f8a7c…",
    remedy="Take the value out, replace the secret where it is used, and let the environment's secret store give it.",
    check=check,
)
