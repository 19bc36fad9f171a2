"""Packages are installed as a lock file says, and there is no lock file."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

from trimtab.audit.facts.commands import logical_lines
from trimtab.audit.facts.model import Command, Facts, Job, Place, Step
from trimtab.audit.facts.references import moved
from trimtab.audit.facts.text import directory_of, join
from trimtab.audit.finding import Finding, Rule

# (what a command has to be, what it is called, the lock files of which it needs one)
_INSTALLS: tuple[tuple[re.Pattern[str], str, tuple[str, ...]], ...] = (
    (re.compile(r"\bnpm\s+(?:ci|clean-install)\b"), "npm ci", ("package-lock.json", "npm-shrinkwrap.json")),
    (re.compile(r"\byarn\b[^\n;&|]{0,200}\s--(?:frozen-lockfile|immutable)\b"), "yarn --immutable", ("yarn.lock",)),
    (re.compile(r"\bpnpm\b[^\n;&|]{0,200}\s--frozen-lockfile\b"), "pnpm --frozen-lockfile", ("pnpm-lock.yaml",)),
    (re.compile(r"\bbun\b[^\n;&|]{0,200}\s--frozen-lockfile\b"), "bun --frozen-lockfile", ("bun.lock", "bun.lockb")),
    (re.compile(r"\buv\s+sync\b[^\n;&|]{0,200}\s--(?:frozen|locked)\b"), "uv sync --frozen", ("uv.lock",)),
    (re.compile(r"\bcargo\b[^\n;&|]{0,200}\s--locked\b"), "cargo --locked", ("Cargo.lock",)),
)
_CACHED = {
    "npm": ("package-lock.json", "npm-shrinkwrap.json", "yarn.lock"),
    "yarn": ("yarn.lock",),
    "pnpm": ("pnpm-lock.yaml",),
}
_LOCKS = frozenset(name for _, _, names in _INSTALLS for name in names)
_FOLDER = re.compile(r"\s(?:--prefix|--cwd|--dir|--directory|-C)[= ]([\w./-]{1,200})(?=\s|$)")
_GLOBAL = re.compile(r"\s(?:-g|--global|dlx|install\s+--locked|install\s+\S+.{0,200}--locked)\b")
_ELSEWHERE = re.compile(r"\b(?:docker|podman|ssh|kubectl|git\s+clone)\b|^(?:echo|printf)\s|\|\|")
_ASKS = re.compile(r"(?:\[|\btest)\s{1,9}-[efs]\s")  # which lock file is there
_MANIFEST = {"Cargo.lock": "Cargo.toml", "uv.lock": "pyproject.toml"}


def check(facts: Facts) -> Iterator[Finding]:
    """One finding per folder that has no lock file."""
    locks: dict[str, set[str]] = defaultdict(set)
    for path in facts.files:
        name = path.rsplit("/", 1)[-1]
        if name in _LOCKS:
            locks[name].add(directory_of(path))
    found: dict[tuple[str, str], list[tuple[Place, str]]] = defaultdict(list)
    for workflow in facts.workflows:
        for job in workflow.jobs if workflow.system == "github" else ():
            for directory, lock, place, what in _of_job(job, workflow.path, facts, locks):
                found[(directory, lock)].append((place, what))
    for directory, lock, place, what in _of_images(facts, locks):
        found[(directory, lock)].append((place, what))
    dockerfiles = {one.path for one in facts.dockerfiles}
    for (directory, lock), places in sorted(found.items()):
        images = all(place.path in dockerfiles for place, _ in places)  # whose context may be another one
        yield RULE.finding(
            f"{directory or 'The root'} has no {lock}, and an install needs it",
            places,
            confidence="medium" if images else "high",
        )


def _of_job(job: Job, path: str, facts: Facts, locks: dict[str, set[str]]) -> Iterator[tuple[str, str, Place, str]]:
    """The installs of one job, and the caches that are keyed by a lock file, without that file."""
    if any(step.uses.startswith("actions/checkout") and step.options.get("repository") for step in job.steps):
        return
    for step in job.steps:
        yield from _of_cache(step, path, facts)
        directory = join("", step.directory) if step.directory else ""
        if directory is None or "$" in directory or step.condition or _ASKS.search(step.run):
            continue
        for line, at in logical_lines(step.run, step.run_line):
            here = moved(directory, line)
            if "$" in here:
                break
            directory = here if "(" not in line else directory
            if not _ELSEWHERE.search(line):
                yield from _needed(line, here, Place(step.place.path, at), facts, locks)


def _needed(
    line: str, directory: str, place: Place, facts: Facts, locks: dict[str, set[str]]
) -> Iterator[tuple[str, str, Place, str]]:
    folder = _FOLDER.search(line)
    where = (join(directory, folder[1]) if folder else directory) or ""
    for pattern, what, names in _INSTALLS:
        manifest = f"{where}/{_MANIFEST.get(names[0], 'package.json')}".lstrip("/")
        if not pattern.search(line) or _GLOBAL.search(line) or manifest not in facts.files:
            continue
        if not any(_covers(held, where) for name in names for held in locks[name]):
            yield where, names[0], place, what


def _covers(held: str, directory: str) -> bool:
    """Whether a lock file of the folder `held` is that of `directory`, or of the workspace that holds it."""
    return held in ("", directory) or directory.startswith(held + "/")


def _of_cache(step: Step, path: str, facts: Facts) -> Iterator[tuple[str, str, Place, str]]:
    """The files by which a step keys its cache, where none of them is there: the step fails."""
    wanted = _CACHED.get(step.options.get("cache", ""))
    if not step.uses.startswith("actions/setup-node@") or wanted is None or step.condition:
        return
    written = step.options.get("cache-dependency-path", "")
    named = [line.strip() for line in written.split("\n") if line.strip()]
    if any("$" in one or "*" in one for one in named):
        return
    places = [join("", one) or "" for one in named] or list(wanted)
    folder = directory_of(places[0])
    if f"{folder}/package.json".lstrip("/") in facts.files and not any(one in facts.files for one in places):
        key = "cache-dependency-path" if named else "cache"
        place = Place(path, step.option_lines.get(key, step.place.line))
        lock = places[0].rsplit("/", 1)[-1]
        yield folder, lock, place, f"{key}: {named[0] if named else step.options['cache']}"


def _of_images(facts: Facts, locks: dict[str, set[str]]) -> Iterator[tuple[str, str, Place, str]]:
    """The installs of Dockerfiles in whose contexts no lock file is, however deep."""
    contexts: dict[str, set[str]] = defaultdict(set)
    for container in facts.containers:
        if container.build and container.build.context is not None:
            contexts[container.build.dockerfile].add(container.build.context.strip("./"))
    for push in facts.pushes:
        if push.dockerfile:
            contexts[push.dockerfile].add(push.context.strip("./"))
    for dockerfile in facts.dockerfiles:
        roots = contexts[dockerfile.path] | {dockerfile.directory}
        for command in _runs(dockerfile.path, facts):
            for pattern, what, names in _INSTALLS:
                if not pattern.search(command.text) or _forgiven(command.text):
                    continue
                manifest = _MANIFEST.get(names[0], "package.json")
                held = [place for name in names for place in locks[name]]
                known = all(f"{root}/{manifest}".lstrip("/") in facts.files for root in roots)
                if known and not any(_covers(one, root) or _covers(root, one) for one in held for root in roots):
                    yield min(roots), names[0], command.place, what


def _forgiven(text: str) -> bool:
    """Whether a command of an image asks for the lock file first, goes on without it, or installs something else."""
    return bool(_ELSEWHERE.search(text) or _GLOBAL.search(text) or _ASKS.search(text))


def _runs(path: str, facts: Facts) -> list[Command]:
    by_path: dict[str, list[Command]] = facts.once("dockerfile commands", lambda: _by_dockerfile(facts))
    return by_path.get(path, [])


def _by_dockerfile(facts: Facts) -> dict[str, list[Command]]:
    found: dict[str, list[Command]] = defaultdict(list)
    for command in facts.commands:
        if command.context == "dockerfile":
            found[command.place.path].append(command)
    return found


RULE = Rule(
    module=__name__,
    severity="medium",
    area="References and Versions",
    title="An install needs a lock file that is not there",
    what="Looks for installs that only follow a lock file (`npm ci`, `yarn --immutable`, `pnpm --frozen-lockfile`, "
    "`uv sync --frozen`, `cargo --locked`) in workflows and Dockerfiles, and for caches of packages that are keyed by "
    "one, where the repository has none in that folder or above it.",
    why="The step stops with an error every time, so the job never passes or the image is never built.",
    example="""ci.yml: run: cd web && npm ci
web/:   package.json, and no package-lock.json""",
    remedy="Commit the lock file, or install without asking for one.",
    check=check,
)
