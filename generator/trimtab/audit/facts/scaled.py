"""The metrics of its own that an autoscaler waits for, and whether anything here gives them."""

from __future__ import annotations

import re

from trimtab.audit.facts import model as m
from trimtab.audit.facts.draft import Draft
from trimtab.audit.facts.naming import is_auxiliary
from trimtab.audit.facts.source import language_of

_MAX_FILES = 20_000
_YAML = (".yml", ".yaml", ".json", ".tpl", ".tf", ".libsonnet", ".jsonnet")
_RATE = re.compile(r"_(?:per_second|per_sec|per_minute|rate|rps|qps|avg|average|p\d{2}|percent|ratio|count|total)$")


def unserved(draft: Draft) -> list[m.Unserved]:
    """The metrics of pods and objects that autoscalers name and that neither the source nor any rule of an adapter
    does. Files are read only where there is such a metric.
    """
    wanted: dict[str, list[tuple[str, m.Place]]] = {}
    for item in draft.objects:
        if item.kind == "HorizontalPodAutoscaler":
            for metric in item.body.map("spec").maps("metrics"):
                for kind in ("pods", "object"):
                    name = metric.map(kind, "metric").text("name") or metric.map(kind).text("metricName")
                    if name and re.fullmatch(r"[a-z][a-z0-9_]+", name):
                        body = metric.map(kind, "metric") if "metric" in metric.map(kind) else metric.map(kind)
                        place = m.Place(item.place.path, body.line_of("name" if "name" in body else "metricName"))
                        wanted.setdefault(str(name), []).append((item.name, place))
    missing = dict(wanted)
    homes = {place.path for uses in wanted.values() for _, place in uses}
    for path in list(draft.repo.files)[:_MAX_FILES] if wanted else ():
        if missing and path not in homes and not is_auxiliary(path):
            for given in _given(draft, path, list(missing)):
                del missing[given]
    return [m.Unserved(name, owner, place) for name, uses in sorted(missing.items()) for owner, place in uses]


def _given(draft: Draft, path: str, names: list[str]) -> list[str]:
    """Those of the metrics that a file names: a source file by the series they are made of, another in full."""
    source = bool(language_of(path))
    if not source and not path.lower().endswith(_YAML):
        return []
    data = draft.repo.read_bytes(path) or b""
    return [name for name in names if (_RATE.sub("", name) if source else name).encode() in data]
