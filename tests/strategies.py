"""Random valid settings (hypothesis), as the plain data that YAML gives."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.conftest import ROOT
from trimtab.frameworks import Frameworks
from trimtab.settings.checks import PART_ENDS, RESERVED

_FRAMEWORKS = Frameworks(ROOT)
_names = st.from_regex(r"[a-z][a-z0-9]{0,6}(-[a-z0-9]{1,5})?", fullmatch=True).filter(
    lambda n: n not in RESERVED and not n.endswith(PART_ENDS)
)
# Free text with the metacharacters of every language that a value may enter.
free_text = st.text(alphabet=st.sampled_from("abc XYZ019'\"`$(){}<>&|;#%:@!?*\\/[],=+-_~^é漢"), max_size=24)
_env_names = st.from_regex(r"[A-Z]{3,8}_(MODE|LIMIT|NOTE|SIZE)", fullmatch=True)
_env = st.dictionaries(_env_names, free_text | st.integers(0, 10**6) | st.booleans(), max_size=3)
_secrets = st.lists(st.from_regex(r"[A-Z]{3,8}_(SECRET|API_KEY)", fullmatch=True), unique=True, max_size=2)
_resources = st.fixed_dictionaries(
    {}, optional={"cpu": st.sampled_from(["100m", "0.5", "2"]), "memory": st.sampled_from(["128Mi", "1Gi"])}
)
_autoscaling = st.one_of(
    st.none(),
    st.fixed_dictionaries(
        {"min": st.integers(1, 3), "max": st.integers(3, 9)},
        optional={
            "cpu": st.integers(10, 90),
            "metrics": st.just([{"name": "requests_per_second", "from": "http_requests_total", "target": 50}]),
        },
    ),
)


_scaling = st.one_of(
    st.just({}),
    _autoscaling.map(lambda one: {"autoscaling": one} if one else {}),
    st.integers(1, 5).map(lambda number: {"autoscaling": False, "replicas": number}),
)


def _without_none(data: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in data.items() if v is not None}


@st.composite
def _service(draw: st.DrawFn, name: str, port: int, stores: list[str], others: list[str]) -> dict[str, Any]:
    framework = draw(st.sampled_from(_FRAMEWORKS.names))
    data = _FRAMEWORKS[framework]
    tools = data.get("migrations") or []
    backend = data["kind"] == "backend"
    serves = not data.get("static") and data.get("port_env")
    uses = draw(st.lists(st.sampled_from([*stores, *others]), unique=True)) if serves and (stores or others) else []
    public = data.get("public")
    calls = {f"{u.upper().replace('-', '_')}_URL" for u in uses}
    env = {k: v for k, v in draw(_env).items() if k not in calls}
    migrations = draw(st.sampled_from([None, *tools])) if "postgres" in uses and tools else None
    return _without_none(
        {
            "framework": framework,
            "path": draw(st.sampled_from([None, f"apps/{name}"])),
            "port": draw(st.sampled_from([None, port])),
            "route": draw(st.sampled_from([None, f"/{name}", [f"/{name}/a", f"/{name}/b"], False])),
            "health": draw(st.sampled_from([None, "/up", {"live": "/live", "ready": "/ready"}])),
            "metrics": draw(st.sampled_from([None, "/internal/metrics", False])) if backend else None,
            "uses": uses,
            "migrations": {"tool": migrations, "expect_indexes": ["users.idx_users_email"]} if migrations else None,
            "env": env,
            "public_env": draw(_public(public)) if public and draw(st.booleans()) else None,
            "secrets": draw(_secrets),
            "resources": draw(_resources),
            **draw(_scaling),
        }
    )


def _public(public: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    names = st.sampled_from([f"{public['prefix']}NOTE", f"{public['prefix']}SIZE"])
    return st.dictionaries(names, free_text.filter(lambda t: t[:1] != "/"), max_size=2)


@st.composite
def _overrides(draw: st.DrawFn, service: dict[str, Any]) -> dict[str, Any]:
    """What one environment changes of a service."""
    public = _FRAMEWORKS[service["framework"]].get("public") or {}
    calls = {f"{u.upper().replace('-', '_')}_URL" for u in service["uses"]}
    return _without_none(
        {
            "resources": draw(_resources),
            "env": {k: v for k, v in draw(_env).items() if k not in calls},
            "public_env": draw(_public(public)) if public.get("runtime") and draw(st.booleans()) else None,
            **draw(_scaling),
        }
    )


@st.composite
def settings(draw: st.DrawFn, ci: str | None = None, variables: bool = True) -> dict[str, Any]:
    """Valid settings: one to four services, any mix of frameworks, datastores, environments and delivery options;
    for the CI system `ci` where it is given. With `variables`, environments change variables and scaling, and the
    local one changes anything at all.
    """
    names = draw(st.lists(_names, min_size=1, max_size=4, unique_by=lambda n: n.replace("-", "")))
    stores = draw(st.lists(st.sampled_from(["postgres", "redis"]), unique=True))
    services = {
        name: draw(_service(name, 7001 + number, stores, [other for other in names if other != name]))
        for number, name in enumerate(names)
    }
    strategy = draw(st.sampled_from(["rolling", "canary", "blue-green"]))
    mode = draw(st.sampled_from(["kubectl", "gitops"]))
    delivery = {
        "ci": ci or draw(st.sampled_from(["github", "gitlab"])),
        "mode": mode,
        "strategy": strategy,
        "secrets": draw(st.sampled_from(["external-secrets", "sealed-secrets", "sops"])),
        "ingress": draw(st.sampled_from(["gateway", "ingress"])),
        "metrics": draw(st.sampled_from(["prometheus-adapter", "keda"])),
    }
    if mode == "gitops":
        delivery["engine"] = draw(st.sampled_from(["argocd", "flux"]))
    if strategy != "rolling":
        delivery["abort_when"] = {"error_rate": "1%", "p95_latency": "500ms"}
    places: dict[str, Any] = {"local": {}} if draw(st.booleans()) else {}
    for place in draw(st.lists(st.sampled_from(["dev", "staging", "production"]), min_size=1, unique=True)):
        places[place] = {"host": f"{place}.example.com", "approval": draw(st.sampled_from(["required", "none"]))}
        places[place] |= {store: "external" for store in stores if draw(st.booleans())}
        places[place] |= draw(st.sampled_from([{}, {"tls": "letsencrypt-staging"}, {"namespace": f"ns-{place}"}]))
    for called, place in places.items():
        if called == "local" and not variables:
            continue
        changed = draw(st.lists(st.sampled_from(names), unique=True, max_size=2))
        changes = {name: draw(_overrides(services[name])) for name in changed}
        place["services"] = changes if variables else {n: {"resources": c["resources"]} for n, c in changes.items()}
    return {
        "version": 1,
        "name": draw(_names),
        "registry": "ghcr.io/acme",
        "services": services,
        "datastores": {store: {} for store in stores},
        "delivery": delivery,
        "environments": places,
    }


@st.composite
def broken(draw: st.DrawFn) -> tuple[dict[str, Any], str]:
    """Settings with one mistake, and the dotted path where it is to be reported."""
    data = draw(settings())
    name = draw(st.sampled_from(sorted(data["services"])))
    at = f"services.{name}"
    place = next(p for p in data["environments"] if p != "local")
    mistakes: list[tuple[Any, str, Any, str]] = [
        (data["services"][name], "port", draw(st.sampled_from([0, 65536, -1, "80", 1.5, [80]])), f"{at}.port"),
        (data["services"][name], "framework", draw(_names), f"{at}.framework"),
        (data["services"][name], "colour", "red", f"{at}.colour"),
        (data["services"][name], "path", "../outside", f"{at}.path"),
        (data["services"][name], "uses", ["mongodb"], f"{at}.uses[0]"),
        (data["services"][name], "secrets", ["lower-case"], f"{at}.secrets[0]"),
        (data["services"][name], "env", {"DB_URI": "x"}, f"{at}.env.DB_URI"),
        (data["services"][name], "resources", {"memory": "lots"}, f"{at}.resources.memory"),
        (data, "version", draw(st.sampled_from([0, 2, "1", None])), "version"),
        (data, "name", "Not A Name", "name"),
        (data, "registry", "https://ghcr.io", "registry"),
        (data["delivery"], "mode", "ftp", "delivery.mode"),
        (data["environments"][place], "host", "not a host", f"environments.{place}.host"),
        (data["environments"][place], "services", {"ghost": {}}, f"environments.{place}.services.ghost"),
    ]
    holder, key, value, path = draw(st.sampled_from(mistakes))
    holder[key] = value
    return data, path
