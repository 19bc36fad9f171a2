"""A stage of a Dockerfile fills in a build argument that only another stage declares."""

from __future__ import annotations

from collections.abc import Iterator

from trimtab.audit.facts.model import Facts
from trimtab.audit.finding import Finding, Rule


def check(facts: Facts) -> Iterator[Finding]:
    """One finding per Dockerfile and argument."""
    for dockerfile in facts.dockerfiles:
        for name in dict.fromkeys(name for name, _, _ in dockerfile.unscoped):
            uses = [one for one in dockerfile.unscoped if one[0] == name]
            yield RULE.finding(
                f"{dockerfile.path} uses {name} in a stage that does not declare it",
                [*((place, f"${{{name}}}") for _, place, _ in uses), (uses[0][2], f"ARG {name}")],
            )


RULE = Rule(
    module=__name__,
    severity="high",
    area="Docker Configuration",
    title="A build argument is used where it does not hold",
    what="Follows the `ARG`s of a Dockerfile from stage to stage, and looks for `COPY`, `ENV`, `WORKDIR` and the like "
    "that fill in one which only another stage, or a line before the first `FROM`, declares.",
    why="An ARG ends with its stage, so the name is empty there: paths lose a part, and the build fails or copies "
    "something else.",
    example="""FROM node:22 AS build
ARG APP
FROM nginx:1.29
COPY --from=build /src/apps/${APP}/dist /usr/share/nginx/html""",
    remedy="Repeat `ARG NAME` in the stage that uses it.",
    check=check,
)
