"""The folder that a Dockerfile is built from, where no compose file, workflow or script says it."""

from __future__ import annotations

from trimtab.audit.facts.model import Dockerfile, Facts
from trimtab.audit.facts.text import join

_LEAST, _SHARE = 2, 0.6


def likely(dockerfile: Dockerfile, facts: Facts) -> str | None:
    """The one folder, of those above the Dockerfile, in which most of what it copies stands; None where that is not
    clear.
    """
    sources = [source.lstrip("/") for source, _ in dockerfile.copies if _plain(source)]
    above = {dockerfile.directory, ""}
    above |= {dockerfile.directory[:at] for at, char in enumerate(dockerfile.directory) if char == "/"}
    found = {
        folder: sum(facts.exists(path) for source in sources if (path := join(folder, source))) for folder in above
    }
    best = max(found.values())
    chosen = [folder for folder, count in found.items() if count == best]
    clear = len(chosen) == 1 and best >= _LEAST and best >= _SHARE * len(sources)
    return chosen[0] if clear else None


def _plain(source: str) -> bool:
    return source.strip("./") != "" and not any(char in source for char in "*?[$<{") and "://" not in source
