"""A kustomization changes something that it does not apply."""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Iterator

from trimtab.audit.facts.model import Facts, KustomizeTarget, Place
from trimtab.audit.facts.text import parse_image
from trimtab.audit.finding import Finding, Rule

_DOES = {
    "images": ("changes the image", "change the image"),
    "replicas": ("scales", "scale"),
    "patches": ("patches", "patch"),
    "configMapGenerator": ("merges into", "merge into"),
    "secretGenerator": ("merges into", "merge into"),
}


def check(facts: Facts) -> Iterator[Finding]:
    """One finding per name that fits nothing; overlays that copy it from one another have one cause."""
    missing: dict[tuple[str, str], list[KustomizeTarget]] = defaultdict(list)
    for target in facts.kustomize_targets:
        if not target.found and not _applied_elsewhere(target, facts):
            missing[(target.what, target.name)].append(target)
    for (what, name), targets in missing.items():
        paths = list(dict.fromkeys(target.place.path for target in targets))
        more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
        places = [(target.place, target.name) for target in targets]
        near = dict.fromkeys(one for target in targets for one in _near(target))
        does = _DOES[what][bool(more)]
        applies = "which they do not apply" if more else "which it does not apply"
        yield RULE.finding(f"{paths[0]}{more} {does} {name}, {applies}", [*places, *near])


def _near(target: KustomizeTarget) -> list[tuple[Place, str]]:
    """What may be meant: the image of that name in another registry, what has a similar name, else all of the kind
    where that is not much.
    """
    unique = dict(target.near)
    if target.what == "images":
        base = target.name.rsplit("/", 1)[-1]
        same = [(place, text) for place, text in unique.items() if parse_image(text, place).base == base]
        if same:
            return same
    close = set(difflib.get_close_matches(target.name, list(unique.values()), n=3, cutoff=0.6))
    return [(place, text) for place, text in unique.items() if text in close or len(unique) < 4]


def _applied_elsewhere(target: KustomizeTarget, facts: Facts) -> bool:
    """Whether a shared list of images, as several overlays keep it, has the image of another part."""
    if target.what != "images":
        return False
    ours = {one.image.repository for one in facts.containers if one.image and one.origin == "kubernetes"}
    return parse_image(target.name, target.place).repository in ours


RULE = Rule(
    module=__name__,
    severity="high",
    area="Kubernetes",
    title="A kustomization changes something that it does not apply",
    what="""Looks up the images, workloads and objects that `images`, `replicas`, patches and generators that merge name
among the resources that the kustomization applies, in all files and folders that it refers to. Those with remote
resources or charts are left out.""",
    why="Kustomize passes over an image or a target that fits nothing, so the value stays the base's; for "
    "other patches and generators the build fails.",
    example="""k8s/base/web.yaml:                      image: ghcr.io/acme/web
k8s/overlays/production/kustomization.yaml: images: [{ name: ghcr.io/acme/frontend, newTag: 1.4.0 }]""",
    remedy="Use the name as the base writes it.",
    check=check,
)
