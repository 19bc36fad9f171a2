"""What Argo CD's Applications deploy from this repository: folders and values files that must be there."""

from __future__ import annotations

import re
from collections.abc import Iterator

from trimtab.audit.facts import model as m
from trimtab.audit.facts.draft import Draft
from trimtab.audit.facts.text import join
from trimtab.yamlpos import Map

_NAME = re.compile(r"\{\{\s*\.?([\w.]+)\s*\}\}")
MAX_FORMS = 50


def references(draft: Draft) -> Iterator[m.Reference]:
    """The folders and values files that are named. Those of an address count only where another one of that address is
    here: the others are of other repositories.
    """
    named = list(_sources(draft))
    ours = {address for address, path, _, _ in named if _exists(draft, path)}
    for address, path, place, source in named:
        if address not in ours:
            continue
        if not _exists(draft, path):
            yield m.Reference(path, "Argo CD source", place)
            continue
        for one, line in source.map("helm").seq("valueFiles").lined():
            file = join(path, str(one).lstrip("/")) if "$" not in str(one) and "{{" not in str(one) else None
            optional = source.map("helm").text("ignoreMissingValueFiles") == "true"
            if file is not None and not optional and "://" not in str(one):
                yield m.Reference(file, "values file", m.Place(place.path, line))


def _exists(draft: Draft, path: str) -> bool:
    return path in draft.repo.directories


def _sources(draft: Draft) -> Iterator[tuple[str, str, m.Place, Map]]:
    """(address, folder, place, source) of each source, an ApplicationSet's for each element of its lists."""
    for item in draft.objects:
        spec = item.body.map("spec")
        if item.kind == "ApplicationSet":
            template = spec.map("template", "spec")
            elements = [one for part in spec.maps("generators") for one in part.map("list").maps("elements")]
            for source in (template.map("source"), *template.maps("sources")):
                path = str(source.text("path") or "")
                for element in elements[:MAX_FORMS]:
                    at = next((element.line_of(key) for key in _NAME.findall(path) if key in element), element.line)
                    made = _NAME.sub(lambda match, one=element: str(one.text(match[1]) or match[0]), path)  # type: ignore[misc]
                    if path and "{{" not in made:
                        yield str(source.text("repoURL") or ""), _clean(made), m.Place(item.place.path, at), Map(0)
        elif item.kind == "Application":
            for source in (spec.map("source"), *spec.maps("sources")):
                path = str(source.text("path") or "")
                if path and "{{" not in path and "tpl-" not in path:
                    place = m.Place(item.place.path, source.line_of("path"))
                    yield str(source.text("repoURL") or ""), _clean(path), place, source


def _clean(path: str) -> str:
    return (join("", path.strip("/")) or "").removeprefix("./")
