"""A ConfigMap holds variables that no container receives."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

from trimtab.audit.facts.model import Facts, KubeObject, Place
from trimtab.audit.finding import Finding, Rule
from trimtab.errors import some
from trimtab.yamlpos import Map, Scalar, Seq, Value

_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*")
_READ_ELSEWHERE = re.compile(r"dashboard|rule|alert|datasource|template|operator|sidecar", re.IGNORECASE)


def check(facts: Facts) -> Iterator[Finding]:
    """One finding per ConfigMap, of those that hold variables and nothing else."""
    if facts.assumed or not facts.workloads:
        return
    whole, single = _uses(facts)
    reads = {read.name for read in facts.reads}
    by_name: dict[str, list[KubeObject]] = defaultdict(list)
    for item in facts.objects:
        if item.kind == "ConfigMap" and item.name and item.place.path not in ("", None):
            by_name[item.name].append(item)
    mentioned = _mentioned(facts)
    for name, items in sorted(by_name.items()):
        unused = [(item, key, line) for item in items for key, line in _variables(item) if key not in single[name]]
        if name in whole or "tpl-" in name or not unused:
            continue
        if not single[name] and name in mentioned:
            continue
        keys = list(dict.fromkeys(key for _, key, _ in unused))
        wanted = [key for key in keys if key in reads]
        if single[name]:
            title = f"ConfigMap {name}: no container is given {some(keys)}"
        else:
            title = f"ConfigMap {name} is given to no container"
        yield RULE.finding(
            title,
            [(Place(getattr(line, "path", item.place.path), int(line)), key) for item, key, line in unused],
            severity="medium" if wanted and single[name] else "low",
            confidence="medium",
            evidence=f"the source reads {some(wanted)}" if wanted else "",
        )


def _variables(item: KubeObject) -> Iterator[tuple[str, int]]:
    """The keys of a ConfigMap with their lines, when each is a variable's name; nothing where one is a file."""
    data = item.body.map("data")
    labels = " ".join([*item.labels, *item.body.map("metadata", "annotations")])
    if all(_VARIABLE.fullmatch(key) for key in data) and not _READ_ELSEWHERE.search(labels):
        yield from ((key, data.line_of(key)) for key in data)


def _uses(facts: Facts) -> tuple[set[str], dict[str, set[str]]]:
    """The ConfigMaps that are taken whole, as variables or files, and the keys that are taken one by one."""
    whole: set[str] = set()
    single: dict[str, set[str]] = defaultdict(set)
    for ref in facts.kube_refs:
        if ref.kind == "ConfigMap":
            if ref.key:
                single[ref.name].add(ref.key)
            else:
                whole.add(ref.name)
    return whole, single


def _mentioned(facts: Facts) -> set[str]:
    """Every word in objects other than ConfigMaps, and in commands: a ConfigMap may be handed on by any of them."""
    found: set[str] = set()
    for item in facts.objects:
        if item.kind not in ("ConfigMap", "Secret"):
            found.update(_words(item.body))
    for command in facts.commands:
        if "configmap" in command.text or "config-map" in command.text:
            found.update(re.findall(r"[a-z0-9][a-z0-9.-]*", command.text))
    return found


def _words(value: Value) -> Iterator[str]:
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, Map):
            waiting.extend(one.values())
        elif isinstance(one, Seq):
            waiting.extend(one)
        elif isinstance(one, Scalar):
            yield str(one)


RULE = Rule(
    module=__name__,
    severity="low",
    area="Kubernetes",
    title="A ConfigMap holds variables that no container receives",
    what="Looks for ConfigMaps of variables of which containers take some keys one by one, and not the others, and "
    "for ConfigMaps that no workload takes at all. Those that are mounted, taken whole with `envFrom`, or read by "
    "controllers are left out.",
    why="Whoever changes the value changes nothing: the program runs on its default, or the name in the workload is "
    "another one.",
    example="""kind: ConfigMap, metadata: { name: api }, data: { LOG_LEVEL: info, POOL_SIZE: "20" }
env: [{ name: LOG_LEVEL, valueFrom: { configMapKeyRef: { name: api, key: LOG_LEVEL } } }]   # and no POOL_SIZE""",
    remedy="Take the ConfigMap with `envFrom`, or delete what nothing is given.",
    check=check,
)
