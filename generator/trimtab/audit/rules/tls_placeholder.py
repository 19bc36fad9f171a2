"""An ingress has placeholder hosts, or TLS that nothing issues."""

from __future__ import annotations

import re
from collections.abc import Iterator

from trimtab.audit.facts.model import Facts, IngressTls, Place
from trimtab.audit.finding import Finding, Rule

_PLACEHOLDER = re.compile(
    r"(?:^|\.)example\.(?:com|org|net)$|\.example$|your-?|yourdomain|mydomain|my-?app\.com$|domain\.com$|changeme|placeholder|<|\.test$|\.invalid$|foo\.bar|company\.com$|\$\(\w+\)",
    re.IGNORECASE,
)
_APART = ("local", "test", "example")
_ISSUER_KINDS = frozenset({"ClusterIssuer", "Issuer"})


def check(facts: Facts) -> Iterator[Finding]:
    """One finding per ingress and environment; what is defined elsewhere is said once."""
    certificates = {item.body.map("spec").text("secretName") for item in facts.objects if item.kind == "Certificate"}
    secrets = {item.name for item in facts.objects if item.kind in ("Secret", "ExternalSecret", "SealedSecret")}
    issuers = {item.name for item in facts.objects if item.kind in _ISSUER_KINDS}
    told: set[tuple[str, str]] = set()
    for tls in facts.ingress_tls:
        if tls.environment in _APART or _replaced(tls, facts):
            continue
        places = [(place, f"placeholder host: {host}") for host, place in tls.hosts if _PLACEHOLDER.search(host)]
        places += _secret(tls, certificates | secrets, issuers)
        sure = any("placeholder" in value or "no issuer" in value for _, value in places)
        if places and (sure or (tls.group, tls.name) not in told):
            told.add((tls.group, tls.name))
            yield RULE.finding(
                f"Ingress {tls.name}: {_said([value for _, value in places])}",
                [(tls.place, f"ingress {tls.name}"), *places],
                confidence="high" if sure else "low",
            )


def _said(values: list[str]) -> str:
    """The first reason in a sentence."""
    reason, _, name = values[0].partition(": ")
    return {
        "placeholder host": f"its host {name} is a placeholder",
        "placeholder secret": f"its TLS secret {name} is a placeholder",
        "no issuer": f"nothing issues its TLS secret {name}",
    }.get(reason, f"its TLS secret {name} and the issuer are not defined here")


def _secret(tls: IngressTls, secrets: set[str | None], issuers: set[str]) -> list[tuple[Place, str]]:
    if tls.secret is None:
        return []
    name, place = tls.secret
    if _PLACEHOLDER.search(name):
        return [(place, f"placeholder secret: {name}")]
    if name in secrets:
        return []
    if tls.issuer is None:
        return [(place, f"no issuer: {name}")]
    if tls.issuer[0] in issuers or tls.issuer[0] == "true":
        return []
    return [
        (place, f"nothing here defines it: {name}"),
        (tls.issuer[1], f"nothing here defines it: {tls.issuer[0]}"),
    ]


def _replaced(tls: IngressTls, facts: Facts) -> bool:
    """Whether these are the values that a chart begins with, and each environment has its own."""
    if tls.environment or "/templates/" not in tls.place.path:
        return False
    own = [one for one in facts.ingress_tls if (one.group, one.name) == (tls.group, tls.name) and one.environment]
    hosts = {host for host, _ in tls.hosts}
    return any(one.environment not in _APART for one in own) and not any(
        hosts & {host for host, _ in one.hosts} for one in own
    )


RULE = Rule(
    module=__name__,
    kind="4.3",
    severity="low",
    area="Kubernetes",
    title="TLS of an ingress is a placeholder",
    what="Looks for example hosts in ingresses, and for TLS secrets that no certificate, secret or "
    "issuer in the repository provides.",
    why="The ingress serves a self-signed certificate, or none, until somebody finishes the set-up by hand.",
    example="""tls: [{ hosts: [app.example.com], secretName: app-tls }]""",
    remedy="Write the real host, define the cert-manager issuer and name it in the ingress's annotation.",
    check=check,
)
