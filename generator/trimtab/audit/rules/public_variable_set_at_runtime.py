"""A build-time variable is set where only the running container sees it."""

from __future__ import annotations

from collections.abc import Iterator

from trimtab.audit.facts.frameworks import BUILD_TIME_PREFIXES
from trimtab.audit.facts.model import Container, EnvVar, Facts, Service
from trimtab.audit.facts.naming import environment_of
from trimtab.audit.facts.query import commands_by_path
from trimtab.audit.finding import Finding, Rule


def check(facts: Facts) -> Iterator[Finding]:
    """One finding per service."""
    for service in facts.services:
        if service.root is None:
            continue
        late: list[EnvVar] = []
        for container in service.containers:
            if _runs_dev_server(container, service) or not _bundled_before(container, service):
                continue
            args = {arg.name for arg in container.build.args} if container.build else set()
            late += [
                item
                for item in container.env
                if item.name.startswith(BUILD_TIME_PREFIXES) and item.name not in args and item.origin != "envfile"
            ]
        if late and _bundles(service) and not _scripted(service.root, facts):
            yield RULE.finding(
                f"{service.name}: {', '.join(sorted({item.name for item in late}))} set at run time, after the bundle is built",  # noqa: E501
                [(item.name_place, item.name) for item in late],
                service=service.name,
                confidence="high" if service.framework else "medium",
            )


def _bundled_before(container: Container, service: Service) -> bool:
    """Whether the container gets a bundle that is ready: in a cluster that of an image, where nobody says how it is
    built; for developers what the service's own image holds, unless their files lie over it.
    """
    if not service.dockerfiles:
        return container.origin == "kubernetes" and bool(service.framework)
    if container.environment not in ("local", "test"):
        return True
    build = container.build
    own = build is not None and any(one.path == build.dockerfile and not one.environment for one in service.dockerfiles)
    plain = not container.command and all(mount.named for mount in container.mounts)
    return own and plain and build is not None and not build.target


def _scripted(root: str, facts: Facts) -> bool:
    """Whether a script of the service writes values into the bundle when it starts."""
    return any(
        "env.js" in command.text or "envsubst" in command.text or "sed -i" in command.text
        for path, commands in commands_by_path(facts).items()
        if path.startswith(root)
        for command in commands
    )


def _runs_dev_server(container: Container, service: Service) -> bool:
    """Whether a container runs the bundler's own server, which reads the variables when it starts."""
    if container.command:
        return _is_dev_server(container.command)
    build = container.build
    if build is not None and "local" in (environment_of(build.target), environment_of(build.dockerfile)):
        return True
    images = [one for one in service.dockerfiles if build is None or one.path == build.dockerfile]
    return bool(images) and all(one.environment == "local" or _is_dev_server(one.command) for one in images)


def _is_dev_server(words: str) -> bool:
    return any(
        word in words for word in ("run dev", "vite", " dev", "npm start", "yarn start", "pnpm start", "ng serve")
    )


def _bundles(service: Service) -> bool:
    return (
        service.framework in ("", "vite", "cra", "vue-cli", "angular", "gatsby", "next", "astro")
        and service.role == "frontend"
    )


RULE = Rule(
    module=__name__,
    severity="medium",
    area="Environment Variables Consistency",
    title="A build-time variable is set at run time",
    what="Looks for `VITE_`, `NEXT_PUBLIC_` and similar variables in the environment of containers "
    "whose image bundles the frontend, whether or not the Dockerfile takes them as build arguments; a compose service "
    "that gives its build the same is left out, and so are development servers, which read them at run time.",
    why="The bundle was built without the value: the browser gets `undefined`, whatever the container is given.",
    example="""frontend:
  build: ./frontend
  environment: { VITE_API_URL: https://api.acme.io }""",
    remedy="Pass it as a build argument, or serve the values from a file that the entrypoint writes.",
    check=check,
)
