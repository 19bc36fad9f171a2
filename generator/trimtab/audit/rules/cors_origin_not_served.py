"""The origins that a service allows are none of the hosts at which the cluster serves."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

from trimtab.audit.facts.clusterdata import values_of
from trimtab.audit.facts.model import Facts, Place
from trimtab.audit.finding import Finding, Rule

_NAME = re.compile(r"(?:^|_)(?:CORS_(?:ALLOW(?:ED)?_)?ORIGINS?|ALLOWED_ORIGINS?|CORS)(?:_LIST)?$")
_HOST = re.compile(r"https?://([a-z0-9](?:[a-z0-9.-]{0,250}[a-z0-9])?)(?=[\s,;\"'\]:/]|$)", re.IGNORECASE)
_LOCAL = re.compile(r"^(?:localhost|127\.|host\.|.*\.(?:local|localhost|svc|internal)$)")


def check(facts: Facts) -> Iterator[Finding]:
    """One finding per variable and group of manifests. Only hosts of one site: others may be served elsewhere."""
    served: dict[str, list[tuple[str, Place]]] = defaultdict(list)
    for one in facts.ingress_tls:
        served[one.group].extend(one.hosts)
    for item in facts.objects:
        if item.kind == "HTTPRoute":
            served[item.group].extend(
                (str(host), Place(item.place.path, line))
                for host, line in item.body.map("spec").seq("hostnames").lined()
            )
    for group, name, text, place in _origins(facts):
        hosts = {host.lower(): at for host, at in served[group]}
        allowed = [host.lower() for host in _HOST.findall(text) if not _LOCAL.match(host.lower())]
        if not allowed or not hosts or "*" in text or "$" in text or any("*" in one for one in hosts):
            continue
        near = {host: at for host, at in hosts.items() if _site(host) in {_site(one) for one in allowed}}
        if near and not set(allowed) & set(hosts):
            yield RULE.finding(
                f"{name} allows {', '.join(allowed)}, and the cluster serves {', '.join(sorted(near))}",
                [(place, ", ".join(allowed)), *((at, host) for host, at in sorted(near.items()))],
                confidence="medium",
            )


def _site(host: str) -> str:
    """The last two parts of a host, which those of one site have in common."""
    return ".".join(host.split(".")[-2:])


def _origins(facts: Facts) -> Iterator[tuple[str, str, str, Place]]:
    """(group, name, value, place) of the origins that manifests allow."""
    for item in facts.objects:
        if item.kind in ("ConfigMap", "Secret") and not item.patch:
            for key, held in values_of(item):
                if _NAME.search(key):
                    yield item.group, key, held.text, held.place
    for workload in facts.workloads:
        for container in workload.containers:
            for variable in container.env:
                if variable.value and _NAME.search(variable.name):
                    yield workload.group, variable.name, variable.value, variable.place


RULE = Rule(
    module=__name__,
    severity="medium",
    area="Kubernetes",
    title="The allowed origins are not the hosts that are served",
    what="Compares the origins that a service allows (CORS) with the hosts of the ingresses and routes beside it, "
    "where both are of one site and no origin is among the hosts.",
    why="The browser refuses every answer of the backend, and only there: requests from a shell work.",
    example="""config.yaml:  CORS_ORIGINS: https://example.org
ingress.yaml: host: app.example.org""",
    remedy="Allow the host at which the frontend is served.",
    check=check,
)
