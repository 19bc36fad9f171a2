"""A Secret that workloads need stands in an example file only, though the repository makes others."""

from __future__ import annotations

import re
from collections.abc import Iterator

from trimtab.audit.facts.model import Facts, KubeObject
from trimtab.audit.finding import Finding, Rule

_EXAMPLE = re.compile(r"(?:^|[._-])(?:example|sample|template|tmpl|dist|tpl)s?(?=[._-]|$)", re.IGNORECASE)
_MAKERS = frozenset({"Secret", "SealedSecret", "ExternalSecret", "SopsSecret", "Certificate"})


def check(facts: Facts) -> Iterator[Finding]:
    """One finding per Secret."""
    applied = {one.path for one in facts.references if one.what == "kustomize resource"}
    made = [one for one in facts.objects if one.kind in _MAKERS]
    examples = [one for one in made if _is_example(one) and one.place.path not in applied]
    kept = [one for one in made if one not in examples]
    if not examples or not kept:
        return  # where nothing makes any Secret, the examples are how people are meant to
    really = {name for one in kept for name in (one.name, str(one.body.map("spec", "target").text("name") or ""))}
    for name in dict.fromkeys(one.name for one in examples):
        places = [one.place for one in examples if one.name == name]
        uses = [one for one in facts.kube_refs if one.kind == "Secret" and one.name == name and not one.optional]
        uses = [one for one in uses if not _EXAMPLE.search(one.place.path.rsplit("/", 1)[-1])]
        files = {place.path.rsplit("/", 1)[-1] for place in places}
        called = any(
            (name in one.text and "secret" in one.text.lower()) or any(file in one.text for file in files)
            for one in facts.commands
        )
        if uses and name not in really and not called and "tpl-" not in name:
            yield RULE.finding(
                f"Secret {name} stands in {sorted(files)[0]} only, which nothing applies",
                [
                    *((one.place, f"{one.owner}: Secret {name}") for one in uses),
                    *((place, f"example of {name}") for place in places),
                    *((one.place, f"{one.kind} {one.name}") for one in kept[:3]),
                ],
                confidence="medium",
            )


def _is_example(one: KubeObject) -> bool:
    return _EXAMPLE.search(one.place.path.rsplit("/", 1)[-1]) is not None


RULE = Rule(
    module=__name__,
    severity="medium",
    area="Kubernetes",
    title="A Secret stands in an example only",
    what="Looks for Secrets that workloads name and that only a file such as `secrets.example.yaml` defines, in a "
    "repository whose manifests make other Secrets. Examples that a kustomization lists or a command names are "
    "left out, and Secrets that a command makes.",
    why="The others are made on every deployment and this one is not, so the pod waits in "
    "CreateContainerConfigError until somebody remembers it.",
    example="""envFrom: [{ secretRef: { name: database } }]
secrets.example.yaml: kind: Secret, name: database     # and a SealedSecret for `app` only""",
    remedy="Seal it, or make it an ExternalSecret, beside the others.",
    check=check,
)
