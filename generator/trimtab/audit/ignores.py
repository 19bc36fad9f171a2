"""Findings that somebody accepted, with a reason: a comment beside one place, or a file at the root.

Inline, on the line of a place or on the one above it: `trimtab: ignore port-mismatch -- the reason`.
For a whole file, in its first ten lines: `trimtab: ignore-file port-mismatch -- the reason`.
At the root, `.trimtab-ignore.yml`: a list of `{rule, path, reason}`, where `path` may have `*` and may be
left out.
An ignore without a reason, or for a rule that does not exist, is not applied and is warned of.
"""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass

from trimtab.audit.facts.model import Facts
from trimtab.audit.finding import Finding
from trimtab.audit.rules import all_rules
from trimtab.repo import Repo
from trimtab.yamlpos import Map, Seq, load_all

IGNORE_FILE = ".trimtab-ignore.yml"
_COMMENT = re.compile(r"trimtab:\s{0,9}ignore(?P<file>-file)?\s(?P<rest>.*)")
_CLOSED = re.compile(r"\*/|-->|#\}")
_RULES = re.compile(r"[\w.,\s-]+")
_HEAD = 10


@dataclass(frozen=True, slots=True)
class Accepted:
    """A finding that is not reported, and why."""

    finding: Finding
    reason: str


@dataclass(frozen=True, slots=True)
class _Entry:
    rule: str
    path: str
    line: int | None
    reason: str

    def covers(self, finding: Finding) -> bool:
        if self.rule not in (finding.rule, "*"):
            return False
        for place in finding.locations:
            if fnmatch.fnmatchcase(place.path, self.path) and (
                self.line is None or place.line in (self.line, self.line + 1)
            ):
                return True
        return self.path == "*"


def apply_ignores(findings: list[Finding], repo: Repo, facts: Facts) -> tuple[list[Finding], list[Accepted], list[str]]:
    """(findings kept, findings accepted, warnings about ignores that say too little)."""
    del facts
    known = {rule.id for rule in all_rules()}
    warnings: list[str] = []
    entries = _root_file(repo, warnings)
    for path in sorted({place.path for finding in findings for place in finding.locations}):
        text = repo.read(path)
        if text and "trimtab:" in text:
            entries.extend(_inline(path, text))
    usable = []
    for entry in entries:
        where = f"{entry.path}:{entry.line}" if entry.line else entry.path
        if not entry.reason:
            warnings.append(f"{where}: the ignore of {entry.rule} gives no reason and was not applied")
        elif entry.rule not in known and entry.rule != "*":
            warnings.append(f"{where}: no rule is called {entry.rule}")
        else:
            usable.append(entry)
    kept, accepted = [], []
    for finding in findings:
        match = next((entry for entry in usable if entry.covers(finding)), None)
        if match is None:
            kept.append(finding)
        else:
            accepted.append(Accepted(finding, match.reason))
    return kept, accepted, warnings


def _inline(path: str, text: str) -> list[_Entry]:
    found: list[_Entry] = []
    for number, line in enumerate(text.split("\n"), start=1):
        match = _COMMENT.search(line[:2000]) if "trimtab:" in line else None
        if match is None or (match["file"] and number > _HEAD):
            continue
        rules, _, reason = _CLOSED.split(match["rest"], maxsplit=1)[0].partition(" --")
        if _RULES.fullmatch(rules):
            where = None if match["file"] else number
            found += [_Entry(rule, path, where, reason.strip()) for rule in re.split(r"[,\s]+", rules.strip()) if rule]
    return found


def _root_file(repo: Repo, warnings: list[str]) -> list[_Entry]:
    text = repo.read(IGNORE_FILE)
    found: list[_Entry] = []
    if not text:
        return found
    documents = load_all(text)
    warnings.extend(f"{IGNORE_FILE}: {error}" for error in documents.errors)
    for document in documents.items:
        listed = document.value if isinstance(document.value, Seq) else []
        for item in listed:
            if isinstance(item, Map) and item.text("rule"):
                found.append(
                    _Entry(
                        str(item.text("rule")),
                        str(item.text("path") or "*"),
                        None,
                        str(item.text("reason") or ""),
                    )
                )
            else:
                warnings.append(f"{IGNORE_FILE}:{document.line}: each entry needs rule, path and reason")
    return found
