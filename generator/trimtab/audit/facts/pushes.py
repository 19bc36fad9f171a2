"""Which images a workflow pushes, where names are computed: from a matrix, variables or a metadata step."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping

from trimtab.yamlpos import Map, Scalar

MAX_FORMS = 50
_STEP = re.compile(r"\$\{\{\s*steps\.([\w-]+)\.outputs\.tags\s*\}\}")
_MATRIX = re.compile(r"\$\{\{\s*matrix\.([\w-]+)\s*\}\}")


def with_env(text: str, values: Mapping[str, str]) -> str:
    """`text` with the workflow's own env values filled in, in both spellings."""
    text = re.sub(r"\$\{\{\s*env\.(\w+)\s*\}\}", lambda match: values.get(match[1], match[0]), text)
    return re.sub(r"\$\{?([A-Z_][A-Z0-9_]*)\}?", lambda match: values.get(match[1], match[0]), text)


def in_matrix(text: str, job: Map) -> Iterator[str]:
    """`text` for each value that the job's matrix gives the names in it; itself where it names none, or none known."""
    names = list(dict.fromkeys(_MATRIX.findall(text)))
    matrix = job.map("strategy", "matrix")
    given: dict[str, list[str]] = {}
    for name in names:
        listed = [str(one) for one in matrix.seq(name).texts()]
        listed += [str(one.text(name)) for one in matrix.maps("include") if one.text(name)]
        if listed:
            given[name] = listed
    rows = [row for row in matrix.maps("include") if all(row.text(name) for name in names)]
    if names and rows and not any(matrix.get(name) for name in names):
        forms = [{name: str(row.text(name)) for name in names} for row in rows]
    else:
        forms = [dict(zip(given, one, strict=True)) for one in itertools.product(*given.values())]
    for form in forms[:MAX_FORMS]:
        yield _MATRIX.sub(lambda match, form=form: form.get(match[1], match[0]), text)  # type: ignore[misc]


def images_of(tags: list[str], job: Map, values: Mapping[str, str]) -> Iterator[str]:
    """The repositories that tags name, by the metadata step that computes them where there is one."""
    for tag in tags:
        step = _STEP.search(tag)
        written = [tag] if step is None else _metadata(step[1], job)
        for one in written:
            yield from in_matrix(with_env(one, values), job)


def _metadata(name: str, job: Map) -> list[str]:
    for step in job.maps("steps"):
        if step.text("id") == name:
            images = step.map("with").get("images")
            text = str(images) if isinstance(images, Scalar) else ""
            return [one.strip().removeprefix("name=") for one in re.split(r"[\n,]", text) if one.strip()]
    return []
