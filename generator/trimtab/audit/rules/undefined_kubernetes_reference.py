"""A manifest refers to a ConfigMap, Secret, Service or claim that no manifest defines."""

from __future__ import annotations

import difflib
import re
from collections import defaultdict
from collections.abc import Iterator

from trimtab.audit.facts.created import created_objects
from trimtab.audit.facts.model import Facts, KubeObject, KubeRef, Place
from trimtab.audit.facts.naming import environment_of
from trimtab.audit.facts.products import is_third_party
from trimtab.audit.finding import Confidence, Finding, Rule, Severity
from trimtab.errors import some
from trimtab.yamlpos import Map

# What usually comes from outside of the repository, so that its absence alone says little.
_OUTSIDE = frozenset({"Secret", "ServiceAccount"})
_MAKERS = {
    "ExternalSecret": "Secret",
    "SealedSecret": "Secret",
    "Certificate": "Secret",
    "SopsSecret": "Secret",
    "Postgresql": "Secret",
}
_KUBECTL = re.compile(r"\bkubectl\s.{0,300}?\b(?:rollout|set|scale|wait|patch|logs|exec)\b")
_WORKLOAD = re.compile(
    r"\s(deploy(?:ment)?|statefulset|sts|daemonset|ds)s?(?:\.apps)?[/\s]([a-z][a-z0-9-]{1,60})(?=[\s;\"']|$)"
)
_KINDS = {"de": "Deployment", "st": "StatefulSet", "da": "DaemonSet", "ds": "DaemonSet"}
_NAMESPACE = re.compile(r"\s(?:-n|--namespace)[ =]([a-z0-9-]+)(?=\s|$)")


def check(facts: Facts) -> Iterator[Finding]:
    """One finding per kind and name."""
    defined: dict[str, dict[str, Place]] = defaultdict(dict)
    keys: dict[tuple[str, str], dict[str, Place]] = {}
    for item in facts.objects:
        kind = _MAKERS.get(item.kind, item.kind)
        name = item.name
        if item.kind in ("ExternalSecret", "Certificate"):
            target = item.body.map("spec", "target").text("name") or item.body.map("spec").text("secretName")
            name = str(target or name)
        defined[kind][name] = item.place
        made = _keys(item)
        if made:
            keys.setdefault((kind, name), {}).update(made)
    for one in facts.renamed:
        defined[_MAKERS.get(one.kind, one.kind)].setdefault(one.name, one.place)
    for created, made_by in created_objects(facts).items():
        if made_by.keys is None:
            keys.pop(created, None)
        else:
            keys.setdefault(created, {}).update(made_by.keys)
    charted = bool(facts.assumed) or any("tpl-" in name for names in defined.values() for name in names)
    yield from _absent(facts, defined, charted=charted)
    yield from _absent_keys(facts, keys, defined)
    yield from _commanded(facts, defined)


def _keys(item: KubeObject) -> dict[str, Place]:
    """The keys that an object gives its ConfigMap or Secret, and where; empty when they are not all known here."""
    parts: tuple[Map, ...] = ()
    if item.kind == "ExternalSecret":
        spec = item.body.map("spec")
        template = spec.map("target", "template")
        if spec.get("dataFrom") or template.get("templateFrom"):
            return {}
        taken = {
            str(one.text("secretKey")): Place(item.place.path, one.line_of("secretKey"))
            for one in spec.maps("data")
            if one.text("secretKey")
        }
        shaped = _located(item, template.map("data"))
        return shaped | taken if str(template.text("mergePolicy")) == "Merge" or not shaped else shaped
    if item.kind == "SealedSecret":
        parts = (item.body.map("spec", "encryptedData"), item.body.map("spec", "template", "data"))
    if item.kind in ("ConfigMap", "Secret"):
        parts = (item.body.map("data"), item.body.map("stringData"))
    return {key: place for part in parts for key, place in _located(item, part).items()}


def _located(item: KubeObject, part: Map) -> dict[str, Place]:
    """The keys of a part of an object, which a generator may have taken from another file."""
    return {key: Place(getattr(part.line_of(key), "path", item.place.path), int(part.line_of(key))) for key in part}


def _absent(  # noqa: C901
    facts: Facts, defined: dict[str, dict[str, Place]], *, charted: bool
) -> Iterator[Finding]:
    wanted: dict[tuple[str, str], list[tuple[Place, str]]] = defaultdict(list)
    for ref in facts.kube_refs:
        known = ref.name in defined[ref.kind] or (ref.kind, ref.name) in created_objects(facts)
        if not ref.optional and not known:
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
        if not near and _weak(kind, name, places):
            severity, confidence = "medium", "low"
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


def _weak(kind: str, name: str, places: list[tuple[Place, str]]) -> bool:
    """Whether the chart of a known product may make a Service, under its release's name, or the reference stands where
    a cluster is only tried out.
    """
    known = kind == "Service" and any(is_third_party(word) for word in name.split("-"))
    return known or all(environment_of(place.path) == "test" for place, _ in places)


def _absent_keys(
    facts: Facts, keys: dict[tuple[str, str], dict[str, Place]], defined: dict[str, dict[str, Place]]
) -> Iterator[Finding]:
    """Keys of a ConfigMap or Secret that a container takes one by one, with the key that may be meant or the object."""
    absent: dict[tuple[str, str], list[KubeRef]] = defaultdict(list)
    for ref in facts.kube_refs:
        known = keys.get((ref.kind, ref.name))
        if ref.key and known and not ref.optional and ref.key not in known and "tpl-" not in ref.key:
            absent[(ref.kind, ref.name)].append(ref)
    created = created_objects(facts)
    for (kind, name), refs in sorted(absent.items()):
        asked = list(dict.fromkeys(ref.key for ref in refs))
        owners = some(list(dict.fromkeys(ref.owner for ref in refs)), 3)
        known = keys[(kind, name)]
        made_at = defined[kind][name] if name in defined[kind] else created[(kind, name)].place
        alike = [one for one in known if any(_plain(one) == _plain(key) for key in asked)]
        yield RULE.finding(
            f"{kind} {name} has no key {some(asked, 5)}, which {owners} asks for",
            [
                *((ref.key_place or ref.place, ref.key) for ref in refs),
                *([(known[one], one) for one in alike] or [(made_at, f"{kind} {name}")]),
            ],
            severity="high",
            confidence="medium" if (kind, name) in created else "high",
        )


def _plain(key: str) -> str:
    return re.sub(r"[^a-z0-9]", "", key.lower())


def _commanded(facts: Facts, defined: dict[str, dict[str, Place]]) -> Iterator[Finding]:
    """Workloads that kubectl is to roll out, change or wait for, under nearly the name of one that is defined."""
    by_namespace: dict[tuple[str, str], dict[str, Place]] = defaultdict(dict)
    for one in facts.renamed:
        by_namespace[(one.kind, one.namespace)][one.name] = one.by
    wanted: dict[tuple[str, str, str], list[tuple[Place, str]]] = defaultdict(list)
    for command in facts.commands:
        if "kubectl" not in command.text:
            continue
        for line in command.text.split("\n"):
            space = _NAMESPACE.search(line)
            for short, name in _WORKLOAD.findall(line) if _KUBECTL.search(line) else ():
                kind = _KINDS[short[:2]]
                here = by_namespace.get((kind, space[1]), {}) if space else {}
                names = here or defined[kind]
                if name in names:
                    continue
                near = [other for other in names if other.endswith(f"-{name}") or other.startswith(f"{name}-")]
                near = near or difflib.get_close_matches(name, list(names), n=1, cutoff=0.75)
                if near and not any("tpl-" in one for one in names):
                    wanted[(kind, name, min(near))].append((command.place, f"{kind} {name}"))
    for (kind, name, near_name), places in sorted(wanted.items()):
        found = [one.by for one in facts.renamed if (one.kind, one.name) == (kind, near_name)]
        found = found or [defined[kind][near_name]]
        yield RULE.finding(
            f"{kind} {name} is not defined, and a command asks for it; {near_name} is",
            [*places, *((place, f"{kind} {near_name}") for place in found)],
            severity="high",
        )


RULE = Rule(
    module=__name__,
    severity="high",
    area="Kubernetes",
    title="A manifest refers to an object that no manifest defines",
    what="Looks up the ConfigMaps, Secrets, their keys, claims, service accounts and Services that "
    "workloads and ingresses name, among manifests and what commands create, and the workloads that commands of "
    "kubectl name. Secrets are "
    "reported only where the repository defines others, since many come from outside.",
    why="The pod waits for ever in CreateContainerConfigError, or the ingress answers 503.",
    example="""envFrom: [{ configMapRef: { name: app-config } }]
kind: ConfigMap, metadata: { name: api-config }""",
    remedy="Correct the name, or define the object beside the others.",
    check=check,
)
