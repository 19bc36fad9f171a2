"""Prometheus configuration: the hosts and ports that it is told to scrape."""

from __future__ import annotations

import re

from trimtab.audit.facts import model as m
from trimtab.audit.facts.draft import Draft
from trimtab.audit.facts.text import to_port
from trimtab.yamlpos import Map

TARGET = "target"  # the name of such an upstream
_ADDRESS = re.compile(r"([A-Za-z][\w.-]{0,200}):(\d{1,5})")


def looks_like_prometheus(body: Map) -> bool:
    """Whether a document is Prometheus' own configuration."""
    return bool(body.maps("scrape_configs")) and "services" not in body


def read(draft: Draft, path: str, body: Map) -> None:
    """Add the static targets of the jobs and of the alert managers. Those that are told by labels, as probes of URLs
    are, have no host of their own here.
    """
    jobs = [*body.maps("scrape_configs"), *body.map("alerting").maps("alertmanagers")]
    for job in jobs:
        if any(str(one.text("target_label") or "") == "__address__" for one in job.maps("relabel_configs")):
            continue
        for group in job.maps("static_configs"):
            for target, line in group.seq("targets").lined():
                match = _ADDRESS.fullmatch(target) if isinstance(target, str) else None
                if match:
                    place = m.Place(path, line)
                    draft.upstreams.append(m.Upstream(match[1], to_port(match[2]), place, "http", TARGET))
