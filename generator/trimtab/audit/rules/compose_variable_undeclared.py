"""A compose file asks for a variable that no env file declares."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

from trimtab.audit.facts.model import Facts, Place
from trimtab.audit.facts.text import directory_of
from trimtab.audit.finding import Finding, Rule
from trimtab.audit.rules.env_read_undeclared import AMBIENT

# What the one who builds or deploys gives by hand.
_BY_HAND = re.compile(r"TAG|VERSION|REGISTRY|IMAGE|UID|GID|COMPOSE_|DOCKER_|HOSTNAME|SHA|COMMIT|BRANCH|ARCH|PLATFORM")


def check(facts: Facts) -> Iterator[Finding]:
    """One finding per compose file of which most variables are declared."""
    pipelines = {workflow.path for workflow in facts.workflows if workflow.system == "gitlab"}
    if any("compose" in one.text and one.place.path in pipelines for one in facts.commands):
        return  # GitLab gives every command the variables of the project's own settings
    declared = {item.name for file in facts.env_files for item in file.variables}
    given = facts.mentioned | {item.name for workflow in facts.workflows for item in workflow.env}
    given |= {name for workflow in facts.workflows for name in workflow.given}
    told = [one.text for one in facts.commands if one.context in ("workflow", "script", "makefile", "package")]
    given |= {word for text in told for word in re.findall(r"[A-Z][A-Z0-9_]{2,}", text)}
    for file in facts.compose:
        asked: dict[str, list[Place]] = defaultdict(list)
        for name, place in file.asked:
            asked[name].append(place)
        lacking = [
            name
            for name in asked
            if name not in declared and name not in given and not _BY_HAND.search(name) and not AMBIENT.match(name)
        ]
        known = asked.keys() & declared
        if not lacking or len(known) < 2 or file.environment in ("test", "example"):
            continue
        homes = sorted(
            (env for env in facts.env_files if known & {item.name for item in env.variables}),
            key=lambda env: (-len(known & {item.name for item in env.variables}), env.path),
        )
        near = [env for env in homes if env.directory == directory_of(file.path)] or homes
        yield RULE.finding(
            f"{file.path} asks for {_listed(lacking)}, which no env file declares",
            [
                *((place, name) for name in lacking for place in asked[name]),
                *((Place(env.path, 1), f"not declared: {', '.join(lacking)}") for env in near[:2]),
            ],
        )


def _listed(names: list[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


RULE = Rule(
    module=__name__,
    severity="medium",
    area="Environment Variables Consistency",
    title="A compose file asks for a variable that no env file declares",
    what="Compares the `${NAME}` without a default in compose files with what the env files and their examples "
    "declare, where they declare other variables of the same file. What commands and workflows set is left out.",
    why="Compose puts an empty text there and goes on, so that a password is empty or a service is not found.",
    example="""docker-compose.prod.yml: POSTGRES_PASSWORD: ${POSTGRES_PASSWORD}
.env.example:            POSTGRES_USER=shop   # and no POSTGRES_PASSWORD""",
    remedy="Add the variable to the env file and its example, or use `${NAME:?}` so that compose refuses to start.",
    check=check,
)
