"""A file in the repository holds a secret."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from trimtab.audit.facts.model import Facts, SecretValue
from trimtab.audit.finding import Finding, Rule


def check(facts: Facts) -> Iterator[Finding]:
    """One finding per secret; the value is never shown."""
    by_digest: dict[str, list[SecretValue]] = defaultdict(list)
    for secret in facts.secrets:
        if secret.environment not in ("local", "test", "example") or secret.strength == "certain":
            by_digest[secret.digest].append(secret)
    for found in by_digest.values():
        certain = any(secret.strength == "certain" for secret in found)
        names = ", ".join(dict.fromkeys(secret.name for secret in found))
        yield RULE.finding(
            f"The value of {names} looks like a real secret",
            [(secret.place, secret.name) for secret in found],
            confidence="high"
            if certain or any(secret.environment in ("production", "staging") for secret in found)
            else "medium",
            severity="critical" if certain else "high",
        )


RULE = Rule(
    module=__name__,
    severity="high",
    area="Environment Variables Consistency",
    title="A file in the repository holds a secret",
    what="Looks at the values of variables that are named like secrets, and for keys of known "
    "services, in env files, compose, Kubernetes "
    "Secrets and ConfigMaps. Placeholders, references and development values are left out. ",
    why="Everybody who can read the repository, now or later, has the secret, and taking it out of "
    "the history is hard.",
    example="env.production: JWT_SECRET=9f8a7c…",
    remedy="Take the value out, replace the secret where it is used, and let the environment's secret store give it.",
    check=check,
)
