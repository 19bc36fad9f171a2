"""A variable has the public prefix of a framework that the repository does not use."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from trimtab.audit.facts.envnames import public_prefix
from trimtab.audit.facts.frameworks import PUBLIC_PREFIXES
from trimtab.audit.facts.model import Facts, Place
from trimtab.audit.facts.query import own_variables
from trimtab.audit.finding import Finding, Rule


def check(facts: Facts) -> Iterator[Finding]:
    """One finding per foreign prefix."""
    used: dict[str, list[tuple[Place, str]]] = defaultdict(list)
    variables = [item for item, _ in own_variables(facts)]
    variables += [item for dockerfile in facts.dockerfiles for item in (*dockerfile.env, *dockerfile.args)]
    variables += [item for workflow in facts.workflows for item in workflow.env]
    for item in variables:
        prefix = public_prefix(item.name)
        if prefix:
            used[prefix].append((item.name_place, item.name))
    known = {framework for package in facts.packages for framework in package.frameworks} | _built(facts)
    read = {public_prefix(one.name) for one in facts.reads}
    packages = [package for package in facts.packages if package.ecosystem == "node"]
    for prefix, places in sorted(used.items()):
        others = [one for one in used if one != prefix and (PUBLIC_PREFIXES[one] & known or not known)]
        if (
            PUBLIC_PREFIXES[prefix] & known
            or prefix in read
            or any("vite" in package.dependencies for package in packages if prefix == "VITE_")
        ):
            continue
        frontends = {one for one in known if any(one in frameworks for frameworks in PUBLIC_PREFIXES.values())}
        if not frontends and (not others or _is_majority(used, prefix)):
            continue
        right = [place for one in others for place in used[one]]
        expected = sorted(
            read - {""} or {one for one, frameworks in PUBLIC_PREFIXES.items() if frameworks & known} or set(others)
        )
        yield RULE.finding(
            f"{prefix}* is set, but the repository's frontend reads {' and '.join(f'{one}*' for one in expected) or 'no such prefix'}",  # noqa: E501
            [*places, *right],
            confidence="high" if frontends else "medium",
        )


def _built(facts: Facts) -> set[str]:
    """Frameworks of the Dockerfiles that compose builds: evidence where the sources are kept elsewhere."""
    built = {container.build.dockerfile for container in facts.containers if container.build}
    return {name for one in facts.dockerfiles if one.path in built for name, _ in one.frameworks}


def _is_majority(used: dict[str, list[tuple[Place, str]]], prefix: str) -> bool:
    """Without manifests the prefix that most places use is taken for the right one."""
    return len(used[prefix]) >= max(len(places) for places in used.values())


RULE = Rule(
    module=__name__,
    kind="2.2",
    severity="high",
    area="Environment Variables Consistency",
    title="A public prefix belongs to a framework that is not used",
    what="""Compares the public prefixes of variables (`NEXT_PUBLIC_`, `VITE_`, `REACT_APP_`, …) with the
frontend frameworks of the package
manifests.""",
    why="The bundler drops variables without its own prefix, so the frontend is built without the "
    "value and without an error.",
    example="""env.production:        NEXT_PUBLIC_API_URL=https://api.acme.io
frontend/package.json: "vite": "^6.0.0\"""",
    remedy="Rename the variables to the prefix of the framework that is used, and remove the others.",
    check=check,
)
