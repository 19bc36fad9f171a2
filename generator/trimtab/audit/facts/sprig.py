"""The functions of Helm's templates, as far as they only reckon with values."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from trimtab.yamlpos import Scalar


class Open:
    """A value that cannot be told from the files; `name` is what stands for it."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        """Take what stands for the value."""
        self.name = "tpl-" + re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-").lower()[:60]

    def __str__(self) -> str:
        """What stands for the value."""
        return self.name


class Absent(Open):
    """A value that the values file leaves out or empty: false to a condition, a placeholder where it is printed."""


def truth(value: Any) -> bool:
    """What `if` makes of a value; what is not known counts as given."""
    if isinstance(value, Absent):
        return False
    if isinstance(value, Scalar):
        return bool(value) and not (value.plain and value.lower() in ("false", "0", "0.0", "no", "off"))
    return isinstance(value, Open) or bool(value)


def shown(value: Any) -> str:
    """A value as a template prints it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float | Open) else to_json(value)


def plain(value: Any) -> Any:
    """A value as `json` takes it."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Absent):
        return None
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(item) for item in value]
    if isinstance(value, Scalar) and value.plain:
        low = value.lower()
        if low in ("true", "false"):
            return low == "true"
        return int(value) if re.fullmatch(r"-?[1-9]\d{0,17}|0", value) else str(value)
    return str(value) if isinstance(value, Open) else value


def to_json(value: Any) -> str:
    """A value as JSON, which is YAML too."""
    return json.dumps(plain(value), ensure_ascii=False, default=str)


def to_yaml(value: Any, indent: str = "") -> str:
    """A value as YAML in block style, without the last line's end."""
    if isinstance(value, Mapping) and value:
        lines = []
        for key, item in value.items():
            name = key if re.fullmatch(r"[\w./-]+", str(key)) else json.dumps(str(key))
            if isinstance(item, Mapping | Sequence) and not isinstance(item, str) and item:
                lines.append(f"{indent}{name}:\n{to_yaml(item, indent + '  ')}")
            else:
                lines.append(f"{indent}{name}: {_leaf(item)}")
        return "\n".join(lines)
    if isinstance(value, Sequence) and not isinstance(value, str) and value:
        lines = []
        for item in value:
            block = to_yaml(item, indent + "  ")
            lines.append(f"{indent}- {block.lstrip()}")
        return "\n".join(lines)
    return _leaf(value)


def _leaf(value: Any) -> str:
    if isinstance(value, Scalar) and value.plain and "\n" not in value:
        return str(value)
    if isinstance(value, Absent):
        return "{}"
    return "null" if value is None else to_json(value)


def _number(value: Any) -> int:
    match = re.match(r"-?\d+", shown(value).strip())
    return int(match[0]) if match else 0


def _indent(width: Any, text: Any) -> str:
    pad = " " * min(max(_number(width), 0), 200)
    return "\n".join(pad + line for line in shown(text).split("\n"))


def _printf(form: Any, *values: Any) -> str:
    rest = list(values)

    def take(match: re.Match[str]) -> str:
        if match[0] == "%%":
            return "%"
        value = shown(rest.pop(0)) if rest else ""
        return json.dumps(value) if match[0] == "%q" else value

    return re.sub(r"%%|%[-+#0-9.]*[a-zA-Z]", take, shown(form))


def _get(body: Any, key: Any, *_: Any) -> Any:
    return body.get(shown(key)) if isinstance(body, Mapping) else None


def _dict(*pairs: Any) -> dict[str, Any]:
    return {shown(pairs[index]): pairs[index + 1] for index in range(0, len(pairs) - 1, 2)}


def _merge(*bodies: Any) -> dict[str, Any]:
    """The first one wins, as in `merge`."""
    found: dict[str, Any] = {}
    for body in bodies:
        for key, value in body.items() if isinstance(body, Mapping) else ():
            if key not in found:
                found[key] = value
            elif isinstance(found[key], Mapping) and isinstance(value, Mapping):
                found[key] = _merge(found[key], value)
    return found


def _default(fallback: Any, *value: Any) -> Any:
    return value[0] if value and truth(value[0]) and not isinstance(value[0], Open) else fallback


def _coalesce(*values: Any) -> Any:
    return next((value for value in values if truth(value)), None)


def _and(*values: Any) -> Any:
    return next((value for value in values if not truth(value)), values[-1] if values else None)


def _or(*values: Any) -> Any:
    return next((value for value in values if truth(value)), values[-1] if values else None)


def _eq(first: Any, *others: Any) -> bool:
    return any(_bare(first) == _bare(other) for other in others)


def _bare(value: Any) -> str:
    return "" if isinstance(value, Absent) else shown(value)


def _index(body: Any, *keys: Any) -> Any:
    for key in keys:
        if isinstance(body, Mapping):
            body = body.get(shown(key))
        elif isinstance(body, Sequence) and not isinstance(body, str):
            place = _number(key)
            body = body[place] if 0 <= place < len(body) else None
        else:
            return body if isinstance(body, Open) else None
    return body


def _dig(*parts: Any) -> Any:
    *keys, fallback, body = parts
    found = _index(body, *keys)
    return fallback if found is None else found


def _kind_is(kind: Any, value: Any) -> bool:
    return shown(kind).removeprefix("[]") == kind_of(value)


def kind_of(value: Any) -> str:
    """The name that Go gives to the kind of a value."""
    if isinstance(value, Mapping):
        return "map"
    if isinstance(value, str) and isinstance(plain(value), str):
        return "string"
    if value is None:
        return "invalid"
    if isinstance(plain(value), bool):
        return "bool"
    return "slice" if isinstance(value, Sequence) and not isinstance(value, str) else "int"


def _replace(old: Any, new: Any, text: Any) -> str:
    return shown(text).replace(shown(old), shown(new))


def _semver(constraint: Any, _: Any) -> bool:
    """Clusters are taken to be new."""
    return not shown(constraint).strip().startswith(("<", "="))


def _listed(*values: Any) -> list[Any]:
    return list(values)


def _length(value: Any) -> int:
    return len(value) if isinstance(value, Mapping | Sequence) else 0


def _cut(size: Any, text: Any) -> str:
    count = _number(size)
    return shown(text)[:count] if count >= 0 else shown(text)[count:]


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "default": _default,
    "coalesce": _coalesce,
    "ternary": lambda yes, no, test: yes if truth(test) else no,
    "required": lambda _, value: value if truth(value) else Open("required"),
    "quote": lambda *values: " ".join(json.dumps(shown(value), ensure_ascii=False) for value in values),
    "squote": lambda *values: " ".join("'" + shown(value).replace("'", "''") + "'" for value in values),
    "toYaml": to_yaml,
    "toJson": to_json,
    "toRawJson": to_json,
    "indent": _indent,
    "nindent": lambda width, text: "\n" + _indent(width, text),
    "printf": _printf,
    "print": lambda *values: "".join(shown(value) for value in values),
    "trunc": _cut,
    "trim": lambda text: shown(text).strip(),
    "trimSuffix": lambda end, text: shown(text).removesuffix(shown(end)),
    "trimPrefix": lambda start, text: shown(text).removeprefix(shown(start)),
    "trimAll": lambda signs, text: shown(text).strip(shown(signs)),
    "replace": _replace,
    "lower": lambda text: shown(text).lower(),
    "upper": lambda text: shown(text).upper(),
    "title": lambda text: shown(text).title(),
    "kebabcase": lambda text: re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[_\s]+", "-", shown(text)).lower(),
    "snakecase": lambda text: re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[-\s]+", "_", shown(text)).lower(),
    "contains": lambda part, text: shown(part) in shown(text),
    "hasPrefix": lambda part, text: shown(text).startswith(shown(part)),
    "hasSuffix": lambda part, text: shown(text).endswith(shown(part)),
    "hasKey": lambda body, key: isinstance(body, Mapping) and shown(key) in body,
    "has": lambda item, items: isinstance(items, Sequence) and shown(item) in [shown(one) for one in items],
    "eq": _eq,
    "ne": lambda one, other: not _eq(one, other),
    "not": lambda value: not truth(value),
    "and": _and,
    "or": _or,
    "gt": lambda one, other: _number(one) > _number(other),
    "ge": lambda one, other: _number(one) >= _number(other),
    "lt": lambda one, other: _number(one) < _number(other),
    "le": lambda one, other: _number(one) <= _number(other),
    "add": lambda *values: sum(_number(value) for value in values),
    "add1": lambda value: _number(value) + 1,
    "sub": lambda one, other: _number(one) - _number(other),
    "mul": lambda one, other: _number(one) * _number(other),
    "int": _number,
    "int64": _number,
    "toString": shown,
    "empty": lambda value: not truth(value),
    "dict": _dict,
    "list": _listed,
    "tuple": _listed,
    "get": _get,
    "dig": _dig,
    "merge": _merge,
    "mergeOverwrite": lambda *bodies: _merge(*reversed(bodies)),
    "deepCopy": lambda value: value,
    "pick": lambda body, *keys: {key: body[key] for key in map(shown, keys) if key in body},
    "omit": lambda body, *keys: {key: value for key, value in body.items() if key not in map(shown, keys)},
    "keys": lambda body: [*body],
    "values": lambda body: [*body.values()],
    "first": lambda items: items[0] if items else None,
    "last": lambda items: items[-1] if items else None,
    "append": lambda items, item: [*items, item],
    "concat": lambda *lists: [item for items in lists for item in items],
    "uniq": lambda items: list(dict.fromkeys(items)),
    "sortAlpha": lambda items: sorted(shown(item) for item in items),
    "compact": lambda items: [item for item in items if truth(item)],
    "join": lambda sign, items: shown(sign).join(shown(item) for item in items),
    "splitList": lambda sign, text: shown(text).split(shown(sign)),
    "len": _length,
    "index": _index,
    "until": lambda count: list(range(min(_number(count), 100))),
    "b64enc": lambda text: base64.b64encode(shown(text).encode()).decode(),
    "kindIs": _kind_is,
    "kindOf": kind_of,
    "typeIs": _kind_is,
    "semverCompare": _semver,
    "fail": lambda *_: "",
    "fromYaml": lambda text: text,
}


def parts(value: Any) -> list[tuple[Any, Any]]:
    """What `range` goes through: (key or index, value)."""
    if isinstance(value, Mapping):
        return [(key, value[key]) for key in sorted(value)]
    if isinstance(value, Sequence) and not isinstance(value, str):
        return list(enumerate(value))
    if isinstance(value, int) and not isinstance(value, bool):
        return [(index, index) for index in range(min(value, 100))]
    return []
