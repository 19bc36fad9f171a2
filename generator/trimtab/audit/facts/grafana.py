"""The hosts of Grafana's data sources."""

from __future__ import annotations

from trimtab.audit.facts import model as m
from trimtab.audit.facts.draft import Draft
from trimtab.audit.facts.text import urls
from trimtab.yamlpos import Map

DATA_SOURCE = "data source"  # the name of such an upstream


def read(draft: Draft, path: str, body: Map) -> None:
    """Add what the data sources of a provisioning file ask, where Grafana itself asks it and not the browser."""
    for one in body.maps("datasources"):
        url = one.text("url")
        if url and "$" not in url and one.text("access") != "direct":
            address = url if "://" in url else f"http://{url}"
            for scheme, host, port, _ in urls(address):
                draft.upstreams.append(m.Upstream(host, port, m.Place(path, one.line_of("url")), scheme, DATA_SOURCE))
