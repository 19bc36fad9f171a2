"""A baseline: the fingerprints of the findings that a repository has today, so that only new ones fail."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from trimtab.audit.report.plain import as_json
from trimtab.errors import TrimtabError

if TYPE_CHECKING:
    from trimtab.audit.engine import Report


def load(path: Path) -> frozenset[str]:
    """The fingerprints in a baseline, or in a JSON report. Raises `TrimtabError` when it is neither."""
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
        return frozenset(str(item["fingerprint"]) for item in body["findings"])
    except FileNotFoundError as error:
        raise TrimtabError(f"{path}: no such baseline", f"Write one: trimtab audit --write-baseline {path}") from error
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise TrimtabError(
            f"{path}: not a baseline ({error})", f"Write it anew: trimtab audit --write-baseline {path}"
        ) from error


def dump(report: Report) -> str:
    """The baseline of a report: enough to recognise each finding, and its title for the reader of a diff."""
    found = sorted({(one.rule, one.fingerprint, one.title) for one in report.findings})
    body = {
        "version": 1,
        "findings": [{"rule": rule, "fingerprint": mark, "title": title} for rule, mark, title in found],
    }
    return as_json(body)
