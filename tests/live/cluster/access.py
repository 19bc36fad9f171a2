"""Who may do what: tokens as GitHub issues them, and RBAC as the applied roles say."""

from __future__ import annotations

import base64
import json
import time
from dataclasses import dataclass
from typing import Any

from tests.live.cluster.store import ApiError, Kind, Object, Store

AUDIENCE = "kubernetes"


def issue(subject: str, audience: str) -> str:
    """A token with the claims of GitHub's, and no signature: nobody could check it here."""

    def part(data: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(data).encode()).decode().rstrip("=")

    claims = {"sub": subject, "aud": audience, "exp": int(time.time()) + 300}
    return f"{part({'alg': 'none'})}.{part(claims)}.unsigned"


def user_of(authorization: str) -> str:
    """`github:` and the subject, the user name that protect.sh grants roles to."""
    try:
        text = authorization.removeprefix("Bearer ").split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (IndexError, ValueError) as error:
        raise ApiError(401, "Unauthorized", "Unauthorized") from error
    if claims["aud"] != AUDIENCE or claims["exp"] < time.time():
        raise ApiError(401, "Unauthorized", "Unauthorized")
    return f"github:{claims['sub']}"


@dataclass(frozen=True)
class Request:
    user: str
    verb: str
    kind: Kind
    resource: str
    namespace: str
    name: str


def authorize(store: Store, request: Request) -> None:
    """Raises ApiError(403) unless a role that is bound to the user allows it."""
    for binding in [*store.of("ClusterRoleBinding"), *store.of("RoleBinding", request.namespace)]:
        if not any(subject["name"] == request.user for subject in binding["subjects"]):
            continue
        reference, place = binding["roleRef"], binding["metadata"].get("namespace", "")
        for role in store.of(reference["kind"], place):
            if role["metadata"]["name"] == reference["name"] and any(_allows(r, request) for r in role["rules"]):
                return
    where = f'in the namespace "{request.namespace}"' if request.namespace else "at the cluster scope"
    message = f'User "{request.user}" cannot {request.verb} resource "{request.resource}" in API group'
    raise ApiError(403, "Forbidden", f'{message} "{request.kind.group}" {where}')


def _allows(rule: Object, request: Request) -> bool:
    return (
        request.kind.group in rule["apiGroups"]
        and ("*" in rule["resources"] or request.resource in rule["resources"])
        and request.verb in rule["verbs"]
        and request.name in (rule.get("resourceNames") or [request.name])
    )
