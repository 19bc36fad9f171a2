"""A health check calls a program that the image does not have."""

from __future__ import annotations

import re
from collections.abc import Iterator

from trimtab.audit.facts.model import Dockerfile, Facts, Image, Place, Probe, Stage
from trimtab.audit.facts.query import commands_by_path
from trimtab.audit.finding import Finding, Rule

_TOOL = re.compile(r"(?:^|[\s;&|(/])(curl|wget)\s")
# What may install more than it spells out.
_UNTOLD = re.compile(r"\.sh\b|\bxargs\b|\bplaywright\s+install\b|\b(?:install|add)\b[^;&|]{0,500}\$")
_SLIM = frozenset({"node", "python", "ruby", "rust", "golang", "perl"})
_DOTNET = frozenset({"aspnet", "runtime", "runtime-deps"})


def check(facts: Facts) -> Iterator[Finding]:
    """One finding per Dockerfile and stage."""
    for dockerfile in facts.dockerfiles:
        asked: dict[str, list[Probe]] = {}
        for probe in dockerfile.probes:
            asked.setdefault("", []).append(probe)
        for container in facts.containers:
            if container.build and container.build.dockerfile == dockerfile.path:
                asked.setdefault(container.build.target, []).extend(container.probes)
        for target, probes in asked.items():
            chain = _chain(dockerfile, target)
            lacking = _lacking(chain[-1].image) if chain else frozenset()
            lacking -= _installed(dockerfile, chain, facts)
            calls = [(probe.place, tools) for probe in probes if (tools := set(_TOOL.findall(probe.command)))]
            wrong = [(place, ", ".join(sorted(tools))) for place, tools in calls if tools <= lacking]
            if wrong:
                names = " and ".join(sorted({name for _, name in wrong}))
                yield RULE.finding(
                    f"The health check of {dockerfile.path} calls {names}, which its image does not have",
                    [*wrong, (chain[-1].place, chain[-1].image.text)],
                )


def _chain(dockerfile: Dockerfile, target: str) -> list[Stage]:
    """A stage and the stages that it is built upon, down to the one from a published image; the last for no target."""
    by_name = {stage.name: stage for stage in dockerfile.stages if stage.name}
    stage = by_name.get(target) if target else dockerfile.stages[-1]
    found: list[Stage] = []
    while stage is not None and stage not in found:
        found.append(stage)
        stage = by_name.get(stage.image.repository)
    return found


def _lacking(image: Image) -> frozenset[str]:
    """The programs that a published image is known not to have."""
    both, curl = frozenset({"curl", "wget"}), frozenset({"curl"})
    tag, official = image.tag, "/" not in image.repository.removeprefix("docker.io/").removeprefix("library/")
    if image.repository == "scratch" or "/distroless/" in image.repository:
        return both
    if image.open or not tag:
        return frozenset()
    dotnet = image.repository.startswith("mcr.microsoft.com/dotnet/") and image.base in _DOTNET
    if (official and (image.base == "alpine" or (image.base in _SLIM and "alpine" in tag))) or (
        dotnet and "alpine" in tag
    ):
        return curl  # BusyBox has a wget
    if dotnet or (official and (image.base in ("debian", "ubuntu") or (image.base in _SLIM and "slim" in tag))):
        return both
    return frozenset()


def _installed(dockerfile: Dockerfile, chain: list[Stage], facts: Facts) -> frozenset[str]:
    """The programs that the stages install, copy or call while they are built; all where that cannot be told."""
    starts = sorted(stage.place.line for stage in dockerfile.stages)

    def inside(place: Place) -> bool:
        first = max((line for line in starts if line <= place.line), default=0)
        return any(stage.place.line == first for stage in chain)

    texts = [one.text for one in commands_by_path(facts).get(dockerfile.path, ()) if inside(one.place)]
    texts = [text for text in texts if text != dockerfile.command]
    texts += [f"{source} " for source, place in (*dockerfile.taken, *dockerfile.copies) if inside(place)]
    if any(_UNTOLD.search(text) for text in texts):
        return frozenset({"curl", "wget"})
    return frozenset(tool for tool in ("curl", "wget") if any(re.search(rf"\b{tool}\b", text) for text in texts))


RULE = Rule(
    module=__name__,
    severity="medium",
    area="Docker Configuration",
    title="A health check calls a program that the image does not have",
    what="Looks for `curl` and `wget` in the health checks of Dockerfiles and of the compose services that they build, "
    "where the last stage is Debian, Ubuntu, Alpine, distroless, a slim image or .NET's runtime and nothing installs "
    "them.",
    why="The container is never healthy: what depends on it does not start, and an orchestrator restarts it for ever.",
    example="""FROM python:3.13-slim
HEALTHCHECK CMD curl -f http://localhost:8000/health""",
    remedy="Install the program in the last stage, or ask with what the image has, such as the service's own language.",
    check=check,
)
