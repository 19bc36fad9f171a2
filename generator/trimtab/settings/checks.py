"""What pydantic cannot see: how settings fit together. Each check yields problems; none stops the others."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING

from trimtab.settings.env_names import ALIASES, DERIVED, looks_secret
from trimtab.settings.messages import shown, suggest, suggest_framework
from trimtab.settings.partial import is_lost, original
from trimtab.settings.schema import Autoscaling, Env, Environment, Overrides, Service, Settings
from trimtab.settings.yaml_text import Document, Path, Problem

if TYPE_CHECKING:
    from trimtab.frameworks import Frameworks

LOCAL = "local"
# Names that the generated platform gives to parts of its own.
_PARTS = ("postgres", "redis", "gateway", "local", "default-deny", "allow-dns", "acme-solver")
PART_ENDS = ("-migrate", "-secrets", "-config", "-canary", "-preview", "-metrics", "-backup", "-restore", "-clients")
# Names that YAML reads as something else than a text, wherever a file writes them without quotes.
_LOWER_WORDS = ("null", "true", "false", "yes", "no", "on", "off", "y", "n")
_YAML_WORDS = (*_LOWER_WORDS, *(word.upper() for word in _LOWER_WORDS))
# Names of devices on Windows, where no file or folder may be called so, whatever its ending.
_DEVICES = ("con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10)))
RESERVED = (*_PARTS, *_YAML_WORDS, *_DEVICES)
_PORT_MAX = 65535
_DATASTORE_PORTS = {"postgres": 5432, "redis": 6379}
# The Deployment's name is <service>; the longest derived host is <service>.<namespace>.svc.
_NAMESPACE_MAX = 63
# An image of GitLab's own registry begins with the path of a project: group/project.
_GITLAB = "registry.gitlab.com"
_GITLAB_DEPTH = 2


# The place, what is wrong, what to do; then the places where something is missing, if that is what is wrong.
_Found = Iterator[tuple[Path, str, str] | tuple[Path, str, str, tuple[Path, ...]]]


def check_settings(
    settings: Settings, document: Document, frameworks: Frameworks, left_out: Collection[Path] = ()
) -> list[Problem]:
    """Every problem between settings, in no particular order.

    `left_out` are places of the document that are wrong themselves, and not in the settings: what only lacks them
    is no problem of its own.
    """
    found = []
    for place, what, help_, *lacking in _all(settings, frameworks):
        if any(is_lost(one, left_out) for places in lacking for one in places):
            continue
        path = original(place, left_out)
        if isinstance(path[-1], int) and path not in document.lines:
            path = path[:-1]  # a text that stands for a list of one item
        found.append(Problem(document.line_of(path), path, what, help_))
    return found


def _all(settings: Settings, frameworks: Frameworks) -> _Found:
    known = {name: s for name, s in settings.services.items() if s.framework in frameworks}
    for name, service in settings.services.items():
        at: Path = ("services", name)
        if name not in known:
            yield (
                (*at, "framework"),
                f"{shown(service.framework)} is not a framework",
                suggest_framework(service.framework, frameworks),
            )
        yield from _name(name, at)
        yield from _host_port(settings, name, at)
        yield from _uses(settings, name, service)
        yield from _scaling(service.autoscaling, service.replicas, at)
    for name, service in known.items():
        framework = frameworks[service.framework]
        yield from _migrations(service, framework, ("services", name))
        yield from _env(service, framework, ("services", name))
        yield from _public_env(service.public_env, framework, ("services", name, "public_env"))
    if settings.name in _YAML_WORDS:
        yield ("name",), f"{shown(settings.name)} means something else than a name in YAML", "choose another name"
    if (port := re.search(r":([0-9]+)", settings.registry)) and int(port[1]) > _PORT_MAX:
        yield ("registry",), f"{port[1]} is not a port (1-{_PORT_MAX})", "write that of the registry, or none"
    yield from _metrics(settings)
    yield from _ports(settings)
    if len(known) == len(settings.services):
        yield from _routes(settings, frameworks)
    yield from _delivery(settings)
    yield from _environments(settings, frameworks)


def _name(name: str, at: Path) -> _Found:
    if name in _PARTS or name.endswith(PART_ENDS):
        yield at, f"{shown(name)} is a name that generated parts bear", "call the service something else"
    else:
        yield from _word(name, at)


def _host_port(settings: Settings, name: str, at: Path) -> _Found:
    """One variable of .env tells the port of `x-host`, and where `x` is published."""
    other = name.removesuffix("-host")
    if other != name and other in ("gateway", "postgres", "redis", *settings.services):
        yield at, f"its variable {_variable(name, 'PORT')} is that of {other} too", "call the service something else"


def _word(name: str, at: Path) -> _Found:
    if name in _DEVICES:
        yield at, f"{shown(name)} is a device on Windows, where no file can be called so", "choose another name"
    elif name in _YAML_WORDS:
        yield at, f"{shown(name)} means something else than a name in YAML", "choose another name"


def _uses(settings: Settings, name: str, service: Service) -> _Found:
    stores = [store for store in ("postgres", "redis") if getattr(settings.datastores, store)]
    known = [*stores, *(n for n in settings.services if n != name)]
    yield from _twice(service.uses, ("services", name, "uses"))
    for index, used in enumerate(service.uses):
        at: Path = ("services", name, "uses", index)
        if used in service.uses[:index]:
            continue
        if (address := _variable(used, "URL")) in DERIVED and used not in ("postgres", "redis"):
            what = f"the address of {shown(used)} would be {address}, which comes from {DERIVED[address]}"
            yield at, what, "call that service something else"
        if used in ("postgres", "redis") and used not in stores:
            yield at, f"{shown(used)} is not declared", _declare(used), (("datastores", used),)
        elif used not in known:
            what = f"{shown(used)} is neither a datastore nor another service"
            yield at, what, suggest(used, known), (("services", used), ("datastores", used))


def _twice(names: Sequence[str], at: Path) -> _Found:
    for index, name in enumerate(names):
        if name in names[:index]:
            yield (*at, index), f"{shown(name)} stands twice", "remove one of them"


def _declare(store: str) -> str:
    return f"add `{store}: {{}}` under `datastores`"


def _scaling(autoscaling: object, replicas: int | None, at: Path) -> _Found:
    if isinstance(autoscaling, Autoscaling):
        if autoscaling.min and autoscaling.max and autoscaling.min > autoscaling.max:
            yield (
                (*at, "autoscaling", "min"),
                f"{autoscaling.min} is more than max, {autoscaling.max}",
                "lower it",
            )
        if replicas is not None:
            yield (
                (*at, "replicas"),
                "stands beside autoscaling, which sets the number itself",
                "remove one of the two",
            )
        yield from _twice([m.name for m in autoscaling.metrics or []], (*at, "autoscaling", "metrics"))
    elif replicas is not None and autoscaling is not False:
        what = "has no effect while autoscaling is on"
        yield (*at, "replicas"), what, "add `autoscaling: false`", ((*at, "autoscaling"),)


def _metrics(settings: Settings) -> _Found:
    """A custom metric bears one name in the whole cluster, so that it can come from one series only."""
    scalings: list[tuple[Path, object]] = [(("services", n), s.autoscaling) for n, s in settings.services.items()]
    for place, environment in settings.environments.items():
        overrides = environment.services.items()
        scalings += [(("environments", place, "services", n), o.autoscaling) for n, o in overrides]
    sources: dict[str, str] = {}
    for at, scaling in scalings:
        for index, metric in enumerate((scaling.metrics or []) if isinstance(scaling, Autoscaling) else []):
            source = sources.setdefault(metric.name, metric.from_)
            if source != metric.from_:
                where = (*at, "autoscaling", "metrics", index)
                yield where, f"{shown(metric.name)} comes from {source} elsewhere", "rename one of them"


def _migrations(service: Service, framework: dict[str, object], at: Path) -> _Found:
    migrations = service.migrations
    if migrations is None:
        return
    tool = migrations if isinstance(migrations, str) else migrations.tool
    if not isinstance(migrations, str):
        yield from _twice(migrations.expect_indexes, (*at, "migrations", "expect_indexes"))
    tools = framework.get("migrations") or []
    assert isinstance(tools, list)  # noqa: S101 - the shape of framework.yml, which a test of ours checks
    if not tools:
        yield (*at, "migrations"), f"{framework['title']} serves files and runs none", "move it to a backend"
        return
    if "postgres" not in service.uses:
        help_ = "add postgres to the service's `uses`"
        yield (*at, "migrations"), "needs a database", help_, ((*at, "uses"),)
    if tool and tool not in tools:
        where = (*at, "migrations") if isinstance(migrations, str) else (*at, "migrations", "tool")
        yield (
            where,
            f"{shown(tool)} does not go with {framework['title']}",
            f"choose one of: {', '.join(tools)}",
        )


def _env(service: Service, framework: dict[str, object], at: Path) -> _Found:
    fixed = framework.get("env") or {}
    assert isinstance(fixed, dict)  # noqa: S101 - as above
    calls = {_variable(used, "URL"): f"`uses: [{used}]`" for used in service.uses}
    derived = {
        **DERIVED,
        **dict.fromkeys(fixed, "the framework"),
        **calls,
        _variable(str(at[-1]), "PORT"): "`port`",
    }
    port_env = framework.get("port_env")
    if isinstance(port_env, str):
        derived[port_env] = "`port`"
    places: list[tuple[Path, str]] = [((*at, "env", name), name) for name in service.env]
    places += [((*at, "secrets", index), name) for index, name in enumerate(service.secrets)]
    yield from _env_names(places, derived)
    for name in service.env:
        if looks_secret(name):
            yield (
                (*at, "env", name),
                "looks like a secret, and this file is tracked",
                "move its name to `secrets`",
            )
        if name in service.secrets:
            yield (*at, "env", name), "stands under `secrets` too", "keep it there only"
    yield from _twice(service.secrets, (*at, "secrets"))


def _variable(service: str, end: str) -> str:
    return f"{service.upper().replace('-', '_')}_{end}"


def _env_names(places: list[tuple[Path, str]], derived: dict[str, str]) -> _Found:
    for path, name in places:
        if name in _YAML_WORDS:
            yield path, f"{name} is read by YAML as a truth value or nothing", "choose another name"
        elif name in derived:
            yield path, f"{name} is written by Trimtab, from {derived[name]}", "remove it"
        elif name in ALIASES:
            yield (
                path,
                f"{name} is another spelling of {ALIASES[name]}",
                f"write {ALIASES[name]}, in the code too",
            )


def _public_env(env: Env, framework: dict[str, object], at: Path) -> _Found:
    public = framework.get("public")
    if not isinstance(public, dict):
        if env:
            yield at, f"{framework['title']} sends no variables to a browser", "use `env`"
        return
    prefix = public["prefix"]
    for name in env:
        if not name.startswith(prefix):
            yield (*at, name), f"does not begin with {prefix}", f"{framework['title']} exposes {prefix}* only"
        if looks_secret(name):
            yield (*at, name), "looks like a secret, and every visitor could read it", "keep it on the server"


def _ports(settings: Settings) -> _Found:
    taken: dict[int, str] = {
        port: store for store, port in _DATASTORE_PORTS.items() if getattr(settings.datastores, store)
    }
    for name, service in settings.services.items():
        if service.port is None:
            continue
        if owner := taken.get(service.port):
            yield (
                ("services", name, "port"),
                f"{service.port} is the local port of {owner} too",
                "choose another",
            )
        taken.setdefault(service.port, name)


def _routes(settings: Settings, frameworks: Frameworks) -> _Found:
    owners: dict[str, str] = {}
    for name, service in settings.services.items():
        if not isinstance(service.route, list):
            continue
        for index, route in enumerate(service.route):
            if owner := owners.get(route):
                yield (
                    ("services", name, "route", index),
                    f"{route} leads to {owner} already",
                    "choose another",
                )
            owners.setdefault(route, name)
    served = [*owners, *_default_routes(settings, frameworks)]
    lacking = tuple(("services", name, "route") for name in settings.services)
    for name, service in settings.services.items():
        for variable, value in service.public_env.items():
            if isinstance(value, str) and value.startswith("/") and not _is_served(value, served):
                at = ("services", name, "public_env", variable)
                help_ = f"routes are: {', '.join(sorted(served)) or 'none'}"
                yield at, f"no service serves {value}", help_, lacking


def _default_routes(settings: Settings, frameworks: Frameworks) -> list[str]:
    """Where services without a `route` are served; template/lib/resolve.jinja gives them the same."""
    kinds = [frameworks[s.framework]["kind"] for s in settings.services.values() if s.route is None]
    routes = ["/"] if "frontend" in kinds else []
    routes += ["/api"] if "backend" in kinds else []
    return [*routes, *(f"/{name}" for name, s in settings.services.items() if s.route is None)]


def _is_served(path: str, routes: list[str]) -> bool:
    return any(path == r or path.startswith(r.rstrip("/") + "/") for r in routes)


def _delivery(settings: Settings) -> _Found:
    delivery = settings.delivery
    at: Path = ("delivery",)
    yield from _twice(delivery.hooks, (*at, "hooks"))
    if delivery.mode != "gitops":
        for key in ("engine", "repository"):
            if getattr(delivery, key):
                help_ = "add `mode: gitops`, or remove it"
                yield (*at, key), "has an effect only with GitOps", help_, ((*at, "mode"),)
    if (
        delivery.ci == "gitlab"
        and settings.registry.startswith(_GITLAB)
        and settings.registry.count("/") < _GITLAB_DEPTH
    ):
        help_ = f"write {settings.registry}/{settings.name} if that is the project of this repository"
        yield ("registry",), "names no GitLab project, and images live below one", help_
    if delivery.abort_when and delivery.strategy not in ("canary", "blue-green"):
        help_ = "add `strategy: canary` or `blue-green`"
        yield (*at, "abort_when"), "needs a strategy with steps", help_, ((*at, "strategy"),)


def _environments(settings: Settings, frameworks: Frameworks) -> _Found:
    namespaces: dict[str, str] = {}
    for name, environment in settings.environments.items():
        at: Path = ("environments", name)
        for where, word in ((at, name), ((*at, "namespace"), environment.namespace)):
            yield from _word(word or "", where)
        if name == LOCAL:
            for key in ("host", "tls", "approval", "namespace", "postgres", "redis", "patches"):
                if getattr(environment, key):
                    yield (*at, key), "has no effect: local is Docker Compose", "remove it"
        else:
            yield from _cluster(settings, name, environment, namespaces)
        for service_name, overrides in environment.services.items():
            where = (*at, "services", service_name)
            service = settings.services.get(service_name)
            if service is None:
                help_ = suggest(service_name, list(settings.services))
                yield where, "is not a service", help_, (("services", service_name),)
            elif service.framework in frameworks:
                yield from _overrides(service, overrides, frameworks[service.framework], where)


def _cluster(settings: Settings, name: str, environment: Environment, namespaces: dict[str, str]) -> _Found:
    at: Path = ("environments", name)
    if not environment.host:
        yield at, "has no host", "add `host: app.example.com`", ((*at, "host"),)
    yield from _twice(environment.patches, (*at, "patches"))
    namespace = environment.namespace or f"{settings.name}-{name}"
    if len(namespace) > _NAMESPACE_MAX:
        yield at, f"gives a namespace of more than {_NAMESPACE_MAX} characters", "add a shorter `namespace`"
    if other := namespaces.get(namespace):
        yield at, f"has the namespace {namespace} of {other}", "give each environment its own"
    namespaces[namespace] = name
    for store in ("postgres", "redis"):
        if getattr(environment, store) and not getattr(settings.datastores, store):
            yield (*at, store), f"{store} is not declared", _declare(store), (("datastores", store),)


def _overrides(service: Service, overrides: Overrides, framework: dict[str, object], at: Path) -> _Found:
    merged = service.model_copy(update={"env": overrides.env, "secrets": []})
    yield from _env(merged, framework, at)
    for name in overrides.env:
        if name in service.secrets:
            yield (*at, "env", name), f"is a secret of {at[-1]}", "set its value in the secret store"
    yield from _public_env(overrides.public_env, framework, (*at, "public_env"))
    public = framework.get("public")
    if overrides.public_env and isinstance(public, dict) and not public["runtime"]:
        yield (
            (*at, "public_env"),
            f"{framework['title']} fixes {public['prefix']}* at build time, and one image serves every environment",
            "use a value that is valid everywhere (such as /api), or read an `env` variable on the server",
        )
    autoscaling = overrides.autoscaling if overrides.autoscaling is not None else service.autoscaling
    if isinstance(autoscaling, Autoscaling) and isinstance(service.autoscaling, Autoscaling):
        base = service.autoscaling
        autoscaling = autoscaling.model_copy(
            update={"min": autoscaling.min or base.min, "max": autoscaling.max or base.max}
        )
    replicas, own = overrides.replicas, ("services", at[-1])
    if overrides.autoscaling is None and replicas is not None and service.autoscaling is not False:
        lacking = ((*at, "autoscaling"), (*own, "autoscaling"))
        yield (*at, "replicas"), "has no effect while autoscaling is on", "add `autoscaling: false` here", lacking
    elif overrides.autoscaling is not None:
        yield from _scaling(autoscaling, replicas, at)
