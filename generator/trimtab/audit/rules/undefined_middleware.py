"""A route of Traefik's names a middleware that no manifest defines."""

from __future__ import annotations

from collections.abc import Iterator

from trimtab.audit.facts.model import Facts, KubeObject, Place
from trimtab.audit.finding import Finding, Rule

_ANNOTATION = "traefik.ingress.kubernetes.io/router.middlewares"
_OF_CLUSTER = "@kubernetescrd"


def check(facts: Facts) -> Iterator[Finding]:
    """One finding per middleware."""
    middlewares = [one for one in facts.objects if one.kind == "Middleware"]
    if any("tpl-" in one.name for one in middlewares):
        return
    known = {one.name for one in middlewares}
    wanted: dict[str, list[tuple[Place, str]]] = {}
    for one in facts.objects:
        for name, place, owner in (*_annotated(one), *_routed(one)):
            # the annotation has the namespace before the name, with a dash between them
            if name not in known and not any(name.endswith(f"-{other}") for other in known) and "tpl-" not in name:
                wanted.setdefault(name, []).append((place, f"{owner}: {name}"))
    for name, places in wanted.items():
        yield RULE.finding(
            f"Middleware {name} is used by a route and not defined",
            places,
            confidence="high" if known else "medium",
        )


def _annotated(one: KubeObject) -> Iterator[tuple[str, Place, str]]:
    if one.kind not in ("Ingress", "Service"):
        return
    annotations = one.body.map("metadata", "annotations")
    for part in str(annotations.text(_ANNOTATION) or "").split(","):
        name = part.strip()
        if name.endswith(_OF_CLUSTER):
            place = Place(one.place.path, annotations.line_of(_ANNOTATION))
            yield name.removesuffix(_OF_CLUSTER), place, f"{one.kind} {one.name}"


def _routed(one: KubeObject) -> Iterator[tuple[str, Place, str]]:
    if one.kind != "IngressRoute":
        return
    for route in one.body.map("spec").maps("routes"):
        for entry in route.maps("middlewares"):
            name = str(entry.text("name") or "")
            if name and "@" not in name and not entry.text("namespace"):
                yield name, Place(one.place.path, entry.line_of("name")), f"{one.kind} {one.name}"


RULE = Rule(
    module=__name__,
    severity="high",
    area="Kubernetes",
    title="A route uses a middleware that is not defined",
    what="Looks up the Traefik middlewares that an Ingress's annotation names (`namespace-name@kubernetescrd`) and "
    "those of an IngressRoute.",
    why="Traefik drops a router whose middleware it does not find: every request to it is answered with 404.",
    example="""traefik.ingress.kubernetes.io/router.middlewares: shop-to-https@kubernetescrd   # not defined""",
    remedy="Define the Middleware beside the route, or correct namespace and name.",
    check=check,
)
