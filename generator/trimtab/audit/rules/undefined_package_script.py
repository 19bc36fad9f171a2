"""A command runs a script that package.json does not have."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from trimtab.audit.facts.model import Dockerfile, Facts, Package, Place, ScriptCall
from trimtab.audit.facts.text import directory_of, join, nearest
from trimtab.audit.finding import Finding, Rule
from trimtab.errors import some


def check(facts: Facts) -> Iterator[Finding]:
    """One finding per package, and one for what no package has where nobody can tell which is meant."""
    if any(names is None for names in facts.scripts.values()):
        return  # one that cannot be read may have them
    packages = {package.directory: package for package in facts.packages if package.ecosystem == "node"}
    named = {package.name: package for package in packages.values() if package.name}
    built = _built(facts, packages)
    known = frozenset().union(*(names or () for names in facts.scripts.values()))
    missing: dict[str, list[ScriptCall]] = defaultdict(list)
    unsure: list[ScriptCall] = []
    for call in facts.calls:
        if call.directory and not facts.exists(call.directory):
            continue  # another finding
        candidates = _candidates(call, packages, named, built)
        if candidates and not any(call.script in one.scripts or _program(call, one) for one in candidates):
            missing[candidates[0].path].append(call)
        elif candidates is None and known and call.script not in known and not call.programs:
            unsure.append(call)
    for call in unsure:  # of the package beside the file, or the only one
        beside = _above(directory_of(call.place.path), packages) or (
            list(packages.values()) if len(packages) < 2 else []
        )
        missing[beside[0].path if beside else ""].append(call)
    for path, calls in sorted(missing.items()):
        yield _finding(path, calls, packages)


def _finding(path: str, calls: list[ScriptCall], packages: dict[str, Package]) -> Finding:
    asked = list(dict.fromkeys(call.script for call in calls))
    callers = sorted({call.place.path for call in calls})
    places = [(call.place, call.script) for call in calls]
    if path:
        scripts = packages[directory_of(path)].scripts
        first = min((place.line for _, place in scripts.values()), default=1)
        places.append((Place(path, first), f"scripts: {some(sorted(scripts), 8)}"))
    lacks = f"{path} has no script" if path else "No package.json has a script"
    return RULE.finding(
        f"{lacks} {some(asked, 3)}, which {some(callers, 2)} run{'s' * (len(callers) == 1)}",
        places,
        severity="medium" if all(call.context in ("script", "makefile") for call in calls) else "high",
    )


def _candidates(
    call: ScriptCall, packages: dict[str, Package], named: dict[str, Package], built: dict[str, list[Package]]
) -> list[Package] | None:
    """The packages that a call can mean; none where that cannot be told, None where it may be any that there is."""
    if call.package:
        path = join("", call.package) if "/" in call.package and call.package[0] == "." else call.package
        return [one for one in (named.get(call.package), packages.get(path or "")) if one is not None]
    if call.directory is not None:
        return _above(call.directory, packages)
    if call.context == "dockerfile":
        return built.get(call.place.path)
    return None if call.context != "workflow" else []  # a workflow may have left the repository


def _above(directory: str, packages: dict[str, Package]) -> list[Package] | None:
    """The package of a folder, which may be that of a folder above it."""
    home = nearest(directory, packages)
    return [packages[home]] if home in packages else None


def _program(call: ScriptCall, package: Package) -> bool:
    """Whether a call may be for a file, or for a program of what the package depends on."""
    words = {word for name in package.dependencies for word in (name.rsplit("/", 1)[-1], name.split("/")[0].strip("@"))}
    return call.programs and (call.script in {*words, "tsc"} or "." in call.script or "/" in call.script)


def _built(facts: Facts, packages: dict[str, Package]) -> dict[str, list[Package]]:
    """By Dockerfile the packages that it copies from its context; all below it, where it copies whole folders."""
    contexts: dict[str, set[str]] = defaultdict(set)
    for container in facts.containers:
        if container.build and container.build.context is not None:
            contexts[container.build.dockerfile].add(container.build.context)
    for push in facts.pushes:
        if push.dockerfile:
            contexts[push.dockerfile].add(push.context)
    return {
        one.path: _copied(one, next(iter(contexts[one.path])), packages)
        for one in facts.dockerfiles
        if len(contexts[one.path]) == 1
    }


def _copied(dockerfile: Dockerfile, context: str, packages: dict[str, Package]) -> list[Package]:
    found: dict[str, Package] = {}
    for source, _ in dockerfile.copies:
        path = join(context, source.strip("/")) if source != "/" else context
        if path is None or "$" in source:
            return []
        if path.rsplit("/", 1)[-1].startswith("package"):
            home = path.rpartition("/")[0]
            found |= {home: packages[home]} if home in packages else {}
        else:
            below = path + "/" if path else ""
            found |= {home: one for home, one in packages.items() if home == path or f"{home}/".startswith(below)}
    return list(found.values())


RULE = Rule(
    module=__name__,
    severity="high",
    area="References and Versions",
    title="A command runs a script that package.json does not have",
    what="Looks up the scripts that `npm run`, `pnpm run`, `yarn run` and `bun run` name in Dockerfiles, workflows, "
    "Makefiles, manifests and other scripts, in the package.json of the folder or workspace where they run; where that "
    "cannot be told, in all of the repository. Calls with `--if-present` or an alternative are left out.",
    why="The build or the job fails at that line, however right the rest is.",
    example="""Dockerfile:   RUN npm run build:web
package.json: { "scripts": { "build": "vite build" } }""",
    remedy="Call a script that is there, or add it to package.json.",
    check=check,
)
