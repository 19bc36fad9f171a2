"""Which existing files the generated ones replace, each with what takes its place."""

from __future__ import annotations

import re
from collections.abc import Iterator

from trimtab.audit.adopt.cluster import Cluster
from trimtab.audit.adopt.foreign import PROXIES, STORES, store_of
from trimtab.audit.adopt.gathering import label_of
from trimtab.audit.adopt.joining import dockerfiles
from trimtab.audit.adopt.model import brief_list
from trimtab.audit.adopt.units import Unit
from trimtab.audit.facts import model as m
from trimtab.audit.facts.naming import environment_of, is_auxiliary

_BUILDING = frozenset({"image", "push", "deploy"})
_CHECKING = frozenset({"test", "lint"})
# Deliveries that are of something else than the services: infrastructure, packages, pages, functions.
_ELSEWHERE = re.compile(
    r"\bterraform\b|\btofu\b|\bpulumi\b|deploy-pages|gh-pages|upload-pages|\bvercel\b|\bnetlify\b|\bfirebase\b"
    r"|\bnpm publish|cargo publish|\bansible|\bserverless\b|\bcdk\b|amplify|s3 sync|wrangler|storybook|\bdocs?\b",
    re.IGNORECASE,
)
_SHIPS = re.compile(r"\bkubectl\b|\bhelm\b|\bdocker\b|\bkustomize\b|compose\b|build-push-action|ssh-action|argocd")
_WORKLOADS = frozenset({"Deployment", "StatefulSet", "DaemonSet", "Rollout", "Job", "CronJob", "Pod"})
_K8S = "k8s/"


def superseded(facts: m.Facts, cluster: Cluster, units: list[Unit], kept: set[str]) -> list[tuple[str, str]]:
    """Existing files and whole folders, each with what takes its place. `kept` are names of what is not adopted."""
    found: dict[str, str] = {}
    for path, by in _files(facts, cluster, units, kept):
        if not is_auxiliary(path):
            found.setdefault(path, by)
    return _folded(found, facts)


def _files(facts: m.Facts, cluster: Cluster, units: list[Unit], kept: set[str]) -> Iterator[tuple[str, str]]:
    for unit in units:
        for path in sorted(dockerfiles(unit.service)):
            if environment_of(path) != "test":
                yield path, f"infrastructure/docker/Dockerfile.{unit.name}"
    yield from _compose(facts, units, kept)
    yield from _manifests(facts, cluster, units)
    yield from _pipelines(facts)
    yield from _proxies(facts, units)
    for file in facts.env_files:
        if not file.directory and file.environment == "example" and label_of(file.path, file.environment) != "test":
            yield file.path, ".env.example"


def _compose(facts: m.Facts, units: list[Unit], kept: set[str]) -> Iterator[tuple[str, str]]:
    adopted = {one.place.path for unit in units for one in unit.service.containers if one.origin == "compose"}
    stored = [service for service in facts.services if store_of(service.role) in STORES]
    adopted |= {one.place.path for service in stored for one in service.containers if one.origin == "compose"}
    for file in facts.compose:
        if file.path in adopted and environment_of(file.path) != "test":
            by = "docker-compose.dev.yml" if file.environment == "local" else "docker-compose.yml"
            rest = [one.name for one in file.services if one.name in kept]
            yield file.path, f"{by}, but for {brief_list(rest, 4)}" if rest else by


def _manifests(facts: m.Facts, cluster: Cluster, units: list[Unit]) -> Iterator[tuple[str, str]]:
    """Manifests of what was adopted, what is applied with them, and the charts that hold them."""
    stores = {
        one.workload for service in facts.services if store_of(service.role) in STORES for one in service.containers
    }
    ours = {name for unit in units for name in (*unit.kube, *unit.helpers)} | (stores - {""})
    by_file: dict[str, list[m.KubeObject]] = {}
    for one in facts.objects:
        by_file.setdefault(one.place.path, []).append(one)
    works = {path: {one.name for one in held if one.kind in _WORKLOADS} for path, held in by_file.items()}
    used = {one.place.path for unit in units for one in unit.service.containers if one.origin == "kubernetes"}
    used |= {path for path, names in works.items() if names & ours}
    beside = _applied(facts, cluster, used)
    folders = {path.rpartition("/")[0] for path in used}
    foreign = {name for names in works.values() for name in names if name not in ours}
    for path, held in by_file.items():
        rest, mine = works[path] - ours, works[path] & ours
        if path not in used and path not in beside and path.rpartition("/")[0] not in folders:
            continue
        if mine or (not rest and (_is_of(held, ours) or not _is_of(held, foreign))):
            yield path, f"{_K8S}, but for {brief_list(sorted(rest), 4)}" if rest else _K8S
    yield from ((f"{chart}/", _K8S) for chart in sorted(_charts(facts, used)))


def _applied(facts: m.Facts, cluster: Cluster, used: set[str]) -> set[str]:
    """What kustomizations apply together with some files, and themselves."""
    found: set[str] = set()
    for directory, (path, _) in cluster.overlays.bodies.items():
        applied = {one.place.path for one in cluster.overlays.applied(directory)}
        if applied & used:
            found |= applied | {path} | {one.path for one in facts.references if one.place.path == path}
    return found


def _is_of(objects: list[m.KubeObject], names: set[str]) -> bool:
    """Whether any object of a file has the name of a workload, or one that begins with it."""
    return any(one.name == name or one.name.startswith(f"{name}-") for one in objects for name in names if one.name)


def _charts(facts: m.Facts, used: set[str]) -> set[str]:
    return {
        path.rpartition("/templates/")[0]
        for path in used
        if "/templates/" in path and f"{path.rpartition('/templates/')[0]}/Chart.yaml" in facts.files
    }


def _pipelines(facts: m.Facts) -> Iterator[tuple[str, str]]:
    systems = {flow.system for flow in facts.workflows}
    by = ".gitlab-ci.yml" if systems == {"gitlab"} else ".github/workflows/ci-cd.yml"
    for flow in facts.workflows:
        kinds = frozenset().union(*(job.kinds for job in flow.jobs))
        if any(job.kinds & _BUILDING and _ships(job) for job in flow.jobs) and not kinds <= _CHECKING | {"image"}:
            yield flow.path, by
        elif kinds & _CHECKING and not kinds & {"push", "deploy"}:
            yield flow.path, f"{by}, in part: it runs each language's usual tests and linters"


def _ships(job: m.Job) -> bool:
    """Whether a job builds or delivers the services, rather than something beside them."""
    text = " ".join(f"{step.name} {step.uses} {step.run}" for step in job.steps) + f" {job.id} {job.name} {job.uses}"
    return bool(_SHIPS.search(text)) or not _ELSEWHERE.search(text)


def _proxies(facts: m.Facts, units: list[Unit]) -> Iterator[tuple[str, str]]:
    """Configuration of web servers: of those that serve static files, and of those that stand before the services."""
    configured = {one.place.path for one in facts.settings if one.product == "nginx"}
    for unit in units:
        if unit.static:
            root = f"{unit.service.root}/" if unit.service.root else ""
            for dockerfile in unit.service.dockerfiles:
                for source, _ in dockerfile.copies:
                    for path in (source.removeprefix("./"), root + source.removeprefix("./")):
                        if path in configured:
                            yield path, f"infrastructure/docker/static/{unit.name}.nginx.conf"
    for container in facts.containers:
        if container.image and container.image.base in PROXIES and environment_of(container.place.path) != "test":
            for mount in container.mounts:
                yield from ((path, "infrastructure/gateway/nginx.conf") for path in configured if _within(path, mount))


def _within(path: str, mount: m.Mount) -> bool:
    return not mount.named and (path == mount.source or path.startswith(mount.source.rstrip("/") + "/"))


def _generated(folder: str) -> bool:
    """Whether generated files may stand in a folder, beside those that they replace."""
    return folder.split("/", maxsplit=1)[0] in ("k8s", "infrastructure", "docs", "env", ".github")


def _folded(found: dict[str, str], facts: m.Facts) -> list[tuple[str, str]]:
    """The files, with a whole folder in one line where everything in it is replaced by one thing."""
    inside: dict[str, set[str]] = {}
    for path in facts.files:
        parts = path.split("/")
        for depth in range(1, len(parts)):
            inside.setdefault("/".join(parts[:depth]), set()).add(path)
    charts = {path for path in found if path.endswith("/")}
    whole: dict[str, str] = {path.rstrip("/"): found[path] for path in charts}
    for folder, files in sorted(inside.items()):
        targets = {found.get(path, "") for path in files}
        nested = any(folder.startswith(f"{outer}/") for outer in whole)
        if len(files) > 2 and len(targets) == 1 and targets != {""} and not nested and not _generated(folder):
            whole.setdefault(folder, targets.pop())
    result = [(f"{folder}/", by) for folder, by in whole.items()]
    for path, by in found.items():
        if path not in charts and not any(path.startswith(f"{folder}/") for folder in whole):
            result.append((path, by))
    return sorted(result)
