"""JSON patches (RFC 6902) on values that keep their lines: what a patch writes keeps the patch's own file and line."""

from __future__ import annotations

from trimtab.yamlpos import Map, Scalar, Seq, Value

MAX_COPY = 200


class Line(int):
    """A line of another file than the one that is being read."""

    path: str

    @classmethod
    def of(cls, line: int, path: str) -> Line:
        """`line` of `path`; one that has a file already keeps it."""
        made = cls(line)
        made.path = getattr(line, "path", path)
        return made


def copied(value: Map, depth: int = 0) -> Map:
    """A copy of a mapping, of which each mapping and sequence may be changed."""
    found = Map(value.line)
    found.key_lines = dict(value.key_lines)
    for key, item in value.items():
        found[key] = _copy(item, depth + 1)
    return found


def _copy(value: Value, depth: int) -> Value:
    if depth > MAX_COPY:
        return None
    if isinstance(value, Map):
        return copied(value, depth)
    if isinstance(value, Seq):
        found = Seq(value.line)
        found.extend(_copy(item, depth + 1) for item in value)
        found.item_lines = list(value.item_lines)
        return found
    return value


def marked(value: Value, path: str) -> None:
    """Let every line in `value` be one of `path`."""
    if isinstance(value, Map):
        value.line = Line.of(value.line, path)
        value.key_lines = {key: Line.of(line, path) for key, line in value.key_lines.items()}
        for item in value.values():
            marked(item, path)
    elif isinstance(value, Seq):
        value.line = Line.of(value.line, path)
        value.item_lines = [Line.of(line, path) for line in value.item_lines]
        for item in value:
            marked(item, path)
    elif isinstance(value, Scalar):
        value.line = Line.of(value.line, path)


def applied(body: Map, operation: Map) -> None:
    """Carry out one operation on `body`. One that does not fit, or is neither add, replace nor remove, does nothing."""
    pointer = operation.text("path")
    kind = str(operation.text("op") or "")
    if pointer is None or not pointer.startswith("/") or kind not in ("add", "replace", "remove"):
        return
    *parents, last = [part.replace("~1", "/").replace("~0", "~") for part in pointer[1:].split("/")]
    here: Value = body
    for part in parents:
        if isinstance(here, Map):
            here = here.get(part)
        elif isinstance(here, Seq) and part.isdigit() and int(part) < len(here):
            here = here[int(part)]
        else:
            return
    line = operation.line_of("value")
    if isinstance(here, Map):
        if kind == "remove":
            here.pop(last, None)
        else:
            here[last] = operation.get("value")
            here.key_lines[last] = line
    elif isinstance(here, Seq):
        _on_sequence(here, last, kind, operation.get("value"), line)


def _on_sequence(here: Seq, last: str, kind: str, value: Value, line: int) -> None:
    if last == "-" and kind == "add":
        here.append(value)
        here.item_lines.append(line)
    elif last.isdigit() and int(last) < len(here) + (kind == "add"):
        at = int(last)
        if kind == "add":
            here.insert(at, value)
            here.item_lines.insert(at, line)
        elif kind == "remove":
            del here[at], here.item_lines[at]
        else:
            here[at], here.item_lines[at] = value, line
