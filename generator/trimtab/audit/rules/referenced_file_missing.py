"""A file that another one names is not in the repository."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

from trimtab.audit.facts import buildcontexts
from trimtab.audit.facts.model import Build, Container, Dockerfile, Facts, Place, Reference
from trimtab.audit.facts.query import commands_by_path
from trimtab.audit.facts.text import directory_of, join
from trimtab.audit.finding import Finding, Rule
from trimtab.errors import some

_CONFIGURATION = (".conf", ".yml", ".yaml", ".sql", ".sh", ".toml", ".ini", ".cnf", ".json", ".template")
_GENERATED = ("env file",)
_MADE = ("script", "manifest", "compose file", "values file")
_WITHIN = ("script", "requirements file", "default compose file", "working directory")  # told by its folder's absence
_BUILT_FOLDERS = frozenset({"pkg", "public", "site", "coverage", "generated", "tmp"})
_OUTPUT = re.compile(r"target|node_modules|vendor|bin|\.git|build|(?:dist|out)(?:[-_].*)?")
_GRAVE = (
    "Dockerfile",
    "build context",
    "kustomize resource",
    "compose file",
    "migration directory",
    "Argo CD source",
    "values file",
    "chart",
)


def check(facts: Facts) -> Iterator[Finding]:
    """One finding per absent path; what one Dockerfile copies in vain has one cause, its context."""
    missing: dict[tuple[str, str], set[Place]] = defaultdict(set)
    for path, what, place in (*_named(facts), *_built(facts), *_mounted(facts)):
        missing[(path, what)].add(place)
    yield from _several(missing)
    for (path, what), places in sorted(missing.items()):
        yield RULE.finding(
            f"The {what} {path} is referred to and not in the repository",
            [(place, path) for place in sorted(places)],
            severity="high" if what in _GRAVE and not _by_scripts(places) else "medium",
            confidence="medium" if what == "script" or _by_scripts(places) else "high",
        )
    yield from _copied(facts)


def _several(missing: dict[tuple[str, str], set[Place]]) -> Iterator[Finding]:
    """One finding for all the scripts that the same files run in vain; they are taken out of `missing`."""
    together: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for (path, what), places in sorted(missing.items()):
        if what == "script":
            together[tuple(sorted({place.path for place in places}))].append(path)
    for files, paths in together.items():
        if len(paths) > 1:
            found = [(place, path) for path in paths for place in sorted(missing.pop((path, "script")))]
            yield RULE.finding(
                f"{len(paths)} scripts that {some(files, 3)} run{'s' * (len(files) == 1)} are not in the repository: "
                f"{some(paths, 3)}",
                found,
                severity="medium",
                confidence="medium",
            )


def _by_scripts(places: set[Place]) -> bool:
    """Whether only shell scripts name the file, which may run in a directory that they make."""
    return all(place.path.endswith((".sh", ".bash")) for place in places)


def _named(facts: Facts) -> Iterator[tuple[str, str, Place]]:
    contexts = {one.path for one in facts.references if one.what == "build context" and not facts.exists(one.path)}
    entered = {
        (one.place.path, one.path)
        for one in facts.references
        if one.what == "working directory" and not facts.exists(one.path)
    }
    for one in facts.references:
        made = one.what in _MADE and _written(facts, one)
        made = made or (one.what == "default compose file" and _has_default(facts, directory_of(one.path)))
        made = made or (one.what == "Dockerfile" and directory_of(one.path) in contexts)
        made = made or (one.what in _WITHIN and any((one.place.path, above) in entered for above in _above(one.path)))
        if not made and not facts.exists(one.path) and not _made_later(facts, one.path, one.what):
            yield one.path, one.what, one.place


def _above(path: str) -> Iterator[str]:
    """The folders that a path lies in."""
    while path := directory_of(path):
        yield path


def _has_default(facts: Facts, folder: str) -> bool:
    """Whether a folder has one of the files that Compose looks for where a command names none."""
    names = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
    return any(facts.exists(f"{folder}/{name}" if folder else name) for name in names)


def _built(facts: Facts) -> Iterator[tuple[str, str, Place]]:
    """Contexts and Dockerfiles of compose's builds."""
    for container in facts.containers:
        build = container.build
        if build is None or build.context is None or container.origin != "compose":
            continue
        if build.context.startswith("vendor/") or _from_root(facts, build, container.place.path):
            continue
        if not build.explicit and _overrides(facts, container):
            continue
        if build.context and not facts.exists(build.context) and not _made_later(facts, build.context, ""):
            yield build.context, "build context", build.context_place or build.place
        elif build.dockerfile and not facts.exists(build.dockerfile) and not _made_later(facts, build.dockerfile, ""):
            yield build.dockerfile, "Dockerfile", build.place


def _mounted(facts: Facts) -> Iterator[tuple[str, str, Place]]:
    """Configuration files that are mounted; a folder is made by the engine where there is none."""
    for container in facts.containers:
        for mount in container.mounts:
            is_file = "." in mount.source.rsplit("/", 1)[-1].lstrip(".") and mount.source.endswith(_CONFIGURATION)
            if is_file and not mount.named and not facts.exists(mount.source):
                yield mount.source, "mounted file", mount.place


def _overrides(facts: Facts, container: Container) -> bool:
    """Whether the file only adds to a service whose build another file of the folder states (`-f a.yml -f b.yml`)."""
    home = directory_of(container.place.path)
    return any(
        other is not container
        and other.origin == "compose"
        and other.name == container.name
        and other.place.path != container.place.path
        and directory_of(other.place.path) == home
        and other.build is not None
        and facts.exists(other.build.dockerfile)
        for other in facts.containers
    )


def _written(facts: Facts, reference: Reference) -> bool:
    """Whether another command of the same file downloads or writes the file first."""
    name = re.escape(reference.path.rsplit("/", 1)[-1])
    by = r"\b(?:curl|wget|cp|mv|tee|install)\b|>"
    if reference.what != "script":
        by = rf"(?:>|\btee\b)\s{{0,20}}\S{{0,300}}{name}|\bcp\s"
    return any(
        re.search(name, command.text) and re.search(by, command.text)
        for command in commands_by_path(facts).get(reference.place.path, ())
    )


def _contexts(facts: Facts) -> dict[str, dict[str, list[Place]]]:
    """By Dockerfile the contexts that whole images are built from, and where each is written."""
    found: dict[str, dict[str, list[Place]]] = defaultdict(lambda: defaultdict(list))
    for container in facts.containers:
        build = container.build
        if build is not None and build.context is not None:
            found[build.dockerfile][build.context].append(build.context_place or build.place)
    for push in facts.pushes:
        if push.dockerfile:
            found[push.dockerfile][push.context].append(push.context_place or push.place)
    return found


def _uncopied(dockerfile: Dockerfile, context: str, facts: Facts) -> list[tuple[str, Place]]:
    """What a Dockerfile copies from a context that is not there; of a pattern, the folder that it is in."""
    found = []
    for source, place in dockerfile.copies:
        plain = re.split(r"[*?\[]", source)[0].rpartition("/")[0] if re.search(r"[*?\[]", source) else source
        path = join(context, plain.lstrip("/"))
        if not plain or not path or any(char in plain for char in "$<{") or "://" in source:
            continue
        if (
            not facts.exists(path)
            and not _made_later(facts, path, "")
            and not source.endswith((".lock", "lock.json", "lock.yaml", ".jar", ".whl", ".env"))
        ):
            found.append((path, place))
    return found


def _copied(facts: Facts) -> Iterator[Finding]:
    """What Dockerfiles copy in vain, and contexts that are wrong where another one is right."""
    contexts = _contexts(facts)
    targets = {one.build.dockerfile for one in facts.containers if one.build and one.build.target}
    for dockerfile in sorted(facts.dockerfiles, key=lambda one: one.path):
        homes = contexts.get(dockerfile.path) or _likely(dockerfile, facts)
        missing = {home: _uncopied(dockerfile, home, facts) for home in homes}
        right = [home for home in homes if not missing[home]]
        if len(homes) == 1 and not right:
            sources = [(place, path) for path, place in missing[next(iter(homes))]]
            paths = list(dict.fromkeys(path for _, path in sources))
            yield RULE.finding(
                f"{dockerfile.path} copies what is not in the repository: {some(paths, 3)}", sources, severity="medium"
            )
        for home in homes if right and dockerfile.path not in targets else ():
            paths = list(dict.fromkeys(path for path, _ in missing[home]))
            if paths:
                yield RULE.finding(
                    f"{dockerfile.path} is built from {home or '.'}, which lacks what it copies: {some(paths, 3)}",
                    [
                        *((place, home or ".") for place in homes[home]),
                        *((place, path) for path, place in missing[home]),
                        *((place, one or ".") for one in right for place in homes[one]),
                    ],
                )


def _likely(dockerfile: Dockerfile, facts: Facts) -> dict[str, list[Place]]:
    """The context of a Dockerfile whose builds nothing here states, where its own copies tell it."""
    context = buildcontexts.likely(dockerfile, facts) if dockerfile.environment not in ("local", "test") else None
    return {} if context is None else {context: []}


def _from_root(facts: Facts, build: Build, path: str) -> bool:
    """Whether the paths hold when the file is used from the root (`--project-directory`, or a copy of it)."""
    home = directory_of(path)
    if not home or facts.exists(build.dockerfile):
        return False
    rest = build.dockerfile
    while "/" in rest:
        rest = rest.partition("/")[2]
        if "/" in rest and facts.exists(rest):
            return True
    return False


def _made_later(facts: Facts, path: str, what: str) -> bool:
    """Whether the file is one that is written at run time: an env file with an example beside it, or
    build output.
    """
    name = path.rsplit("/", 1)[-1]
    parts = path.split("/")
    if any(_OUTPUT.fullmatch(part) for part in parts) or (what == "working directory" and name in _BUILT_FOLDERS):
        return True
    if what in _GENERATED:
        beside = path[: -len(name)]
        examples = (
            f"{beside}{name}.example",
            f"{beside}{name}.sample",
            f"{beside}{name}.template",
            f"{beside}{name.lstrip('.')}.example",
            f"{beside}env.example",
        )
        return (
            name in (".env", ".env.local")
            or any(facts.exists(example) for example in examples)
            or name.startswith(".env")
        )
    return not path


RULE = Rule(
    module=__name__,
    severity="high",
    area="References and Versions",
    title="A referenced file is not in the repository",
    what="Looks up every Dockerfile, build context, compose file, script, chart, manifest and env file that "
    "compose files, workflows, Makefiles, package.json and "
    "kustomizations name, what Dockerfiles copy from a known context, and configuration files that are mounted. Env files that are made from an example are left out.",  # noqa: E501
    why="The step that needs the file fails, often only in the environment where nobody tries it.",
    example="""services:
  api:
    build: { context: ., dockerfile: docker/Dockerfile.api }   # docker/ was renamed to infrastructure/""",
    remedy="Correct the path, or add the file.",
    check=check,
)
