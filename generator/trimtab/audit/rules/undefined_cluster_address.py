"""A file in a ConfigMap names a Service of the cluster that its namespace does not have."""

from __future__ import annotations

import difflib
import re
from collections import defaultdict
from collections.abc import Iterator

from trimtab.audit.facts.model import Facts, Place
from trimtab.audit.finding import Finding, Rule
from trimtab.yamlpos import Scalar

_ADDRESS = re.compile(r"(?<![\w.-])([a-z][a-z0-9-]{0,62})\.([a-z][a-z0-9-]{0,62})\.svc(?![\w-])")
_MAX = 200_000


def check(facts: Facts) -> Iterator[Finding]:
    """One finding per address. A namespace is known when Services here say that they are in it."""
    services: dict[str, dict[str, Place]] = defaultdict(dict)
    for item in facts.objects:
        if item.kind == "Service" and item.namespace:
            services[item.namespace][item.name] = item.place
    wanted: dict[tuple[str, str], list[Place]] = defaultdict(list)
    for name, namespace, place in _addresses(facts) if services else ():
        held = services.get(namespace)
        outside = any(one in name for one in facts.installed)
        if held and name not in held and not outside and "tpl-" not in name + "".join(held):
            wanted[(name, namespace)].append(place)
    for (name, namespace), places in sorted(wanted.items()):
        held = services[namespace]
        near = next(iter(difflib.get_close_matches(name, held, n=1, cutoff=0.75)), "")
        near = near or next((one for one in held if one.startswith(f"{name}-") or one.endswith(f"-{name}")), "")
        hint = f" ({near} is)" if near else ""
        yield RULE.finding(
            f"{name}.{namespace}.svc is used, and that namespace has no Service {name}{hint}",
            [*((place, f"{name}.{namespace}.svc") for place in places), *([(held[near], near)] if near else [])],
            severity="high" if near else "medium",
            confidence="high" if near else "medium",
        )


def _addresses(facts: Facts) -> Iterator[tuple[str, str, Place]]:
    """Each address of the cluster in a ConfigMap's files: name, namespace, place."""
    for item in facts.objects:
        if item.kind != "ConfigMap" or item.patch:
            continue
        data = item.body.map("data")
        for key, value in data.items():
            if not isinstance(value, Scalar) or "\n" not in value or ".svc" not in value or len(value) > _MAX:
                continue
            first = data.line_of(key)
            path = getattr(first, "path", item.place.path)
            for number, line in enumerate(value.split("\n")):
                for match in _ADDRESS.finditer(line) if not line.lstrip().startswith(("#", "//")) else ():
                    yield match[1], match[2], Place(path, int(first) + number + (0 if value.plain else 1))


RULE = Rule(
    module=__name__,
    severity="high",
    area="Kubernetes",
    title="A configuration file in the cluster names a Service that its namespace does not have",
    what="Looks up the addresses `NAME.NAMESPACE.svc` that stand in files inside ConfigMaps (data sources, scrape "
    "jobs, outputs of logs) among the Services of that namespace.",
    why="The name resolves to nothing: the data source is down, and what was to be sent is lost.",
    example="""datasources.yaml: url: http://prometheus.monitoring.svc.cluster.local:9090
kind: Service, metadata: { name: prometheus-server, namespace: monitoring }""",
    remedy="Write the Service's name.",
    check=check,
)
