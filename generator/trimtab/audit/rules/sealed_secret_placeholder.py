"""A SealedSecret holds what nobody sealed."""

from __future__ import annotations

import re
from collections.abc import Iterator

from trimtab.audit.facts.model import Facts, KubeObject, Place
from trimtab.audit.finding import Finding, Rule
from trimtab.errors import some

_EXAMPLE = re.compile(r"example|sample|template|tmpl", re.IGNORECASE)
# Sealed values are base64 of an RSA-encrypted key of 2048 bits or more and the value behind it.
_SEALED = re.compile(r"[A-Za-z0-9+/=\s]{300,}")


def check(facts: Facts) -> Iterator[Finding]:
    """One finding per SealedSecret, with its copies for several environments."""
    found: dict[str, list[tuple[Place, str]]] = {}
    for one in facts.objects:
        if one.kind == "SealedSecret" and not one.patch and not _EXAMPLE.search(one.place.path.rsplit("/", 1)[-1]):
            found.setdefault(one.name, []).extend(_unsealed(one))
    for name, unsealed in found.items():
        if unsealed:
            keys = some(list(dict.fromkeys(key for _, key in unsealed)), 4)
            yield RULE.finding(
                f"SealedSecret {name} holds no sealed value for {keys}",
                [(place, f"{key}: not sealed") for place, key in unsealed],
            )


def _unsealed(one: KubeObject) -> Iterator[tuple[Place, str]]:
    data = one.body.map("spec", "encryptedData")
    for name, value in data.items():
        if isinstance(value, str) and "tpl-" not in value and not _SEALED.fullmatch(value):
            yield Place(one.place.path, data.line_of(name)), name


RULE = Rule(
    module=__name__,
    kind="4.3",
    severity="medium",
    area="Kubernetes",
    title="A SealedSecret holds a placeholder",
    what="Looks for values in `encryptedData` that cannot be sealed ones: too short, or no base64. Files that are "
    "called examples or templates are left out.",
    why="The controller refuses the object, no Secret is made, and every pod that needs it waits.",
    example="""kind: SealedSecret
spec: { encryptedData: { DATABASE_PASSWORD: REPLACE_ME } }""",
    remedy="Seal the values with kubeseal before the manifest is applied, and keep the placeholder in a template.",
    check=check,
)
