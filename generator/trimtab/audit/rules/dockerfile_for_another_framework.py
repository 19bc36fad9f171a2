"""A Dockerfile builds another framework than the source beside it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from trimtab.audit.facts.frameworks import DOCKERFILE_TOOLS, ECOSYSTEM
from trimtab.audit.facts.model import Dockerfile, Facts, Package, Place
from trimtab.audit.facts.packages import framework_by_file
from trimtab.audit.facts.query import commands_by_path
from trimtab.audit.facts.unbuilt import unbuilt
from trimtab.audit.finding import Finding, Rule
from trimtab.errors import some

# A bundler that other frameworks bring along: naming it says nothing against them.
_COMPATIBLE = {
    "vite": {
        "react-router",
        "sveltekit",
        "astro",
        "tanstack-start",
        "nuxt",
        "angular",
        "express",
        "fastify",
        "laravel",
        "rails",
        "hono",
        "vitest",
    }
}

# What a Dockerfile copies from such a framework's build exists in no other.
_DECISIVE = frozenset({"next"})


def check(facts: Facts) -> Iterator[Finding]:
    """One finding per Dockerfile."""
    built = {build.dockerfile for one in facts.containers if (build := one.build)} | {
        push.dockerfile for push in facts.pushes
    }
    reported: set[str] = set()
    for dockerfile in facts.dockerfiles:
        named = dict(dockerfile.frameworks)
        if not named:
            other = list(_other_tools(facts, dockerfile))
            reported |= {dockerfile.path} if other else set()
            yield from other
            continue
        packages = _packages(facts, dockerfile)
        known = {framework for package in (facts.packages or packages) for framework in package.frameworks}
        known |= _framework_hints(facts, dockerfile) | facts.once(
            "frameworks by file", lambda: {framework_by_file(path) for path in facts.files} - {""}
        )
        wrong = {
            name: place
            for name, place in named.items()
            if name not in known and not _COMPATIBLE.get(name, set()) & known
        }
        if not wrong or not known or (set(named) - set(wrong) and not _DECISIVE & wrong.keys()):
            continue
        dead = dockerfile.path not in built and not _built_elsewhere(facts, dockerfile)
        reported.add(dockerfile.path)
        yield _finding(facts, dockerfile, wrong, packages, dead=dead and bool(built))
    yield from _idle(facts, reported)


def _idle(facts: Facts, reported: set[str]) -> Iterator[Finding]:
    """Dockerfiles that nothing builds and that have no other fault."""
    for one in unbuilt(facts):
        path, used = one.dockerfile.path, sorted({path for _, path in one.builds})
        if path not in reported:
            first = one.dockerfile.stages[0].place if one.dockerfile.stages else Place(path, 1)
            yield RULE.finding(
                f"{path} is built by nothing, while {some(used, 3)} {'is' if len(used) == 1 else 'are'}",
                [(first, "built by nothing"), *one.builds[:5]],
                severity="low",
                confidence="medium",
                remedy=f"Remove {path}, or build it where the other images are built.",
            )


def _other_tools(facts: Facts, dockerfile: Dockerfile) -> Iterator[Finding]:
    """A Dockerfile that calls the build tools of one language only, for a service in another one."""
    tools: dict[str, Place] = {}
    for command in commands_by_path(facts).get(dockerfile.path, []):
        for pattern, ecosystem in DOCKERFILE_TOOLS:
            if re.search(pattern, command.text[:2000]):
                tools.setdefault(ecosystem, command.place)
    roots = {
        service.root for service in facts.services if any(one.path == dockerfile.path for one in service.dockerfiles)
    } - {None, ""}
    near = [package for package in facts.packages if package.directory in (roots or {dockerfile.directory})]
    ecosystems = {package.ecosystem for package in near}
    if tools and ecosystems and not ecosystems & set(tools):
        yield RULE.finding(
            f"{dockerfile.path} builds with {' and '.join(sorted(tools))}, but the source is {' and '.join(sorted(ecosystems))}",  # noqa: E501
            [
                *((place, name) for name, place in tools.items()),
                *((Place(package.path, 1), package.ecosystem) for package in near),
            ],
        )


def _packages(facts: Facts, dockerfile: Dockerfile) -> list[Package]:
    """The manifests that the Dockerfile can be for: its services' or its directory's, else all."""
    roots = {
        service.root for service in facts.services if any(one.path == dockerfile.path for one in service.dockerfiles)
    } - {None}
    roots.add(dockerfile.directory)
    near = [package for package in facts.packages if package.directory in roots and package.frameworks]
    return near or [package for package in facts.packages if package.frameworks]


def _framework_hints(facts: Facts, dockerfile: Dockerfile) -> set[str]:
    """Frameworks that public variables show, for trees whose sources are kept elsewhere: those of the services that
    the Dockerfile builds, or of all where it builds none.
    """
    if any(package.frameworks for package in facts.packages):
        return set()
    own = [one for one in facts.containers if one.build and one.build.dockerfile == dockerfile.path]
    names = {
        item.name for one in own or facts.containers for item in (*one.env, *(one.build.args if one.build else ()))
    }
    hints = {"VITE_": "vite", "NEXT_PUBLIC_": "next", "REACT_APP_": "cra"}
    return {framework for prefix, framework in hints.items() if any(name.startswith(prefix) for name in names)}


def _built_elsewhere(facts: Facts, dockerfile: Dockerfile) -> bool:
    return any(
        dockerfile.path in command.text and "build" in command.text
        for command in facts.commands
        if dockerfile.directory or "-f" in command.text
    )


def _finding(
    facts: Facts, dockerfile: Dockerfile, wrong: dict[str, Place], packages: list[Package], *, dead: bool
) -> Finding:
    name, _place = next(iter(wrong.items()))
    places = [(place, name) for name, place in wrong.items()]
    expected = sorted({framework for package in packages for framework in package.frameworks})
    same = [package for package in packages if ECOSYSTEM.get(name) in (package.ecosystem, None)] or packages
    places += [(Place(package.path, 1), package.frameworks[0]) for package in same[:3]]
    prefix = {"vite": "VITE_", "next": "NEXT_PUBLIC_"}
    for container in facts.containers:
        for item in (*container.env, *(container.build.args if container.build else ())):
            if (
                any(item.name.startswith(prefix[one]) for one in (expected or ["vite", "next"]) if one in prefix)
                and item.origin == "compose"
            ):
                places.append((item.name_place, item.name))
    note = ", and nothing builds it" if dead else ""
    told = expected[0] if len(expected) == 1 else " and ".join(expected[:3]) or "another framework"
    return RULE.finding(
        f"{dockerfile.path} builds {name}, but the source is {told}{note}",
        places,
        confidence="high" if packages else "medium",
        remedy=f"Remove {dockerfile.path}, or make it build {told}; keep one Dockerfile per service beside the compose entry that names it.",  # noqa: E501
    )


RULE = Rule(
    module=__name__,
    kind="1.2",
    severity="high",
    area="Docker Configuration",
    title="A Dockerfile is for another framework than the source",
    what="""Compares the framework that a Dockerfile names outright (`.next/standalone`, `manage.py`,
`artisan`, …) with the frameworks of
the package manifests that it can be for, and says whether any compose file or workflow builds it. A Dockerfile that
nothing builds, where other ones of the repository are built, is reported with low severity.""",
    why="Whoever builds that Dockerfile gets a failed build, or an image of something that is not there.",
    example="""Dockerfile:          COPY --from=builder /app/.next/standalone ./
frontend/package.json: "vite": "^6.0.0\"""",
    remedy="Remove the Dockerfile, or make it build the framework that the source uses.",
    check=check,
)
