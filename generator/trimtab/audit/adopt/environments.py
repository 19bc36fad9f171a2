"""The environments of a platform: their hosts, what they do not run themselves, and what they change."""

from __future__ import annotations

from trimtab.audit.adopt import scaling
from trimtab.audit.adopt.gathering import LOCAL
from trimtab.audit.adopt.model import Choice, Node, conflict, shown
from trimtab.audit.adopt.platform import Environments
from trimtab.audit.adopt.services import Described, typed

_STAND_IN = "app.example.com"


def put_environments(root: Node, given: Described, environments: Environments) -> None:
    """Write every environment that files are for."""
    node = root.at("environments")
    names = given.cluster.environments if given.clustered else []
    if not names:
        others = [label for one in given.variables.values() for label, _ in one.overrides if label not in (LOCAL, "")]
        names = sorted(
            {*others, *({"production"} if given.clustered else set())}, key=lambda name: (name == "production", name)
        )
    _overrides(node, given, LOCAL)
    spaces: dict[str, str] = {}
    for environment in [name for name in names if name != LOCAL]:
        below = node.at(environment)
        _host(below, environments, environment)
        below.choice("tls", environments.issuer(environment))
        below.choice("approval", environments.approval(environment))
        _namespace(below, environments, environment, spaces)
        stores = (root.children or {}).get("datastores")
        for store in (stores.children or {}) if stores else ():
            if given.clustered and environments.is_external(environment, store):
                below.put(store, "external", "no manifest runs it")
        patches = environments.patches(environment)
        if patches:
            below.put("patches", patches)
        _overrides(node, given, environment)
    if set(node.children or {}) <= {LOCAL}:
        node.at(LOCAL)
        node.comments.append(f"no other environment was found; add one: `production: {{ host: {_STAND_IN} }}`")


def _host(node: Node, environments: Environments, environment: str) -> None:
    host, word = environments.host(environment)
    if word:
        node.note("host", f"host: {word}")
    if host is None:
        name = _STAND_IN if environment == "production" else f"{environment}.{_STAND_IN}"
        host = Choice(name, None, "FOUND NOWHERE: name the host")
    node.choice("host", host)


def _namespace(node: Node, environments: Environments, environment: str, spaces: dict[str, str]) -> None:
    """Write the namespace; the first of several environments keeps one that they share. `spaces` are those taken."""
    space = environments.namespace(environment)
    if space is None:
        return
    if space.value in spaces:
        where = shown(space.place) if space.place else ""
        node.note("namespace", f"namespace: {space.value} ({where}) is that of {spaces[space.value]}, too")
        return
    spaces[space.value] = environment
    node.choice("namespace", space)


def _overrides(node: Node, given: Described, environment: str) -> None:
    for unit in given.units:
        path = (environment, "services", unit.name)
        variables = given.variables[unit.name]
        for public, key in ((False, "env"), (True, "public_env")):
            for name, choice in variables.overrides.get((environment, public), {}).items():
                if name not in variables.secrets:
                    remark = "; ".join(filter(None, [shown(choice.place) if choice.place else "", choice.why]))
                    said = [conflict(name, choice)] if choice.others else []
                    node.at(*path, key).put(name, typed(choice.value), remark, said)
        if environment == LOCAL:
            continue
        shared = scaling.resources(given.repo, given.cluster, unit, "")
        for key, choice in scaling.resources(given.repo, given.cluster, unit, environment).items():
            if key not in shared or shared[key].value != choice.value:
                node.at(*path, "resources").choice(key, choice)
        given.scales[unit.name].put_environment(node, path, environment)
