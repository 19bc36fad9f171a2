"""A manifest refers to a ConfigMap, Secret, Service or claim that no manifest defines."""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Iterator

from trimtab.audit.facts.model import Facts, KubeObject, KubeRef, Place
from trimtab.audit.facts.products import is_third_party
from trimtab.audit.finding import Confidence, Finding, Rule, Severity

# What usually comes from outside of the repository, so that its absence alone says little.
_OUTSIDE = frozenset({"Secret", "ServiceAccount"})
_MAKERS = {
    "ExternalSecret": "Secret",
    "SealedSecret": "Secret",
    "Certificate": "Secret",
    "SopsSecret": "Secret",
    "Postgresql": "Secret",
}


def check(facts: Facts) -> Iterator[Finding]:
    """One finding per kind and name."""
    defined: dict[str, dict[str, Place]] = defaultdict(dict)
    keys: dict[tuple[str, str], set[str]] = {}
    for item in facts.objects:
        kind = _MAKERS.get(item.kind, item.kind)
        name = item.name
        if item.kind in ("ExternalSecret", "Certificate"):
            target = item.body.map("spec", "target").text("name") or item.body.map("spec").text("secretName")
            name = str(target or name)
        defined[kind][name] = item.place
        made = _keys(item)
        if made:
            keys.setdefault((kind, name), set()).update(made)
    charted = bool(facts.assumed) or any("tpl-" in name for names in defined.values() for name in names)
    yield from _absent(facts, defined, charted=charted)
    yield from _absent_keys(facts, keys)


def _keys(item: KubeObject) -> set[str]:
    """The keys that an object gives its ConfigMap or Secret; empty when they are not all known here."""
    if item.kind == "ExternalSecret":
        spec = item.body.map("spec")
        template = spec.map("target", "template")
        if spec.get("dataFrom") or template.get("templateFrom"):
            return set()
        taken = {str(one.text("secretKey")) for one in spec.maps("data") if one.text("secretKey")}
        shaped = set(template.map("data"))
        return shaped | taken if str(template.text("mergePolicy")) == "Merge" or not shaped else shaped
    if item.kind == "SealedSecret":
        return {*item.body.map("spec", "encryptedData"), *item.body.map("spec", "template", "data")}
    if item.kind in ("ConfigMap", "Secret"):
        return {*item.body.map("data"), *item.body.map("stringData")}
    return set()


def _absent(  # noqa: C901
    facts: Facts, defined: dict[str, dict[str, Place]], *, charted: bool
) -> Iterator[Finding]:
    wanted: dict[tuple[str, str], list[tuple[Place, str]]] = defaultdict(list)
    for ref in facts.kube_refs:
        if not ref.optional and ref.name not in defined[ref.kind]:
            wanted[(ref.kind, ref.name)].append((ref.place, f"{ref.owner}: {ref.kind} {ref.name}"))
    for route in facts.ingress_routes:
        if (
            route.service not in defined["Service"]
            and "tpl-" not in route.service
            and route.service != "use-annotation"
        ):
            wanted[("Service", route.service)].append((route.place, f"Service {route.service}"))
    for (kind, name), places in sorted(wanted.items()):
        near = difflib.get_close_matches(name, [one for one in defined[kind] if "tpl-" not in one], n=1, cutoff=0.75)
        if _from_outside(kind, name, near, places, facts):
            continue
        if kind in _OUTSIDE and not near and not defined[kind]:
            if kind == "Secret" and not charted and not _made_by_command(name, facts):
                yield RULE.finding(
                    f"Secret {name} is referred to, and nothing here makes it",
                    places,
                    severity="low",
                    confidence="low",
                    remedy="Keep it sealed or as an ExternalSecret beside the manifests, or say in them who makes it.",
                )
            continue
        severity: Severity = "high" if kind not in _OUTSIDE else "medium"
        confidence: Confidence = (
            "high" if near or (kind not in _OUTSIDE and not charted) else "low" if charted else "medium"
        )
        if not near and kind == "Service" and any(is_third_party(word) for word in name.split("-")):
            severity, confidence = "medium", "low"  # the chart of a known product makes it, under its release's name
        if charted and not near:
            severity = "medium"
        hint = f"; {near[0]} is defined" if near else ""
        yield RULE.finding(
            f"{kind} {name} is referred to and not defined{hint}",
            [*places, *((defined[kind][one], f"{kind} {one}") for one in near)],
            severity=severity,
            confidence=confidence,
        )


def _made_by_command(name: str, facts: Facts) -> bool:
    """Whether a command of the repository makes a Secret of this name."""
    return any(name in command.text and "secret" in command.text.lower() for command in facts.commands)


def _from_outside(kind: str, name: str, near: list[str], places: list[tuple[Place, str]], facts: Facts) -> bool:
    """Whether a chart that is kept elsewhere makes the object, or the values of one here name it as existing."""
    if any(name.endswith(f"-{one}") or (one in name and not near) for one in facts.installed):
        return True
    return kind in _OUTSIDE and _chosen(name, places, facts) and not any(_misspelt(name, one) for one in near)


def _chosen(name: str, places: list[tuple[Place, str]], facts: Facts) -> bool:
    """Whether a chart's values name the object, as they do for one that exists already."""
    return all(
        any(value == name for value, _ in facts.origins.get((place.path, place.line), ())) for place, _ in places
    )


def _misspelt(name: str, other: str) -> bool:
    """Whether two names have equally many words, of which one is spelt otherwise."""
    pairs = [pair for pair in zip(name.split("-"), other.split("-"), strict=False) if pair[0] != pair[1]]
    same_length = name.count("-") == other.count("-")
    return same_length and len(pairs) == 1 and difflib.SequenceMatcher(None, *pairs[0]).ratio() > 0.7


def _absent_keys(facts: Facts, keys: dict[tuple[str, str], set[str]]) -> Iterator[Finding]:
    """Keys of a ConfigMap or Secret that a container takes one by one."""
    absent: dict[tuple[str, str, str, str], list[KubeRef]] = defaultdict(list)
    for ref in facts.kube_refs:
        known = keys.get((ref.kind, ref.name))
        if ref.key and known and not ref.optional and ref.key not in known and "tpl-" not in ref.key:
            absent[(ref.kind, ref.name, ref.owner, ref.place.path)].append(ref)
    for (kind, name, owner, _), refs in sorted(absent.items()):
        asked = ", ".join(dict.fromkeys(ref.key for ref in refs))
        yield RULE.finding(
            f"{kind} {name} has no key {asked}, which {owner} asks for",
            [(ref.place, ref.key) for ref in refs],
            severity="high",
        )


RULE = Rule(
    module=__name__,
    severity="high",
    area="Kubernetes",
    title="A manifest refers to an object that no manifest defines",
    what="Looks up the ConfigMaps, Secrets, their keys, claims, service accounts and Services that "
    "workloads and ingresses name. Secrets are "
    "reported only where the repository defines others, since many come from outside.",
    why="The pod waits for ever in CreateContainerConfigError, or the ingress answers 503.",
    example="""envFrom: [{ configMapRef: { name: app-config } }]
kind: ConfigMap, metadata: { name: api-config }""",
    remedy="Correct the name, or define the object beside the others.",
    check=check,
)
