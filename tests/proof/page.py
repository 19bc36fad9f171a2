"""docs/proof.md: from the claims and from what runs have recorded."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.proof.claims import ROOT, Claim, Claims, is_long

PAGE = ROOT / "docs" / "proof.md"
RECORDS = ROOT / ".proof"
_HEAD = ("Claim", "Proven by", "Result", "Ran on", "Not run here")


@dataclass
class Runs:
    """What the runs came to, together; `tests` counts outcomes."""

    system: str = ""
    engines: dict[str, str] = field(default_factory=dict)
    figures: dict[str, str] = field(default_factory=dict)
    tests: dict[str, Counter[str]] = field(default_factory=dict)
    skips: dict[str, str] = field(default_factory=dict)


def read_runs(folder: Path = RECORDS) -> Runs:
    """Every record in a folder; a later name wins where two ran the same test."""
    runs = Runs()
    for file in sorted(folder.glob("*.json")):
        record = json.loads(file.read_text(encoding="utf-8"))
        runs.system = record["system"]
        runs.engines |= record["engines"]
        runs.figures |= record["figures"]
        runs.tests |= {test: Counter(count) for test, count in record["tests"].items()}
        runs.skips = {t: why for t, why in {**runs.skips, **record["skips"]}.items() if runs.tests[t]["skipped"]}
    return runs


def outcome(claim: Claim, runs: Runs) -> Counter[str]:
    """How often the tests of a claim passed, failed and were skipped; `absent` counts names that nothing ran for."""
    counts = sum((c for test, c in runs.tests.items() if claim.proven_by(test)), Counter())
    for name in claim.tests:
        if not any(_ran(name, test) for test in runs.tests):
            counts["absent"] += 1
    return counts


def _ran(name: str, test: str) -> bool:
    return Claim("", (name,)).proven_by(test)


def gaps(claims: Claims, runs: Runs) -> list[str]:
    """Claims that the runs do not prove, a line each; what only `make live-long` runs is left to it."""
    found = []
    for claim in claims.every:
        counts = outcome(claim, runs)
        owed = [name for name in claim.tests if is_long(name) and not any(_ran(name, test) for test in runs.tests)]
        counts["absent"] -= len(owed)
        if len(owed) == len(claim.tests):
            continue
        if counts["failed"] or counts["absent"] or not counts["passed"] or (counts["skipped"] and not claim.not_here):
            found.append(f"{claim.says}: {_result(counts)}")
        found += [f"{claim.says}: {e}: no version is known" for e in claim.engines if e not in runs.engines]
    return found


def rows(claims: tuple[Claim, ...]) -> list[tuple[str, str]]:
    """The two columns that no run changes: what is claimed, and the tests."""
    return [(_cell(c.says), "<br>".join(f"`{t.removeprefix('tests/')}`" for t in c.tests)) for c in claims]


def rows_of(page: str) -> list[tuple[str, str]]:
    """The same two columns of a page."""
    lines = [line for line in page.splitlines() if line.startswith("| ")]
    cells = [line.replace("\\|", "\0").strip("|").split("|") for line in lines]
    found = [tuple(c.strip().replace("\0", "\\|") for c in row[:2]) for row in cells if len(row) == len(_HEAD)]
    return [(a, b) for a, b in found if (a, b) != _HEAD[:2]]


def page(claims: Claims, runs: Runs) -> str:
    """The page in Markdown."""
    total = sum(runs.tests.values(), Counter())
    lines = [
        "# What was proved, and on what",
        "",
        "Written by `make proof` from `tests/proof/claims.yml` and from what `make test`, `make live` and",
        "`make live-long` recorded. `.ci/run` does all but the last, for want of time: a live test that is skipped",
        "fails it, and it names each claim that is left without its proof.",
        "Paths are below `tests/`.",
        "",
        f"The runs behind this page: {_result(total)}, on {runs.system}.",
        "",
        "## What the README claims",
        "",
        *_table(claims.readme, runs),
        "",
        "## What else is tested",
        "",
        *_table(claims.further, runs),
        "",
        *_figures(runs),
        "## What could not be run here, and why",
        "",
        *(f"- {' '.join(text.split())}" for text in claims.not_run),
    ]
    return "\n".join(lines) + "\n"


def _table(claims: tuple[Claim, ...], runs: Runs) -> list[str]:
    lines = [f"| {' | '.join(_HEAD)} |", "|" + "---|" * len(_HEAD)]
    for claim, (says, tests) in zip(claims, rows(claims), strict=True):
        engines = "<br>".join(f"{name} {runs.engines.get(name, '(not found)')}" for name in claim.engines)
        result = _result(outcome(claim, runs))
        lines.append(f"| {says} | {tests} | {result} | {engines} | {_cell(claim.not_here)} |")
    return lines


def _figures(runs: Runs) -> list[str]:
    if not runs.figures:
        return []
    lines = ["## Figures of these runs", "", "| Figure | Value |", "|---|---|"]
    return [*lines, *(f"| {_cell(k)} | {_cell(v)} |" for k, v in sorted(runs.figures.items())), ""]


def _result(counts: Counter[str]) -> str:
    words = {"passed": "passed", "failed": "FAILED", "skipped": "skipped", "absent": "not run"}
    return ", ".join(f"{counts[key]} {word}" for key, word in words.items() if counts[key]) or "not run"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
