"""What the image of a Dockerfile holds in the end: the copies of its last stage and of the stages below that."""

from __future__ import annotations

import json
from collections.abc import Iterable


def carried(instructions: Iterable[tuple[str, str, int, int]]) -> list[tuple[str, str]]:
    """(source, stage) of every COPY that reaches the last stage; the stage is "" for what comes from the context."""
    stages: dict[str, list[tuple[str, str]]] = {}
    here: list[tuple[str, str]] = []
    count = 0
    for instruction, value, _, _ in instructions:
        if instruction == "FROM":
            words = [word for word in value.split() if not word.startswith("--")]
            here = list(stages.get(words[0].lower(), ())) if words else []
            name = words[2].lower() if len(words) > 2 and words[1].lower() == "as" else str(count)
            stages[name] = here
            count += 1
        elif instruction in ("COPY", "ADD"):
            words = _words(value)
            options = dict(word[2:].partition("=")[::2] for word in words if word.startswith("--"))
            sources = [word for word in words if not word.startswith("--")][:-1]
            here.extend((source, options.get("from", "").lower()) for source in sources)
    return here


def _words(value: str) -> list[str]:
    """The words of a COPY in either of its forms."""
    start = value.find("[")
    if start >= 0 and value.rstrip().endswith("]"):
        try:
            listed = json.loads(value[start:])
        except ValueError:
            return value.split()
        return [*value[:start].split(), *(str(word) for word in listed)]
    return value.split()
