"""A program reads a folder when it runs that its image does not have."""

from __future__ import annotations

from collections.abc import Iterator

from trimtab.audit.facts.model import Dockerfile, Facts, Reference
from trimtab.audit.facts.products import product_of_image
from trimtab.audit.facts.text import directory_of
from trimtab.audit.finding import Finding, Rule
from trimtab.errors import some

# The last part of a path that is a whole source tree or an unknown part of one.
_TREES = frozenset(
    {"", ".", "app", "src", "source", "code", "build", "workspace", "work", "*", "output", "dist", "out"}
)


def check(facts: Facts) -> Iterator[Finding]:
    """One finding per Dockerfile."""
    lacking: dict[str, list[Reference]] = {}
    for one in facts.read_folders:
        folder = _folder(one, facts)
        dockerfiles = _nearest(one.place.path, facts) if folder else []
        if dockerfiles and not any(_has(dockerfile, folder, facts) for dockerfile in dockerfiles):
            for dockerfile in dockerfiles:
                lacking.setdefault(dockerfile.path, []).append(one)
    for dockerfile in facts.dockerfiles:
        uses = lacking.get(dockerfile.path, [])
        if uses:
            folders = some(list(dict.fromkeys(one.path for one in uses)), 4)
            yield RULE.finding(
                f"The image of {dockerfile.path} has no {folders}, which the program reads",
                [*((one.place, one.path) for one in uses), (dockerfile.stages[-1].place, "last stage")],
                confidence="medium",
            )


def _folder(one: Reference, facts: Facts) -> str:
    """The folder of the repository that a literal means, seen from the root or from a folder above the source."""
    home = directory_of(one.place.path)
    above = [home, *(home[:at] for at in range(len(home)) if home[at] == "/"), ""]
    found = (f"{base}/{one.path}".strip("/") for base in above)
    return next((path for path in found if path in facts.directories), "")


def _nearest(path: str, facts: Facts) -> list[Dockerfile]:
    """The Dockerfiles of the nearest folder above a source file that build Go and keep something else."""
    above = [
        one
        for one in facts.dockerfiles
        if (not one.directory or path.startswith(f"{one.directory}/"))
        and len(one.stages) > 1
        and any(product_of_image(stage.image.repository) == "go" for stage in one.stages[:-1])
        and product_of_image(one.stages[-1].image.repository) != "go"
        and one.carried
        and one.environment not in ("local", "test")
    ]
    depth = max((len(one.directory) for one in above), default=0)
    return [one for one in above if len(one.directory) == depth]


def _has(dockerfile: Dockerfile, folder: str, facts: Facts) -> bool:
    """Whether an image may hold the folder: a copy of it, of what holds it, or a mount where a container runs."""
    parts = set(folder.split("/"))
    for source, _ in dockerfile.carried:
        last = source.rstrip("/").rpartition("/")[2]
        if last in _TREES or last in parts or "migrat" in source or "$" in last or last.endswith("*"):
            return True
    stages = {stage.name.lower() for stage in dockerfile.stages if stage.name}
    if dockerfile.stages[-1].image.repository.lower() in stages:
        return True
    return any("migrat" in f"{mount.source}{mount.target}" for one in facts.containers for mount in one.mounts)


RULE = Rule(
    module=__name__,
    severity="high",
    area="Docker Configuration",
    title="An image lacks a folder that its program reads",
    what="Takes the folders of migrations that Go source names in a literal and does not embed, and looks for them "
    "among what the last stage of the program's Dockerfile copies and what containers mount.",
    why="The program finds the folder on the developer's machine, where it is run from the repository, and exits in "
    "the image.",
    example="""main.go: migrate.New("file://db/migrations", url)
Dockerfile: COPY --from=build /src/api /usr/local/bin/api     # and nothing else""",
    remedy="Embed the folder with `//go:embed`, or copy it into the last stage at the path that the program reads.",
    check=check,
)
