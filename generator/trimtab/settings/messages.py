"""Pydantic's errors in the user's words: what is wrong with the value, and what to write instead."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from trimtab.settings import schema
from trimtab.settings.partial import original, with_values
from trimtab.settings.yaml_text import Document, Path, Problem, clipped

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

    from trimtab.frameworks import Frameworks

# pattern -> (what it is not, what to write)
_SHAPES = {
    schema.NAME: ("a name", "use 1 to 40 lower-case letters, digits and hyphens, beginning with a letter"),
    schema.HOST: ("a host name", "write it bare, such as app.example.com"),
    schema.ROUTE: ("a route", "write a path such as / or /api, without a slash at its end"),
    schema.URL_PATH: ("a URL path", "write a path such as /health"),
    schema.FOLDER: ("a folder inside the repository", "write a relative path without `..`, such as apps/api"),
    schema.ENV_NAME: (
        "the name of an environment variable",
        "use upper-case letters, digits and underscores",
    ),
    schema.CPU: ("an amount of CPU", 'write cores such as 250m, 0.5 or "1"'),
    schema.MEMORY: ("an amount of bytes", "write it in Mi or Gi, such as 512Mi"),
    schema.PERCENT: ("a percentage", "write it such as 1%"),
    schema.DURATION: ("a duration", "write it such as 500ms or 2s"),
    schema.REGISTRY: ("an image registry", "write host and prefix in lower case, such as ghcr.io/acme"),
    schema.VERSION: ("a version", 'write it such as "18" or "8.10"'),
    schema.METRIC: ("the name of a Prometheus metric", "use letters, digits, underscores and colons"),
    schema.REPOSITORY: ("the address of a repository", "write it with https://"),
    schema.PATCH: (
        "the name of a YAML file",
        "write the bare name of a file in the overlay's patches/ folder",
    ),
    schema.INDEX: ("an index of a table", "write table.index or schema.table.index"),
}
_EXPECTED = {
    "bool_type": "true or false",
    "dict_type": "a mapping",
    "int_type": "a whole number",
    "list_type": "a list",
    "model_type": "a mapping",
    "string_type": "a text",
}
_PORT_KINDS = ("int_type", "greater_than_equal", "less_than_equal", "int_from_float")
# What can stand where several forms can.
_FORMS = {
    "route": "write a path such as /api, a list of them, or false",
    "health": "write a path such as /health, or a mapping of `live` and `ready`",
    "metrics": "write a path such as /metrics, or false",
    "autoscaling": "write a mapping such as { min: 2, max: 4 }, or false",
    "migrations": "write the name of the tool, or a mapping with `tool`",
}
_NEAR = 0.7  # how alike two words must be for one to be taken for the other


def problems_of(error: ValidationError, document: Document) -> list[Problem]:
    """One Problem per pydantic error, at the line of the value (or of the nearest parent in the file)."""
    problems = []
    details = error.errors(include_url=False)
    meant = {_meant(d, path) for d in details for path, _ in [_clean(d["loc"], document.value)]}
    quoted = _once_quoted(details, document.value)
    for detail in details:
        path, is_key = _clean(detail["loc"], document.value)
        if detail["type"] == "missing" and path in meant:
            continue  # it is there under a misspelt name, which is the one problem
        what, help_ = _explain(quoted.get(path, detail), path, is_key)
        problems.append(Problem(document.line_of(path), path, what, help_))
    return problems


def places_of(error: ValidationError, document: Document, left_out: Collection[Path] = ()) -> set[Path]:
    """What to leave out of the document so that the rest can be checked, and what is there under a misspelt name.

    The document is the file's, without what was `left_out` before.
    """
    places: set[Path] = set()
    for detail in error.errors(include_url=False):
        path, is_key = _clean(detail["loc"], document.value)
        if not is_key:
            places |= {path[:-1] if detail["type"] == "missing" and path[1:] else path, _meant(detail, path)}
    return {original(place, left_out) for place in places if place}


def _meant(detail: ErrorDetails, path: Path) -> Path:
    """The setting whose name is misspelt here; empty for another error."""
    close = closest(str(path[-1]), _siblings(path)) if detail["type"] == "extra_forbidden" else None
    return (*path[:-1], close) if close else ()


def _once_quoted(details: list[ErrorDetails], value: Any) -> dict[Path, ErrorDetails]:
    """What would still be wrong with numbers that must be texts after they were quoted, as 500 for 500ms is."""
    from pydantic import ValidationError

    numbers = {
        _clean(d["loc"], value)[0]: d["input"]
        for d in details
        if d["type"] == "string_type" and isinstance(d["input"], int | float) and not isinstance(d["input"], bool)
    }
    if not numbers:
        return {}
    try:
        schema.Settings.model_validate(with_values(value, {path: str(number) for path, number in numbers.items()}))
    except ValidationError as error:
        again = [(_clean(d["loc"], value)[0], d) for d in error.errors(include_url=False)]
        return {path: {**d, "input": numbers[path]} for path, d in again if path in numbers}
    return {}


def closest(word: str, known: list[str]) -> str | None:
    """The known word that is meant, as far as that can be told: one begins the other, or both are much alike."""
    import difflib

    word = word.lower()
    begun = [k for k in known if len(k) > 1 and word.startswith(k)]
    longer = [k for k in known if len(word) > 1 and k.startswith(word)]
    if begun:
        return max(begun, key=len)
    close = longer if len(longer) == 1 else difflib.get_close_matches(word, known, n=1, cutoff=_NEAR)
    return close[0] if close else None


def suggest(word: str, known: list[str]) -> str:
    """`did you mean 'x'?` for a near miss, or else the list of what is known."""
    close = closest(word, known)
    return f"did you mean '{close}'?" if close else f"choose one of: {', '.join(known)}"


def suggest_framework(word: str, frameworks: Frameworks) -> str:
    """As `suggest`; a framework may be meant by its title (Next.js), or several by their language (Python)."""
    plain = _plain(word)
    for name in frameworks.names:
        if plain in (_plain(name), _plain(frameworks[name]["title"])):
            return f"did you mean '{name}'?"
    spoken = [name for name in frameworks.names if frameworks[name]["language"] == plain]
    return f"choose one of: {', '.join(spoken)}" if spoken else suggest(word, frameworks.names)


def _plain(word: str) -> str:
    return re.sub(r"[^a-z0-9]", "", word.lower())


def shown(value: object) -> str:
    """A wrong value as a message repeats it: on one line, short, and as the file would spell it."""
    return clipped(repr(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str))


def _clean(loc: tuple[int | str, ...], value: Any) -> tuple[Path, bool]:
    """Drop what is not in the file; tell whether the error is about a key rather than its value.

    That is the names of union branches, and the index of the one item where a text stands for a list.
    """
    path: list[str | int] = []
    for part in loc:
        if part == "[key]":
            return tuple(path), True
        if part in schema.BRANCHES and not (isinstance(value, dict) and part in value):
            continue
        if isinstance(part, int) and isinstance(value, str):
            continue
        path.append(part)
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
    return tuple(path), False


def _explain(detail: ErrorDetails, path: Path, is_key: bool) -> tuple[str, str]:
    kind, value, context = detail["type"], detail["input"], detail.get("ctx", {})
    name = str(path[-1]) if path else ""
    if kind == "missing":
        return "is missing", f"add `{name}:`{_describe(path)}"
    if kind == "extra_forbidden":
        return "is not a setting", suggest(name, _siblings(path))
    if value is None:
        return "is empty", "give it a value, or remove the line (an empty mapping is written {})"
    if name == "port" and kind in _PORT_KINDS:
        return f"{shown(value)} is not a port (1-65535)", "write a whole number such as 8080"
    if kind in ("literal_error", "union_tag_invalid", "union_tag_not_found"):
        return _choice(detail, name)
    if kind == "value_error":
        what, _, help_ = str(context.get("error")).partition("; ")
        return f"{shown(value)} {what}", help_
    otherwise = f"{shown(value)}: {detail['msg']}", "see `trimtab schema`"
    return _wrong_value(kind, value, context, is_key, name) or otherwise


def _wrong_value(kind: str, value: object, context: dict[str, Any], is_key: bool, name: str) -> tuple[str, str] | None:
    if kind == "string_pattern_mismatch":
        noun, help_ = _SHAPES.get(str(context.get("pattern")), ("in the expected form", "see `trimtab schema`"))
        return f"{'the key ' if is_key else ''}{shown(value)} is not {noun}", help_
    if kind == "string_too_long":
        return f"{shown(value)} is too long", f"use at most {context.get('max_length')} characters"
    if kind in ("greater_than_equal", "less_than_equal"):
        bound = "at least" if kind == "greater_than_equal" else "at most"
        return f"{shown(value)} is out of range", f"write {bound} {context.get('ge', context.get('le'))}"
    if kind == "string_type" and isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value} is a number and must be a text", f'quote it: "{value}"'
    if kind == "list_type" and name == "route":
        return f"{shown(value)} cannot stand here", _FORMS[name]
    if kind in _EXPECTED:
        return f"{shown(value)} is not {_EXPECTED[kind]}", f"write {_EXPECTED[kind]} here"
    if kind == "too_short":
        return "is empty", "name at least one"
    return None


def _choice(detail: ErrorDetails, name: str) -> tuple[str, str]:
    value, context = detail["input"], detail.get("ctx", {})
    expected = str(context.get("expected", context.get("expected_tags", "")))
    options = [o.strip().strip("'") for o in expected.replace(" or ", ", ").split(",")]
    if options == ["1"]:
        return f"{clipped(str(value))} is not a version of this format that is known", "write `version: 1`"
    if detail["type"] != "literal_error" or options == ["False"]:
        return f"{shown(value)} cannot stand here", _FORMS.get(name, "see `trimtab schema` for its form")
    return f"{shown(value)} is not known", suggest(str(value), options)


def _model_at(path: Path) -> type[schema.Section] | None:
    """The schema class of the mapping that holds the last part of `path`."""
    named: dict[str, type[schema.Section]] = {
        "datastores": schema.Datastores,
        "delivery": schema.Delivery,
        "health": schema.Health,
        "resources": schema.Resources,
        "autoscaling": schema.Autoscaling,
        "metrics": schema.Metric,
        "migrations": schema.Migrations,
        "abort_when": schema.AbortWhen,
    }
    parents = [p for p in path[:-1] if isinstance(p, str)]
    match parents:
        case []:
            return schema.Settings
        case ["services", _]:
            return schema.Service
        case ["environments", _]:
            return schema.Environment
        case ["environments", _, "services", _]:
            return schema.Overrides
        case ["datastores", _]:
            return schema.Datastore
        case [*_, last]:
            return named.get(last)
    return None


def _siblings(path: Path) -> list[str]:
    model = _model_at(path)
    return [f.alias or n for n, f in model.model_fields.items()] if model else []


def _describe(path: Path) -> str:
    model = _model_at(path)
    if not model or not path:
        return ""
    for name, field in model.model_fields.items():
        if (field.alias or name) == path[-1] and field.description:
            return f" ({field.description.rstrip('.')})"
    return ""
