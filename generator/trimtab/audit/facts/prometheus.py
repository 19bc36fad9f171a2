"""Prometheus configuration, in a file of its own or inside a ConfigMap: the hosts and ports that it is to scrape."""

from __future__ import annotations

import re

from trimtab.audit.facts import model as m
from trimtab.audit.facts.draft import Draft
from trimtab.audit.facts.text import to_port

TARGET = "target"  # the name of such an upstream
MAX_LINE = 2_000
_TARGETS = re.compile(r"^(\s{0,200})(?:-\s{1,9})?targets:\s{0,20}(?:\[(.*)\])?\s*$")
_ITEM = re.compile(r"^(\s{0,200})-\s")
_JOB = re.compile(r"^\s{0,200}(?:-\s{1,9}(?:job_name|scheme|static_configs):|(?:scrape_configs|alertmanagers):)")
_RELABELLED = re.compile(r"\btarget_label:\s{0,20}[\"']?__address__\b")
_ADDRESS = re.compile(r"(?:^|[\s,\"'\[])([A-Za-z0-9][\w.-]{0,250}):(\d{2,5})(?=$|[\s,\"'\]])")


def holds_targets(text: str) -> bool:
    """Whether a YAML file may be, or hold, such a configuration."""
    return "scrape_configs:" in text


def read(draft: Draft, path: str, text: str) -> None:
    """Add the static targets of the jobs and of the alert managers. Those that are told by labels, as probes of URLs
    are, have no host of their own here.
    """
    found: list[m.Upstream] = []  # of the job that is being read
    relabelled = False
    inside: int | None = None  # how far the list of targets is indented
    for number, line in enumerate(text.split("\n"), start=1):
        plain = line[:MAX_LINE].partition(" #")[0].rstrip()
        if not plain.strip() or plain.lstrip().startswith("#"):
            continue
        if _JOB.match(plain):
            draft.upstreams.extend(() if relabelled else found)
            found, relabelled = [], False
        relabelled = relabelled or _RELABELLED.search(plain) is not None
        targets, item = _TARGETS.match(plain), _ITEM.match(plain)
        written = ""
        if targets:
            inside = None if targets[2] is not None else len(targets[1])
            written = targets[2] or ""
        elif inside is not None and item and len(item[1]) >= inside and ": " not in plain:
            written = plain[item.end() :]
        else:
            inside = None
        found += [
            m.Upstream(host, to_port(port), m.Place(path, number), "http", TARGET)
            for host, port in _ADDRESS.findall(written)
        ]
    draft.upstreams.extend(() if relabelled else found)
