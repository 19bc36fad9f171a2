"""A file that another one names is not in the repository."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

from trimtab.audit.facts.commands import logical_lines
from trimtab.audit.facts.model import Build, Container, Facts, Place, Reference
from trimtab.audit.facts.query import commands_by_path
from trimtab.audit.facts.references import moved
from trimtab.audit.facts.text import directory_of, join
from trimtab.audit.finding import Finding, Rule
from trimtab.errors import some

_CONFIGURATION = (".conf", ".yml", ".yaml", ".sql", ".sh", ".toml", ".ini", ".cnf", ".json", ".template")
_GENERATED = ("env file",)
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
    for (path, what), places in sorted(missing.items()):
        yield RULE.finding(
            f"The {what} {path} is referred to and not in the repository",
            [(place, path) for place in sorted(places)],
            severity="high" if what in _GRAVE and not _by_scripts(places) else "medium",
            confidence="medium" if what == "script" or _by_scripts(places) else "high",
        )
    copied: dict[str, list[tuple[Place, str]]] = defaultdict(list)
    for path, place in _copied(facts):
        copied[place.path].append((place, path))
    absent: dict[str, list[tuple[Place, str]]] = defaultdict(list)
    for manifest, name, place in _scripts(facts):
        absent[manifest].append((place, name))
    for manifest, uses in sorted(absent.items()):
        names = some(list(dict.fromkeys(name for _, name in uses)), 4)
        title = f"Workflows run scripts that {manifest} does not have: {names}"
        yield RULE.finding(title, uses, severity="medium")
    for dockerfile, sources in sorted(copied.items()):
        paths = list(dict.fromkeys(path for _, path in sources))
        yield RULE.finding(
            f"{dockerfile} copies what is not in the repository: {some(paths, 3)}", sources, severity="medium"
        )


def _by_scripts(places: set[Place]) -> bool:
    """Whether only shell scripts name the file, which may run in a directory that they make."""
    return all(place.path.endswith((".sh", ".bash")) for place in places)


def _named(facts: Facts) -> Iterator[tuple[str, str, Place]]:
    contexts = {one.path for one in facts.references if one.what == "build context" and not facts.exists(one.path)}
    for one in facts.references:
        made = one.what == "script" and _downloaded(facts, one)
        made = made or (one.what == "default compose file" and _has_default(facts, directory_of(one.path)))
        made = made or (one.what == "Dockerfile" and directory_of(one.path) in contexts)
        if not made and not facts.exists(one.path) and not _made_later(facts, one.path, one.what):
            yield one.path, one.what, one.place


_ELSEWHERE = re.compile(r"\s(?:--prefix|-C|--dir|-w|--workspaces?|--filter|-F|--if-present)\b")
_RUNS = re.compile(r"(?:^|[\s;&|(])(?:npm|pnpm)\s+(?:run\s+([\w:.-]+)|(test))(?=$|[\s;&|)])([^;&|\n]{0,300})")


def _scripts(facts: Facts) -> Iterator[tuple[str, str, Place]]:
    """Scripts of package manifests that workflows run by name, in a folder that can be told."""
    manifests = {one.directory: one for one in facts.packages if one.path.endswith("package.json")}
    for workflow in facts.workflows:
        for step in (step for job in workflow.jobs for step in job.steps):
            directory = join("", step.directory) or "" if "$" not in step.directory else "$"
            for line, number in logical_lines(step.run, step.run_line):
                inside = moved(directory, line.partition("&&")[0])
                for match in _RUNS.finditer(line):
                    package = manifests.get(inside)
                    name = match[1] or match[2]
                    if package and not _ELSEWHERE.search(match[3]) and "||" not in line and name not in package.scripts:
                        yield package.path, name, Place(workflow.path, number)
                directory = moved(directory, line)


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
        if _overrides(facts, container):
            continue
        if build.context and not facts.exists(build.context) and not _made_later(facts, build.context, ""):
            yield build.context, "build context", build.context_at or build.place
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


def _downloaded(facts: Facts, reference: Reference) -> bool:
    """Whether another command of the same file makes the script first."""
    name = reference.path.rsplit("/", 1)[-1]
    return any(
        name in command.text and re.search(r"\b(?:curl|wget|cp|mv|tee|install)\b|>", command.text)
        for command in commands_by_path(facts).get(reference.place.path, ())
    )


def _copied(facts: Facts) -> Iterator[tuple[str, Place]]:
    """What a Dockerfile copies from a context that is known, and that is not there."""
    contexts: dict[str, set[str]] = defaultdict(set)
    for container in facts.containers:
        if container.build and container.build.context is not None:
            contexts[container.build.dockerfile].add(container.build.context)
    for push in facts.pushes:
        if push.dockerfile:
            contexts[push.dockerfile].add(push.context)
    for dockerfile in facts.dockerfiles:
        homes = contexts.get(dockerfile.path, set())
        for source, place in dockerfile.copies if len(homes) == 1 else ():
            path = join(next(iter(homes)), source.lstrip("/"))
            if not path or any(char in source for char in "*?[$<{") or "://" in source:
                continue
            if (
                not facts.exists(path)
                and not _made_later(facts, path, "")
                and not source.endswith((".lock", "lock.json", "lock.yaml", ".jar", ".whl", ".env"))
            ):
                yield path, place


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
    if any(part in ("target", "dist", "build", "out", "node_modules", "vendor", "bin", ".git") for part in parts):
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
    "compose files, workflows, Makefiles and "
    "kustomizations name, what Dockerfiles copy from a known context, and configuration files that are mounted. Env files that are made from an example are left out.",  # noqa: E501
    why="The step that needs the file fails, often only in the environment where nobody tries it.",
    example="""services:
  api:
    build: { context: ., dockerfile: docker/Dockerfile.api }   # docker/ was renamed to infrastructure/""",
    remedy="Correct the path, or add the file.",
    check=check,
)
