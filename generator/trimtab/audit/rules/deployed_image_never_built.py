"""An image is built under one name and deployed under another."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator

from trimtab.audit.facts.model import Facts, Image, Place
from trimtab.audit.facts.products import is_third_party
from trimtab.audit.facts.text import directory_of
from trimtab.audit.finding import Finding, Rule

_SET_IMAGE = re.compile(r"\bkubectl\b.{0,200}?\bset\s+image\s+\w{1,20}[/ ]([\w.-]+)|\bedit\s+set\s+image\s+([\w./-]+)")
_PLACEHOLDER = re.compile(
    r"(?:^|[/.-])(?:your|my)[-_.]?(?:org|organi[sz]ation|user(?:name)?|name|registry|repo(?:sitory)?|company|account|project|"
    r"docker\w*|github\w*|domain|image)(?:$|[/.:-])|(?:^|/)(?:OWNER|ORG|USERNAME|REGISTRY|ACCOUNT_ID|PROJECT_ID)/|[<>]|"
    r"change-?me|placeholder|(?:^|\.)example\.(?:com|org)/",
    re.IGNORECASE,
)
_SETS = re.compile(
    r"\bsed\s.{0,500}\bimage|\benvsubst\b|"
    r"--set(?:-string)?[ =]\S{0,100}image|\byq\s.{0,500}\bimage"
)


def check(facts: Facts) -> Iterator[Finding]:
    """One finding per deployed image that resembles a pushed one without being it."""
    yield from _placeholders(facts)
    pushed: dict[str, list[tuple[Place, str]]] = {}
    for push in facts.pushes:
        for tag in (*push.images, *push.tags):
            name = _name(tag)
            if name:
                pushed.setdefault(name, []).append((push.place, _untagged(tag)))
    if not pushed:
        return
    contexts = _by_context(facts)
    deployed = _deployed(facts)
    for name, places in sorted(deployed.items()):
        base = _last(name)
        named = [other for other in pushed if _last(other) == base]
        if not name or any(_same(name, other) for other in named) or (named and _replaced(base, facts)):
            continue
        near = contexts.get(name, []) or [
            other for other in pushed if other not in deployed and _near(base, _last(other), name, other)
        ]
        near = (
            near or _sole_rest(name, pushed, deployed) or _sibling(name, pushed, facts) or _family(name, pushed, facts)
        )
        if near:
            yield RULE.finding(
                f"{name} is deployed, but {pushed[near[0]][0][1]} is what is pushed",
                [*places, *(place for other in near for place in pushed[other])],
                confidence="high" if _last(near[0]) == base or name in contexts else "medium",
            )


def _deployed(facts: Facts) -> dict[str, list[tuple[Place, str]]]:
    """The images that compose files and manifests run without building them, other than published ones."""
    unfilled = {image.repository for image in _unfilled(facts)}
    named = _named_by_commands(facts)
    found: dict[str, list[tuple[Place, str]]] = {}
    for container in facts.containers:
        image = container.image
        if image is None or container.build is not None or "tpl-" in image.text or image.repository in unfilled:
            continue
        if not is_third_party(image.repository) and not {container.workload, image.repository} & named:
            found.setdefault(_plain(image), []).append((image.place, _plain(image)))
    return found


def _named_by_commands(facts: Facts) -> frozenset[str]:
    """The workloads and images whose image a command replaces when it deploys: the manifest's stands for none."""
    return frozenset(
        name
        for command in facts.commands
        if "set image" in command.text
        for found in _SET_IMAGE.findall(command.text)
        for name in found
        if name
    )


def _placeholders(facts: Facts) -> Iterator[Finding]:
    """Images that are deployed under a name that was never filled in, beside those that are pushed."""
    places: dict[str, list[tuple[Place, str]]] = {}
    for image in _unfilled(facts):
        places.setdefault(image.repository, []).append((image.place, image.repository))
    pushes = [(push.place, tag) for push in facts.pushes for tag in push.images or push.tags if "steps." not in tag]
    for name, found in sorted(places.items()):
        alone = bool(facts.pushes) and not any(" set image" in one.text for one in facts.commands)
        yield RULE.finding(
            f"{name} is deployed, and a part of its name is a placeholder",
            [*found, *pushes],
            severity="high" if alone else "medium",
            confidence="high" if alone else "medium",
        )


def _unfilled(facts: Facts) -> Iterator[Image]:
    """Images of what is deployed whose names hold a placeholder that no kustomization and no command fills in."""
    renamed = {
        str(one.text("name"))
        for item in facts.objects
        if item.kind == "Kustomization"
        for one in item.body.maps("images")
    }
    set_there = [one.text for one in facts.commands if "set image" in one.text]
    for container in facts.containers:
        image = container.image
        if (
            image is not None
            and container.build is None
            and container.environment != "example"
            and _PLACEHOLDER.search(image.repository)
            and image.repository not in renamed
            and not _replaced(image.base, facts)
            and not any(image.base in text for text in set_there)
        ):
            yield image


def _replaced(base: str, facts: Facts) -> bool:
    """Whether a command puts another image in the place of the one that a manifest names."""
    commands = facts.once("image replacements", lambda: [one.text for one in facts.commands if _SETS.search(one.text)])
    return any(base in text or "envsubst" in text for text in commands)


def _last(name: str) -> str:
    return name.rsplit("/", 1)[-1]


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


def _untagged(tag: str) -> str:
    """A pushed reference as it is written, without its tag."""
    head, sign, last = tag.rpartition("/")
    return head + sign + last.partition(":")[0].partition("@")[0]


def _plain(image: Image) -> str:
    return "" if image.open and not image.base else image.repository


def _same(one: str, other: str) -> bool:
    """Whether two names can be the same: a computed or missing part fits anything, other than a registry."""
    left, right = one.split("/"), other.split("/")
    if left[-1] != right[-1]:
        return False
    registries = {_registry(one), _registry(other)} - {"", "*"}
    if len(registries) > 1:
        return False
    if "*" in one or "*" in other or "$" in one + other or len(left) != len(right):
        return True
    return left == right


def _registry(name: str) -> str:
    """The registry of a name: "*" where it is computed, "" where the name may be a local one."""
    first, sign, _ = name.partition("/")
    if not sign:
        return ""
    if _open(first):
        return "*"
    known = re.search(r"[.:]|^localhost$", first) and not first.endswith(".docker.io")
    return first if known else "docker.io"


def _open(part: str) -> bool:
    return "*" in part or "$" in part


def _near(base: str, other_base: str, name: str, other: str) -> bool:
    if base == other_base:
        apart = len({_registry(name), _registry(other)} - {"", "*"}) > 1
        return apart or name.count("/") == other.count("/") or _open(name + other)
    words, other_words = set(re.split(r"[-_]", base)), set(re.split(r"[-_]", other_base))
    return difflib.SequenceMatcher(None, base, other_base).ratio() > 0.75 or bool(
        len(words & other_words) and (words <= other_words or other_words <= words)
    )


RULE = Rule(
    module=__name__,
    severity="high",
    area="Deployment Automation",
    title="An image is built under one name and deployed under another",
    what="Compares the names of the images that workflows push with those that compose files and manifests run, and "
    "looks for names of which a part was never filled in.",
    why="The deploy pulls an image that does not exist, or an old one that nobody builds any more.",
    example="""ci.yml:           tags: ghcr.io/acme/platform-backend:${{ github.sha }}
k8s/backend.yaml: image: ghcr.io/acme/backend:1.4.0""",
    remedy="Use one name in the workflow and in the manifests.",
    check=check,
)
