"""Dockerfiles that nothing builds, where others of the repository are built."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from trimtab.audit.facts.model import Dockerfile, Facts, Place

_BUILD = re.compile(
    r"\b(?:docker|podman|buildah|buildx|nerdctl|kaniko|az\s+acr|gcloud|skaffold|earthly)\b.{0,300}\bbuild\b"
)
_BY_HAND = re.compile(
    r"(?:^|/)(?:\.[^/]+|base[-_]?images?|bases?|templates?|container-images|ci|runners?|tools?|toolchain|build[-_]env\w*|"
    r"sandbox\S*)/|[._-](?:base|gpu|cuda|arm\w*|train\w*|build\w*|ci|e2e|bench\w*|debug|slim|alpine|windows|kaggle|notebook)$",
    re.IGNORECASE,
)
_INPUTS = ("context", "file")
# What a build is told beside the folder and the file.
_OPTIONS = re.compile(
    r"\s(?:-t|--tag|--build-arg|--label|--cache-from|--cache-to|--platform)[ =]{1,9}"
    r"(?:\$\{\{[^{}]{0,200}\}\}|\S){1,300}"
)
_PLATFORMS = (
    "fly.toml",
    "render.yaml",
    "render.yml",
    "railway.json",
    "railway.toml",
    "heroku.yml",
    "app.yaml",
    "skaffold.yaml",
    "Tiltfile",
    "Earthfile",
    "captain-definition",
    "docker-bake.hcl",
    "docker-bake.json",
    "copilot",
    ".do/app.yaml",
    "apprunner.yaml",
    "cloudbuild.yaml",
    "cloudbuild.yml",
    "Jenkinsfile",
    "azure-pipelines.yml",
    ".circleci/config.yml",
)


@dataclass(frozen=True, slots=True)
class Unbuilt:
    """A Dockerfile that nothing builds, and the builds of those that stand in its place or beside it."""

    dockerfile: Dockerfile
    builds: tuple[tuple[Place, str], ...]


def unbuilt(facts: Facts) -> Iterator[Unbuilt]:
    """Dockerfiles that nothing builds. Where much of what is built cannot be read, only those for whose service another
    one is built count.
    """
    builds = [(item.build.place, item.build.dockerfile) for item in facts.containers if item.build]
    builds += [(push.place, push.dockerfile) for push in facts.pushes if push.dockerfile]
    built = {path for _, path in builds} | {one.path for one in facts.references if one.what == "Dockerfile"}
    used = [one for one in facts.dockerfiles if one.path in built]
    instead = _instead(facts)
    idle = [
        one
        for one in facts.dockerfiles
        if one.path not in built
        and one.environment in ("", "production", "staging")
        and not _BY_HAND.search(one.path)
        and not _named(one, facts)
    ]
    if not used:
        return
    if len(idle) > len(used) or _builds_unread(facts):
        idle = [one for one in idle if one.path in instead]
    for one in idle:
        near = instead.get(one.path) or {other.path for other in used if other.directory == one.directory}
        near = near or {other.path for other in used}
        yield Unbuilt(one, tuple(sorted({build for build in builds if build[1] in near})))


def _instead(facts: Facts) -> dict[str, set[str]]:
    """By the Dockerfile in a service's own directory the other ones that the service is built from."""
    found: dict[str, set[str]] = {}
    for service in facts.services:
        own = [one for one in service.containers if one.environment not in ("local", "test")]
        used = {one.build.dockerfile for one in own if one.build}
        if used and service.root:
            found.setdefault(f"{service.root}/Dockerfile", set()).update(used)
    return found


def _named(dockerfile: Dockerfile, facts: Facts) -> bool:
    """Whether a command or a platform's own file may build a Dockerfile, or the folder that it stands in."""
    home, name = dockerfile.directory, dockerfile.path.rsplit("/", 1)[-1]
    words = {dockerfile.path, name if name != "Dockerfile" else dockerfile.path}
    told = re.compile(rf"(?:{'|'.join(map(re.escape, sorted(words)))})(?![\w.-])")
    folder = re.compile(rf"(?<![\w.-]){re.escape(home)}/?(?=$|[\s\"';&|)])(?!\s+[a-z]*build)") if home else None
    inputs: list[str] = facts.once("inputs of actions", lambda: _inputs(facts))
    if any(told.search(text) for text in inputs):
        return True
    for command in facts.commands:
        if _BUILD.search(command.text) and told.search(command.text):
            return True
        if folder and "build" in command.text and folder.search(command.text):
            return True
    folders = {home, ""} if not home else {home, home.rpartition("/")[0], ""}
    return any(f"{folder}/{one}".lstrip("/") in facts.files for folder in folders for one in _PLATFORMS)


def _inputs(facts: Facts) -> list[str]:
    """What workflows give actions that name a Dockerfile."""
    steps = [step for workflow in facts.workflows for job in workflow.jobs for step in job.steps]
    return [text for step in steps for text in step.options.values() if "ockerfile" in text]


def _builds_unread(facts: Facts) -> bool:
    """Whether something is built from a folder that a variable names."""
    steps = [step for workflow in facts.workflows for job in workflow.jobs for step in job.steps]
    if any("build-push" in step.uses and "$" in "".join(map(step.options.get, _INPUTS, ("", ""))) for step in steps):
        return True
    texts = [one.text for one in facts.commands if "$" in one.text and _BUILD.search(one.text)]
    return any(re.search(r"\sbuild\s.{0,500}\$", _OPTIONS.sub(" ", text)) for text in texts)
