"""Helm charts and kustomizations, as far as they can be read as text: nothing is executed, what stays open
is marked.

A `{{ .Values.a.b }}` becomes the value in the chart's values.yaml (or its `default`), an `include` becomes
a placeholder
that is the same wherever the same include stands, and control lines become blank lines, so that line
numbers stay right.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

from trimtab.audit.facts.envfile import example_of
from trimtab.audit.facts.model import EnvFile
from trimtab.audit.facts.patches import Line
from trimtab.yamlpos import Map, Scalar, Seq, Value

_ACTION = re.compile(r"\{\{-?([^{}]{0,2000}?)-?\}\}")
_VALUES = re.compile(r"^\(?\s*\$?\.Values\.([\w.-]+)\s*\)?")
_DEFAULT = re.compile(r"\bdefault\s+(\"[^\"]*\"|'[^']*'|[\w.-]+)")
_CONTROL = re.compile(r"^(if|else|end|range|with|define|template|block|/\*|\$\w+\s*:?=|fail|break|continue|-)")
_BLOCK = re.compile(r"\b(n?indent|toYaml|tpl|toJson)\b")
LOOP = "tpl-each-"  # how a placeholder begins that stands for another value in each turn of a loop
_INCLUDE = re.compile(r"^include\s+[\"']([\w.-]+)[\"']")


def is_template(text: str) -> bool:
    """Whether a text holds template actions, so that it is no YAML before they are filled in."""
    return "{{" in text and "}}" in text


def fill(text: str, values: Map | None, chart: str = "") -> str:
    """`text` with its actions filled in or blanked, line for line."""

    def replace(match: re.Match[str]) -> str:
        blank = "\n" * match[0].count("\n")
        action = match[1].strip()
        if _CONTROL.match(action):
            return blank
        if _BLOCK.search(action):
            return _block(action, text[max(0, match.start() - 400) : match.start()], values) + blank
        value = _value(action, values, chart)
        return (value if value is not None else _placeholder(action)) + blank

    lines = _ACTION.sub(replace, text)
    return re.sub(r"(?m)^[ \t]+$", "", lines)


def origins(text: str, values: Map | None) -> Iterator[tuple[int, str, int]]:
    """(line of the template, value, line of the values file) of each action that a single value fills."""
    line, done = 1, 0
    for match in _ACTION.finditer(text) if values is not None else ():
        named = _VALUES.match(match[1].strip())
        line, done = line + text.count("\n", done, match.start()), match.start()
        if named and values is not None:
            *parents, last = named[1].split(".")
            held = values.map(*parents)
            found = held.get(last)
            if isinstance(found, Scalar) and found:
                yield line, str(found), held.line_of(last)


def _block(action: str, before: str, values: Map | None) -> str:
    """What a `toYaml … | nindent n` gives, in flow style on one line; nothing where it adds keys to a
    block that is begun.
    """
    line = before.rpartition("\n")[2]
    own_line = not line.strip()
    if own_line and not before.rstrip().endswith(":"):
        return ""
    if not own_line and not line.rstrip().endswith((":", "-")):
        return "tpl-value"
    path = re.search(r"\.Values\.([\w.-]+)", action)
    found: Value = None
    if path and values is not None:
        *parents, last = path[1].split(".")
        found = values.map(*parents).get(last)
    limits = before.rstrip().endswith("resources:") and not found
    text = "{limits: {tpl: values}}" if limits else json.dumps(_plain(found)) if isinstance(found, Map | Seq) else "{}"
    width = re.search(r"\bn?indent\s+(\d{1,3})\b", action)
    pad = max(0, (int(width[1]) if width else len(line) + 2) - len(line)) if own_line else 1
    return " " * min(pad, 60) + text


def _plain(value: Value) -> object:
    if isinstance(value, Map):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, Seq):
        return [_plain(item) for item in value]
    return str(value) if value is not None else None


def _value(action: str, values: Map | None, chart: str) -> str | None:
    match = _VALUES.match(action)
    if match and values is not None:
        *parents, last = match[1].split(".")
        found = values.map(*parents).get(last)
        if isinstance(found, Scalar) and found:
            return str(found).replace("\n", " ")
    default = _DEFAULT.search(action)
    if default:
        return default[1].strip("\"'")
    if action.startswith(".Chart.Name"):
        return chart or "tpl-chart"
    if action.startswith(".Release.Name"):
        return "tpl-release"
    if action.startswith(('"', "'")) and action.endswith(('"', "'")):
        return action.strip("\"'")
    return None


def _placeholder(action: str) -> str:
    include = _INCLUDE.match(action)
    name = include[1] if include else action.split("|", maxsplit=1)[0]
    loop = bool(re.match(r"\$(?!\.)|\.(?!Values|Release|Chart|Template|Capabilities|Files)", name))
    return (LOOP if loop else "tpl-") + re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-").lower()[:60]


def generated(body: Map, directory: str, files: Mapping[str, EnvFile]) -> Iterator[tuple[str, str, Map]]:
    """(kind, name, object) of what a kustomization's generators make. Values keep their lines,
    those of env files the lines of that file.
    """
    for key, kind in (("configMapGenerator", "ConfigMap"), ("secretGenerator", "Secret")):
        for item in body.maps(key):
            if not item.text("name"):
                continue
            data = Map(item.line)
            for literal, line in item.seq("literals").lined():
                name, sign, value = str(literal).partition("=")
                if sign:
                    data[name] = Scalar.at(value.strip("\"'"), line)
                    data.key_lines[name] = line
            written = [*item.seq("envs").texts(), *filter(None, [item.text("env")])]
            whole = not item.get("files")
            for source in written:
                path = f"{directory}/{source}" if directory else str(source)
                file = files.get(path)
                example = example_of(path, files)
                whole &= file is not None or example is not None
                for variable in file.variables if file else ():
                    line = Line.of(variable.place.line, variable.place.path)
                    data[variable.name] = Scalar.at(variable.value or "", line)
                    data.key_lines[variable.name] = line
                for variable in example.variables if example and not file else ():  # its values are no one's
                    data[variable.name] = None
                    data.key_lines[variable.name] = Line.of(variable.place.line, variable.place.path)
            made = Map(item.line)
            known = all(value is not None for value in data.values())
            made["stringData" if kind == "Secret" and known else "data"] = data if whole else Map(item.line)
            yield kind, str(item.text("name")), made
