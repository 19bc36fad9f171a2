"""A health check asks a path that the source does not serve."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from trimtab.audit.facts.frameworks import FRONTENDS
from trimtab.audit.facts.model import Facts, Place, Probe, Service
from trimtab.audit.facts.text import directory_of, nearest
from trimtab.audit.finding import Finding, Rule

_HEALTH = re.compile(r"health|live|ready|ping|alive|heartbeat|status|^up$", re.IGNORECASE)
_WORKER = re.compile(r"(?:^|[-_])(?:workers?|consumers?|schedulers?|crons?|cronjobs?)(?:[-_]|$)", re.IGNORECASE)
_HEALTH_NAMES = ("health", "live", "ready", "ping", "status")
_FILE_SERVERS = ("nginx", "caddy", "httpd", "apache")
_LIBRARIES = (
    "django-health-check",
    "healthchecks",
    "terminus",
    "fastapi-health",
    "@godaddy/terminus",
    "lightship",
    "health_check",
    "okcomputer",
    "rails",
    "streamlit",
    "gradio",
)


def check(facts: Facts) -> Iterator[Finding]:
    """One finding per service and path."""
    for service in facts.services:
        yield from _of_worker(service)
        if (
            service.root is None
            or ((service.framework in FRONTENDS or service.role == "frontend") and not _routes_by_files(service, facts))
            or not (_readable(service) or _routes_by_files(service, facts))
        ):
            continue
        wanted: dict[str, list[tuple[Place, str]]] = {}
        for probe in _probes(service):
            path = (probe.path or "/").split("?")[0].rstrip("/")
            last = path.rsplit("/", 1)[-1]
            if _HEALTH.search(last) and not _served(path, last, service, facts):
                wanted.setdefault(path, []).append((probe.path_place or probe.place, path))
        for path, places in sorted(wanted.items()):
            near = [
                (route.place, route.path)
                for route in service.routes
                if route.path.startswith("/") and _HEALTH.search(route.path)
            ] or [(Place(one, 1), one) for one in _routes_by_files(service, facts)]
            yield RULE.finding(
                f"Health checks of {service.name} ask {path}, which its source does not serve",
                [*places, *near[:5]],
                service=service.name,
                confidence="high" if near else "medium",
                severity="high" if near else "medium",
            )


def _of_worker(service: Service) -> Iterator[Finding]:
    """A finding for a worker, by its name and its dependencies, that is asked over HTTP and serves none."""
    package = service.package
    if not (_WORKER.search(service.name) and package and package.dependencies and service.reads):
        return
    if service.framework or service.binds or service.routes:
        return
    asked = [
        (probe.place, f":{probe.port}{probe.path}" if probe.port else str(probe.path)) for probe in _probes(service)
    ]
    if asked:
        yield RULE.finding(
            f"Health checks of {service.name} ask {asked[0][1]}, and its source serves no HTTP",
            asked,
            service=service.name,
            confidence="medium",
            severity="medium",
        )


def _probes(service: Service) -> Iterator[Probe]:
    for container in service.containers:
        yield from (probe for probe in container.probes if probe.path)
    for dockerfile in service.dockerfiles:
        yield from (probe for probe in dockerfile.probes if probe.path)


def _readable(service: Service) -> bool:
    """Whether enough of the source was read to say that a path is not served."""
    last = [one.stages[-1].image for one in service.dockerfiles if one.stages]
    if any(image and image.base.rsplit("/", 1)[-1].startswith(_FILE_SERVERS) for image in last):
        return False
    libraries = service.package.dependencies if service.package else frozenset()
    if any(word in name for name in libraries for word in _LIBRARIES):
        return False
    return bool(service.binds or service.reads or service.routes) and bool(service.framework)


def _routes_by_files(service: Service, facts: Facts) -> list[str]:
    """The files that serve health checks, where a framework serves each file below a directory under its own path."""
    if service.framework not in ("next", "nuxt", "sveltekit"):
        return []
    roots: dict[str, list[str]] = facts.once("route files", lambda: _route_files(facts))
    return roots.get(service.root or "", [])


def _route_files(facts: Facts) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    roots = {one.root for one in facts.services if one.root is not None}
    for path in sorted(facts.files):
        if _is_route_file(path):
            found.setdefault(nearest(path, roots), []).append(path)
    return found


def _is_route_file(path: str) -> bool:
    """Whether a file is itself a health route, as Next, Nuxt and SvelteKit have them."""
    *folders, name = path.split("/")
    above = folders[:-1]
    if name in ("route.ts", "route.js"):
        return "app" in above and folders[-1].startswith(_HEALTH_NAMES)
    if name in ("+server.ts", "+server.js"):
        return "routes" in above and folders[-1].startswith(_HEALTH_NAMES)
    in_api = any(one in ("pages", "server") and two == "api" for one, two in pairwise(folders))
    named = folders[-1] if name in ("index.ts", "index.js") and folders else name
    return in_api and named.startswith(_HEALTH_NAMES) and name.endswith((".ts", ".js"))


def _has_actuator(service: Service) -> bool:
    return service.package is not None and any("actuator" in name for name in service.package.dependencies)


def _served(path: str, last: str, service: Service, facts: Facts) -> bool:
    for route in service.routes:
        segments = route.path.strip("/").split("/")
        if segments[-1].lower() == last.lower() or last.lower() in [segment.lower() for segment in segments]:
            return True
    if "/actuator/" in f"{path}/" and _has_actuator(service):
        return True
    words: set[tuple[str, str]] = facts.once("path words", lambda: _path_words(facts))
    return (service.root or "", last.lower()) in words or path in ("", "/")


def _path_words(facts: Facts) -> set[tuple[str, str]]:
    """(service directory, part of a path below it): frameworks that route by files serve such paths."""
    roots = {service.root for service in facts.services if service.root is not None}
    found: set[tuple[str, str]] = set()
    for path in facts.files:
        if not _HEALTH.search(path):
            continue
        directory = nearest(directory_of(path), roots)
        words = {part.partition(".")[0].lower() for part in path.split("/")}
        found |= {(directory, word) for word in words if _HEALTH.search(word)}
    return found


RULE = Rule(
    module=__name__,
    severity="high",
    area="Deployment Automation",
    title="A health check asks a path that is not served",
    what="Compares the paths of HTTP health checks with the health routes that the service's own "
    "source declares. Frameworks and libraries that "
    "serve a path by themselves are left out.",
    why="The check fails for a service that is well, which is then restarted or never gets traffic.",
    example="""k8s/backend.yaml: httpGet: { path: /healthz }
src/main.rs:      .route("/health", web::get().to(health))""",
    remedy="Ask the path that the source serves.",
    check=check,
)
