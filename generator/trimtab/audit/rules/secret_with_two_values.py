"""One secret has different values for one environment."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from trimtab.audit.facts.model import Facts, SecretValue
from trimtab.audit.finding import Finding, Rule


def check(facts: Facts) -> Iterator[Finding]:
    """One finding per name and environment."""
    by_name: dict[tuple[str, str], list[SecretValue]] = defaultdict(list)
    for secret in facts.secrets:
        name = secret.name.upper().replace("-", "_").replace(".", "_")
        if secret.environment == "example" or secret.weak or secret.strength == "weak":
            continue
        if "_" in name:  # one word, such as `auth` or `password`, is another secret in every object that has it
            by_name[(name, secret.environment)].append(secret)
    for (name, environment), found in sorted(by_name.items()):
        if len({secret.digest for secret in found}) > 1 and len({secret.place.path for secret in found}) > 1:
            where = f" for {environment}" if environment else ""
            yield RULE.finding(
                f"{name} has different values{where}",
                [(secret.place, f"value {secret.digest[:6]}") for secret in found],
                confidence="high" if environment else "medium",
            )


RULE = Rule(
    module=__name__,
    severity="medium",
    area="Environment Variables Consistency",
    title="One secret has different values for one environment",
    what="Compares the digests of secrets of one name between the files of one environment.",
    why="Tokens signed by one part are refused by the other, or one part cannot log in.",
    example="""docker-compose.yml: JWT_SECRET: 4f1c…
k8s/secret.yaml:    JWT_SECRET: 77ab…""",
    remedy="Keep the secret in one place and refer to it.",
    check=check,
)
