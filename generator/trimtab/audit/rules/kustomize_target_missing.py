"""A kustomization changes something that it does not apply."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from trimtab.audit.facts.model import Facts, KustomizeTarget, Place
from trimtab.audit.facts.text import parse_image
from trimtab.audit.finding import Finding, Rule

_WHAT = {"images": "image", "replicas": "workload", "patches": "object"}


def check(facts: Facts) -> Iterator[Finding]:
    """One finding per entry that fits nothing."""
    for target in facts.kustomize_targets:
        if not target.found and not _applied_elsewhere(target, facts):
            yield RULE.finding(
                f"{target.what} of {target.place.path} names {target.name}, which it does not apply",
                [(target.place, target.name), *_near(target)],
            )


def _near(target: KustomizeTarget) -> list[tuple[Place, str]]:
    """What may be meant: what has a similar name, else all of the kind where that is not much."""
    names = [text for _, text in target.near]
    close = set(difflib.get_close_matches(target.name, names, n=3, cutoff=0.6))
    unique = dict(target.near)
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
    what="""Looks up the images, workloads and objects that `images`, `replicas` and patches name among the resources
that the kustomization applies, in all files and folders that it refers to. Those with remote resources or charts are
left out.""",
    why="Kustomize passes over an image or a target that fits nothing, so the value stays the base's; for "
    "other patches the build fails.",
    example="""k8s/base/web.yaml:                      image: ghcr.io/acme/web
k8s/overlays/production/kustomization.yaml: images: [{ name: ghcr.io/acme/frontend, newTag: 1.4.0 }]""",
    remedy="Use the name as the base writes it.",
    check=check,
)
