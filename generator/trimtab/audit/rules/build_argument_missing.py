"""A frontend's image is built without a build argument that its Dockerfile takes."""

from __future__ import annotations

import re
from collections.abc import Iterator

from trimtab.audit.facts.frameworks import BUILD_TIME_PREFIXES
from trimtab.audit.facts.model import Dockerfile, EnvVar, Facts, Place
from trimtab.audit.finding import Finding, Rule

# What a frontend cannot do without: the address of its own backend. Tokens of analytics and the like are a choice.
_ADDRESS = re.compile(
    r"_(?:API|BACKEND|SERVER|WS|SOCKET|GRAPHQL)(?:_\w{1,40})?_(?:URL|URI|HOST|ENDPOINT|ORIGIN)$|_(?:API|BACKEND|SERVER)$"
)


def check(facts: Facts) -> Iterator[Finding]:
    """One finding per Dockerfile, with every build that leaves something out."""
    for dockerfile in facts.dockerfiles:
        wanted = {arg.name: arg for arg in dockerfile.args if _needed(arg) and not _from_a_file(arg, dockerfile, facts)}
        lacking: dict[str, dict[tuple[Place, str], None]] = {}
        for place, given in _builds(dockerfile, facts) if wanted else ():
            for name in sorted(wanted.keys() - given):
                lacking.setdefault(name, {})[(place, f"no build argument {name}")] = None
        if lacking:
            places = [(wanted[name].place, f"ARG {name}") for name in lacking]
            places += [(read.place, f"reads {name}") for name in lacking for read in facts.reads if read.name == name]
            yield RULE.finding(
                f"{dockerfile.path} is built without {', '.join(lacking)}",
                [*(one for builds in lacking.values() for one in builds), *places],
            )


def _needed(arg: EnvVar) -> bool:
    return arg.value is None and arg.name.startswith(BUILD_TIME_PREFIXES) and _ADDRESS.search(arg.name) is not None


def _builds(dockerfile: Dockerfile, facts: Facts) -> Iterator[tuple[Place, frozenset[str]]]:
    """The builds of a Dockerfile, other than for development, whose arguments are all known."""
    if dockerfile.environment in ("local", "test"):
        return
    for push in facts.pushes:
        if push.dockerfile == dockerfile.path and push.args is not None:
            yield push.built or push.place, push.args
    for container in facts.containers:
        build = container.build
        if build and build.dockerfile == dockerfile.path and container.environment not in ("local", "test"):
            yield build.place, frozenset(arg.name for arg in build.args)


def _from_a_file(arg: EnvVar, dockerfile: Dockerfile, facts: Facts) -> bool:
    """Whether the build has the value from an env file that the image copies with the source."""
    homes = {dockerfile.directory, *(service.root for service in facts.services if dockerfile in service.dockerfiles)}
    return any(
        item.name == arg.name
        for file in facts.env_files
        if file.directory in homes and file.environment in ("", "production")
        for item in file.variables
    )


RULE = Rule(
    module=__name__,
    severity="medium",
    area="Environment Variables Consistency",
    title="A frontend is built without the address of its backend",
    what="Compares the `ARG`s for addresses (`VITE_API_URL`, `NEXT_PUBLIC_WS_URL`) that a Dockerfile declares without "
    "a default with the build arguments that workflows, scripts and compose files give when they build it.",
    why="The bundle is made with an empty value, or with the source's default, which is mostly at localhost.",
    example="""web/Dockerfile: ARG VITE_API_URL
ci.yml:         docker build -t ghcr.io/acme/web web""",
    remedy="Give the argument in every build, or a default in the Dockerfile.",
    check=check,
)
