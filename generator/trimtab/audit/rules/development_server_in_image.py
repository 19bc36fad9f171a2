"""An image that is deployed starts the development server."""

from __future__ import annotations

import re
from collections.abc import Iterator

from trimtab.audit.facts.model import Dockerfile, Facts, Place, Service
from trimtab.audit.finding import Finding, Rule

_SERVER = re.compile(
    r"^(?:\S*/)?(?:(?:npx|bunx|pnpm|yarn|poetry\s+run|uv\s+run|pipenv\s+run|python3?(?:\s+-m)?)\s+)?(?:exec\s+)?(?:"
    r"vite(?!\s+(?:build|preview)\b)|next\s+dev\b|nuxt\s+dev\b|ng\s+serve\b|react-scripts\s+start\b|vue-cli-service\s+serve\b|"
    r"nodemon\b|ts-node-dev\b|tsx\s+watch\b|nest\s+start\s.{0,40}--watch|flask\s(?:.{0,100}\s)?run\b|fastapi\s+dev\b|"
    r"uvicorn\s.{0,200}--reload\b|manage\.py\s+runserver\b|(?:php\s+)?artisan\s+serve\b|air\b|cargo\s+watch\b|"
    r"webpack(?:-dev-server|\s+serve)\b|astro\s+dev\b|remix\s+dev\b|expo\s+start\b)"
)
_SCRIPT = re.compile(r"^(?:npm|pnpm|yarn|bun)\s+(?:run\s+)?([\w:.-]{1,60})(?=\s|$)")
_DEVELOPMENT = re.compile(r"dev|local|debug|test", re.IGNORECASE)


def check(facts: Facts) -> Iterator[Finding]:
    """One finding per Dockerfile."""
    pushed = {push.dockerfile: push.place for push in facts.pushes if push.dockerfile}
    for service in facts.services:
        for image in service.dockerfiles:
            server = _development_server(image.command, service)
            if not server or _for_developers(image) or image.command_place is None:
                continue
            used = [
                *_deployed(service, image),
                *([(pushed[image.path], "pushed")] if image.path in pushed else []),
            ]
            if used:
                yield RULE.finding(
                    f"{image.path} starts the development server ({server}), and its image is deployed",
                    [(image.command_place, image.command), *used],
                    service=service.name,
                )


def _development_server(command: str, service: Service) -> str:
    """The development server that a command starts, by way of a package's script or not; "" for any other."""
    script = _SCRIPT.match(command)
    scripts = service.package.scripts if service.package else {}
    text = scripts[script[1]][0] if script and script[1] in scripts else command
    text = re.sub(r"^(?:\w+=\S*\s+|cross-env\s+)+", "", text)
    match = _SERVER.match(text)
    return re.sub(r"\s+", " ", match[0]).strip() if match else ""


def _for_developers(image: Dockerfile) -> bool:
    name = image.path.rsplit("/", 1)[-1]
    last = image.stages[-1].name if image.stages else ""
    return image.environment in ("local", "test") or bool(_DEVELOPMENT.search(name) or _DEVELOPMENT.search(last))


def _deployed(service: Service, image: Dockerfile) -> Iterator[tuple[Place, str]]:
    """Where containers of production run the image as it is."""
    if len(service.dockerfiles) > 1:  # another of them may be the one that is deployed
        return
    for container in service.containers:
        production = container.origin == "kubernetes" or container.environment in ("production", "staging")
        build = container.build
        other = build is not None and (build.dockerfile != image.path or build.target)
        apart = container.partial or container.command or container.job or container.environment in ("local", "test")
        if production and not other and not apart:
            yield container.place, f"runs it: {container.workload or container.name}"


RULE = Rule(
    module=__name__,
    severity="medium",
    area="Docker Configuration",
    title="A deployed image starts the development server",
    what="Looks for Dockerfiles whose command is a development server (`vite`, `next dev`, `ng serve`, `flask run`, "
    "`runserver`, `uvicorn --reload`, `nodemon`), by name or through a package's script, and whose image is pushed, or "
    "run by manifests or a compose file of production that give no other command.",
    why="It compiles on demand, serves sources and stack traces to everybody, and falls over under load.",
    example="""web/Dockerfile:  CMD ["npm", "run", "dev"]
k8s/web.yaml:    image: ghcr.io/acme/web:1.4.0""",
    remedy="Build in one stage and serve the result in the last one; keep the development server for compose.",
    check=check,
)
