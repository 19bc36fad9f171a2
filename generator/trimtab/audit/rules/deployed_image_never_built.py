"""An image is built under one name and deployed under another."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator

from trimtab.audit.facts.model import Facts, Image, Place
from trimtab.audit.facts.products import is_third_party
from trimtab.audit.facts.text import directory_of
from trimtab.audit.finding import Finding, Rule


def check(facts: Facts) -> Iterator[Finding]:
    """One finding per deployed image that resembles a pushed one without being it."""
    pushed: dict[str, list[tuple[Place, str]]] = {}
    for push in facts.pushes:
        for tag in (*push.images, *push.tags):
            name = _name(tag)
            if name:
                pushed.setdefault(name, []).append((push.place, name))
    if not pushed:
        return
    contexts = _by_context(facts)
    deployed: dict[str, list[tuple[Place, str]]] = {}
    for container in facts.containers:
        image = container.image
        if image and container.build is None and "tpl-" not in image.text and not is_third_party(image.repository):
            deployed.setdefault(_plain(image), []).append((image.place, _plain(image)))
    for name, places in sorted(deployed.items()):
        if not name or any(_same(name, other) for other in pushed):
            continue
        base = name.rsplit("/", 1)[-1]
        near = contexts.get(name, []) or [
            other for other in pushed if other not in deployed and _near(base, other.rsplit("/", 1)[-1], name, other)
        ]
        near = (
            near or _sole_rest(name, pushed, deployed) or _sibling(name, pushed, facts) or _family(name, pushed, facts)
        )
        if near:
            yield RULE.finding(
                f"{name} is deployed, but {near[0]} is what is pushed",
                [*places, *(place for other in near for place in pushed[other])],
                confidence="high" if near[0].rsplit("/", 1)[-1] == base or name in contexts else "medium",
            )


def _by_context(facts: Facts) -> dict[str, list[str]]:
    """Deployed name -> what is pushed from the source of the service that runs it, where that is in the same place."""
    found: dict[str, list[str]] = {}
    for service in facts.services:
        if service.root is None:
            continue
        names = [
            name
            for push in facts.pushes
            if push.context == service.root or (push.dockerfile and directory_of(push.dockerfile) == service.root)
            for tag in (*push.images, *push.tags)
            if (name := _name(tag))
        ]
        for container in service.containers:
            name = _plain(container.image) if container.image else ""
            same = [other for other in names if other.rpartition("/")[0] == name.rpartition("/")[0]]
            if name and same and container.build is None and len({*names}) == 1:
                found[name] = same
    return found


def _sole_rest(
    name: str, pushed: dict[str, list[tuple[Place, str]]], deployed: dict[str, list[tuple[Place, str]]]
) -> list[str]:
    """The one pushed image that nothing deploys, when it shares its place and a word with the one image
    that nothing pushes.
    """
    head, _, base = name.rpartition("/")
    rest = [other for other in pushed if not any(_same(other, one) for one in deployed)]
    own = [one for one in deployed if one.rpartition("/")[0] == head and not any(_same(one, other) for other in pushed)]
    if len(rest) != 1 or own != [name] or rest[0].rpartition("/")[0] != head:
        return []
    return rest if set(re.split(r"[-_]", base)) & set(re.split(r"[-_]", rest[0].rpartition("/")[2])) else []


def _sibling(name: str, pushed: dict[str, list[tuple[Place, str]]], facts: Facts) -> list[str]:
    """The pushed image that other files run for the service which this file runs `name` for."""
    for service in facts.services:
        images = {_plain(one.image) for one in service.containers if one.image and not one.job and not one.partial}
        if name in images and service.root is not None:
            others = [other for other in pushed if any(_same(one, other) for one in images - {name, ""})]
            if others:
                return others
    return []


def _family(name: str, pushed: dict[str, list[tuple[Place, str]]], facts: Facts) -> list[str]:
    """What is pushed to the namespace of a deployed image, however that is spelt, when nothing of its name is, and
    the names of all that is pushed are known.
    """
    space = _squeezed(name.split("/")[-2]) if "/" in name else ""
    found = [
        other for other in pushed if len(space) > 3 and space in map(_squeezed, other.rpartition("/")[0].split("/"))
    ]
    named = all(any(map(_name, (*push.images, *push.tags))) for push in facts.pushes)
    uses = [step.uses for workflow in facts.workflows for job in workflow.jobs for step in job.steps]
    hidden = any(re.search(r"build|push|docker|image", one) and not one.startswith("docker/") for one in uses)
    return found if named and not hidden else []


def _squeezed(part: str) -> str:
    return re.sub(r"[-_.]", "", part.lower())


def _name(tag: str) -> str:
    """The repository of a pushed reference; "" when a part of it is computed."""
    text = re.sub(
        r"\$\{\{\s*(?:github\.(?:repository_owner|actor|repository)|secrets\.\w+|vars\.\w+|env\.\w+)\s*\}\}",
        "*",
        tag,
    )
    repository = text.split("@")[0]
    head, _, last = repository.rpartition("/")
    last = last.split(":")[0]
    return "" if "$" in last or "*" in last or not last else f"{head}/{last}".strip("/")


def _plain(image: Image) -> str:
    return "" if image.open and not image.base else image.repository


def _same(one: str, other: str) -> bool:
    """Whether two names can be the same: a computed or missing part fits anything."""
    left, right = one.split("/"), other.split("/")
    if left[-1] != right[-1]:
        return False
    if "*" in one or "*" in other or "$" in one + other or len(left) != len(right):
        return True
    return left == right


def _near(base: str, other_base: str, name: str, other: str) -> bool:
    if base == other_base:
        return name.count("/") == other.count("/")
    words, other_words = set(re.split(r"[-_]", base)), set(re.split(r"[-_]", other_base))
    return difflib.SequenceMatcher(None, base, other_base).ratio() > 0.75 or bool(
        len(words & other_words) and (words <= other_words or other_words <= words)
    )


RULE = Rule(
    module=__name__,
    severity="high",
    area="Deployment Automation",
    title="An image is built under one name and deployed under another",
    what="Compares the names of the images that workflows push with those that compose files and manifests run.",
    why="The deploy pulls an image that does not exist, or an old one that nobody builds any more.",
    example="""ci.yml:           tags: ghcr.io/acme/platform-backend:${{ github.sha }}
k8s/backend.yaml: image: ghcr.io/acme/backend:1.4.0""",
    remedy="Use one name in the workflow and in the manifests.",
    check=check,
)
