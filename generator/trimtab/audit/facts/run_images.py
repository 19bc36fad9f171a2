"""Versions of runtimes and datastores in the images that commands run: `docker run postgres:16`."""

from __future__ import annotations

import re
from collections.abc import Sequence

from trimtab.audit.facts import model as m
from trimtab.audit.facts.commands import logical_lines
from trimtab.audit.facts.draft import Draft
from trimtab.audit.facts.text import parse_image

_RUNS = re.compile(r"\b(?:(?:docker|podman)\s+(?:container\s+)?(?:run|create|pull)|kubectl\s+run)\s")
_IMAGE = re.compile(r"(?:\s|--image[= ])([a-z0-9][\w.-]{0,80}(?:/[\w.-]{1,80}){0,4}:\d[\w.-]{0,80})(?=\s|$)")
MAX_LINES = 50  # of one command


def note(draft: Draft, path: str, lines: Sequence[str], first: int, environment: str) -> None:
    """Add the versions that commands in `lines` name, the first of which is line `first` of the file."""
    for text, number in logical_lines("\n".join(lines), first):
        if not _RUNS.search(text) or text.startswith(("echo ", "printf ")):
            continue
        for match in _IMAGE.finditer(text):
            at = next(
                (
                    index
                    for index in range(number - first, min(number - first + MAX_LINES, len(lines)))
                    if match[1] in lines[index]
                ),
                number - first,
            )
            draft.versions_from(parse_image(match[1], m.Place(path, at + first)), "", environment)
