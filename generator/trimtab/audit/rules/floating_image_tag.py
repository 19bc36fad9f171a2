"""Images without a fixed version."""

from __future__ import annotations

from collections.abc import Iterator

from trimtab.audit.facts.model import Facts, Image, Place
from trimtab.audit.facts.naming import environment_of
from trimtab.audit.facts.products import is_third_party
from trimtab.audit.finding import Finding, Rule

_FLOATING = frozenset(
    {"", "latest", "stable", "main", "master", "edge", "nightly", "dev", "develop", "current", "lts", "mainline"}
)
# Words of a tag that say which build of an image it is, and nothing of its version.
_VARIANTS = _FLOATING | frozenset(
    {
        *("alpine", "slim", "bookworm", "bullseye", "buster", "trixie", "jammy", "noble", "focal", "debian", "ubuntu"),
        *("management", "fpm", "apache", "cli", "jre", "jdk", "full", "minimal", "perl", "otel", "unprivileged"),
    }
)
_SYSTEMS = frozenset({"debian", "ubuntu", "buildpack-deps"})  # whose releases have names


def check(facts: Facts) -> Iterator[Finding]:
    """One finding per image reference, with all its places."""
    places: dict[str, list[tuple[Place, str]]] = {}
    pinned = {
        image.text("name")
        for one in facts.objects
        if one.kind == "Kustomization"
        for image in one.body.maps("images")
        if image.get("digest") or str(image.text("newTag") or "") not in _FLOATING
    }
    for container in facts.containers:
        image = container.image
        if (
            image is not None
            and (image.repository not in pinned or container.origin == "compose")
            and container.build is None
            and container.environment not in ("local", "test")
            and _floats(image)
        ):
            places.setdefault(image.repository, []).append((image.place, f"{image.repository}:{image.tag or '(none)'}"))
    for dockerfile in facts.dockerfiles:
        stages = {stage.name for stage in dockerfile.stages}
        for stage in dockerfile.stages:
            if (
                stage.image.repository not in stages | {"scratch"}
                and dockerfile.environment not in ("local", "test")
                and _floats(stage.image)
            ):
                places.setdefault(stage.image.repository, []).append(
                    (stage.place, f"{stage.image.repository}:{stage.image.tag or '(none)'}")
                )
    for place, name, tag in _overlays(facts):
        if name in places or environment_of(place.path):
            places.setdefault(name, []).append((place, tag))
    for repository, found in sorted(places.items()):
        yield RULE.finding(f"Image {repository} has no fixed version", found)


def _overlays(facts: Facts) -> Iterator[tuple[Place, str, str]]:
    """The images to which an overlay for others than developers gives a tag that moves."""
    for one in facts.objects:
        if one.kind == "Kustomization" and environment_of(one.place.path) not in ("local", "test"):
            for image in one.body.maps("images"):
                name, tag = str(image.text("newName") or image.text("name") or ""), str(image.text("newTag") or "")
                if name and tag and tag in _FLOATING and not image.get("digest"):
                    yield Place(one.place.path, image.line_of("newTag")), name, tag


def _floats(image: Image) -> bool:
    return (
        bool(image.repository)
        and not image.open
        and not image.digest
        and _unversioned(image)
        and "tpl-" not in image.text
    )


def _unversioned(image: Image) -> bool:
    """Whether a tag names no version: none or a moving one, behind which a variant may stand, or a variant alone, which
    of an official image is any word.
    """
    if image.tag in _FLOATING:
        return True
    words = image.tag.lower().split("-")
    name = image.repository.removeprefix("docker.io/").removeprefix("library/")
    if image.base in _SYSTEMS or "distroless" in image.repository:
        return False
    official = "/" not in name and is_third_party(name)
    return words[0] == "latest" or set(words) <= _VARIANTS or (official and all(map(str.isalpha, words)))


RULE = Rule(
    module=__name__,
    severity="medium",
    area="References and Versions",
    title="An image has no fixed version",
    what="Looks for `latest`, branch names, variants without a version (`alpine`) and missing tags in compose files, "
    "manifests and Dockerfiles, other than for development.",
    why="The same file gives another version tomorrow, and nobody can roll back to what ran before.",
    example="image: ghcr.io/acme/backend:latest",
    remedy="Write a version, and a digest where the image must never change.",
    check=check,
)
