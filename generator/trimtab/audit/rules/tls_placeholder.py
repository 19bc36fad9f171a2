"""An ingress has placeholder hosts, or TLS that nothing issues."""

from __future__ import annotations

import re
from collections.abc import Iterator

from trimtab.audit.facts.model import Facts, Place
from trimtab.audit.finding import Finding, Rule

_PLACEHOLDER = re.compile(
    r"(?:^|\.)example\.(?:com|org|net)$|\.example$|your-?|yourdomain|mydomain|my-?app\.com$|domain\.com$|changeme|placeholder|<|\.test$|\.invalid$|foo\.bar|company\.com$",
    re.IGNORECASE,
)
_ISSUER_KINDS = frozenset({"ClusterIssuer", "Issuer"})


def check(facts: Facts) -> Iterator[Finding]:
    """One finding per ingress."""
    certificates = {item.body.map("spec").text("secretName") for item in facts.objects if item.kind == "Certificate"}
    secrets = {item.name for item in facts.objects if item.kind in ("Secret", "ExternalSecret", "SealedSecret")}
    issuers = {item.name for item in facts.objects if item.kind in _ISSUER_KINDS}
    for tls in facts.ingress_tls:
        if tls.environment in ("local", "test", "example"):
            continue
        places: list[tuple[Place, str]] = [
            (place, f"placeholder host: {host}") for host, place in tls.hosts if _PLACEHOLDER.search(host)
        ]
        if tls.secret:
            name, place = tls.secret
            if _PLACEHOLDER.search(name):
                places.append((place, f"placeholder secret: {name}"))
            elif name not in certificates and name not in secrets:
                if tls.issuer is None:
                    places.append((place, f"no issuer: {name}"))
                elif tls.issuer[0] not in issuers and tls.issuer[0] != "true":
                    places += [
                        (place, f"nothing here defines it: {name}"),
                        (tls.issuer[1], f"nothing here defines it: {tls.issuer[0]}"),
                    ]
        if places:
            yield RULE.finding(
                f"Ingress {tls.name}: TLS is not ready for use",
                [(tls.place, f"ingress {tls.name}"), *places],
                confidence="high"
                if any("placeholder" in value or "no issuer" in value for _, value in places)
                else "low",
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
