"""Results as text for people. Eighty columns where paths allow it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from trimtab.settings.yaml_text import dotted
from trimtab.tree import SETTINGS_FILE

if TYPE_CHECKING:
    from trimtab.lifecycle import Plan
    from trimtab.output import Checked
    from trimtab.pipeline import CheckResult
    from trimtab.provenance import Cause

_WIDTH = 11
_HELP_MISSING = {
    True: "`trimtab sync --restore` brings missing files back",
    False: "`trimtab sync` writes new files",
}
_HELP = {
    "stale": "`trimtab sync` updates stale files",
    "orphaned": "`trimtab sync` removes orphaned files",
    "hand-edited": "`trimtab diff` shows hand edits; `trimtab sync` keeps them",
}


def check_lines(result: CheckResult, settings_lines: dict[tuple[str | int, ...], int], every: bool) -> list[str]:
    """One line per file that is not ok (every file with `every`), its causes, then a count and what to do."""
    lines = []
    for file in result.files:
        if file.state == "ok" and not every:
            continue
        lines.append(f"{file.state:{_WIDTH}} {file.path}{_note(file)}")
        lines += [_cause_line(cause, settings_lines) for cause in result.causes.get(file.path, [])]
    counts: Counter[str] = Counter(f.state for f in result.files)
    states = ("ok", "stale", "hand-edited", "missing", "orphaned")
    lines.append(", ".join(f"{counts[s]} {s}" for s in states if counts[s]) or "nothing is generated here")
    lines += [f"  {help_}" for state, help_ in _HELP.items() if counts[state]]
    missing = {f.current: f for f in result.files if f.state == "missing"}
    lines += [f"  {help_}" for current, help_ in _HELP_MISSING.items() if current in missing]
    return lines


def _note(file: Checked) -> str:
    if file.unresolved:
        return "  (with an unresolved conflict)"
    notes = {"hand-edited": "  (and stale)", "missing": "  (new)"}
    return "" if file.current else notes.get(file.state, "")


def _cause_line(cause: Cause, lines: dict[tuple[str | int, ...], int]) -> str:
    at = f" ({SETTINGS_FILE}:{lines[cause.setting]})" if cause.setting in lines else f" (no longer in {SETTINGS_FILE})"
    numbers = f"line {_ranges(cause.lines)}: " if cause.lines else "removed lines: "
    return f"{'':{_WIDTH}}   {numbers}{dotted(cause.setting)}{at}"


def _ranges(numbers: tuple[int, ...]) -> str:
    """`1, 4-6` for (1, 4, 5, 6)."""
    spans: list[list[int]] = []
    for number in numbers:
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ", ".join(f"{a}" if a == b else f"{a}-{b}" for a, b in spans)


def check_json(result: CheckResult, settings_lines: dict[tuple[str | int, ...], int]) -> dict[str, object]:
    """The check as data: `clean`, the `template` version, and `files` with the fields of Checked and causes."""

    def file(checked: Checked) -> dict[str, object]:
        causes = [
            {
                "setting": dotted(c.setting),
                "line": settings_lines.get(c.setting),
                "lines": list(c.lines),
            }
            for c in result.causes.get(checked.path, [])
        ]
        return {
            "path": checked.path,
            "state": checked.state,
            "current": checked.current,
            "unresolved": checked.unresolved,
            "causes": causes,
        }

    return {"clean": result.clean, "template": result.template, "files": [file(f) for f in result.files]}


def plan_lines(plan: Plan, dry_run: bool) -> list[str]:
    """One line per step of a sync, then what it came to."""
    lines = [f"{s.action:{_WIDTH}} {s.path}" + (f"  ({s.note})" if s.note else "") for s in plan.steps]
    acted = [s for s in plan.steps if s.action != "left"]
    if not acted:
        return [*lines, "in sync: nothing to do"]
    done = "would change" if dry_run else "changed"
    lines.append(f"{len(acted)} file{'s' if len(acted) != 1 else ''} {done}")
    if not plan.clean:
        lines.append("conflicts are left: edit the files named above, then commit")
    return lines


def plan_json(plan: Plan) -> dict[str, object]:
    """The plan as data: `clean`, and `steps` with path, action and note."""
    return {
        "clean": plan.clean,
        "steps": [{"path": s.path, "action": s.action, "note": s.note} for s in plan.steps],
    }
