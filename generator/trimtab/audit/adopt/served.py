"""Which of the paths that a source names it serves itself: not those that it asks, compares or exempts."""

from __future__ import annotations

import re
from functools import cached_property

from trimtab.audit.adopt.model import SOURCE, Seen, line_naming
from trimtab.audit.adopt.units import Unit
from trimtab.audit.facts import model as m
from trimtab.repo import Repo

# What stands before a path that is declared as a route, on its line or the one above.
_DECLARED = re.compile(
    r"^\s{0,80}@[\w.]{1,80}\(|#\[\w{1,20}\("  # Python, Java, NestJS; Rust
    r"|\.\s?(?:get|all|head|any|use|route|Handle\w{0,10}|GET|HEAD|Any|nest|add_\w{1,20}|service|Route|Get|Map\w{1,20}"
    r"|UseHealthChecks|path|register|mount|endpoint|on)(?:::<[^<>]{0,60}>)?\(\s{0,9}[^,()]{0,60}$"
    r"|\b(?:path|re_path|url|resource|scope|get|match|live|forward|Route|HandleFunc|Handle)\b[!\s(]{1,3}[^,()]{0,40}$"
    r"|\b(?:url|path|pathname|Path)\s{0,3}={2,3}\s{0,3}[\"'`]?$"
)
_ASKED = re.compile(
    r"\bawait\b|\bfetch\s{0,3}\(|\baxios\b|\brequests\.|\bhttpx\.|\bhttps?\.(?:get|Get|request)\b|client\b|\bcurl\b"
    r"|\bsupertest\b|\brequest\(|\breqwest\b|\burlopen\b|\bexpect\b|\bassert|starts_?with|\bincludes\(|exclude|\bskip"
    r"|ignor|exempt|public_?paths|white_?list|allow_?list|\bin\s{0,3}[\[({]|\bhttps?://",
    re.IGNORECASE,
)
_ASKING = re.compile(
    r"(?:^|/)(?:scripts?|load-?tests?|k6|locust\w*|tools|smoke|e2e|monitoring-scripts)/|(?:^|/)(?:test|check|verify|smoke|"
    r"load|bench|demo)[-_.][^/]*$|locustfile|instrumentation\.",
    re.IGNORECASE,
)
_METRICS = re.compile(r"[\"'`](/(?:[\w-]{1,40}/)?metrics/?)[\"'`]")
# Libraries that serve metrics by themselves, at the path that the framework's folder expects.
_EXPORTERS = frozenset(
    {
        "micrometer-registry-prometheus",
        "prometheus-fastapi-instrumentator",
        "actix-web-prom",
        "axum-prometheus",
        "rocket-prometheus",
        "express-prom-bundle",
        "@willsoto/nestjs-prometheus",
        "fastify-metrics",
    }
)


def by_tool(path: str) -> bool:
    """Whether a file is of a script or a test, rather than of the program."""
    return bool(_ASKING.search(path))


class Sources:
    """The source of the services, as far as it names paths."""

    def __init__(self, repo: Repo) -> None:
        """Take the files."""
        self.repo = repo

    @cached_property
    def _texts(self) -> dict[str, list[str]]:
        return {}

    def _lines(self, path: str) -> list[str]:
        if path not in self._texts:
            self._texts[path] = (self.repo.read(path) or "").split("\n")
        return self._texts[path]

    def asks(self, route: m.Route) -> bool:
        """Whether a path stands in a file that only asks others for it."""
        return by_tool(route.place.path)

    def declares(self, route: m.Route) -> bool:
        """Whether a path is declared as a route where it stands."""
        lines = self._lines(route.place.path)
        if self.asks(route) or route.place.line > len(lines):
            return False
        line = lines[route.place.line - 1][:400]
        at = next((at for quote in "\"'`" if (at := line.find(quote + route.path)) >= 0), -1)
        before = line[:at] if at >= 0 else line
        if not before.strip() and route.place.line > 1:
            before = lines[route.place.line - 2][-200:].rstrip()
        if _ASKED.search(before):
            return False
        return bool(_DECLARED.search(before)) or route.place.path.endswith((".properties", ".yml", ".yaml"))

    def metrics(self, unit: Unit) -> Seen | None:
        """The route of metrics, in a file that binds, serves or reads something else, too; else by a library."""
        found = unit.service
        places = [
            *(one.place for one in found.binds),
            *(one.place for one in found.routes),
            *(one.place for one in found.reads),
        ]
        paths = dict.fromkeys(place.path for place in places)
        for path in paths:
            for number, line in enumerate(self._lines(path), start=1):
                match = _METRICS.search(line[:400])
                route = m.Route(match[1], m.Place(path, number)) if match else None
                if route is not None and self.declares(route):
                    return Seen(route.path, route.place, SOURCE)
        package, default = found.package, unit.data.get("metrics")
        library = next(iter(sorted(_EXPORTERS & package.dependencies)), None) if package and default else None
        if package is None or library is None:
            return None
        at = line_naming("\n".join(self._lines(package.path)).lower(), library) or 1
        return Seen(default, m.Place(package.path, at), SOURCE + 5, f"({library})")
