"""The reference page of the rules, and what `explain` shows: both are generated from the rules themselves."""

from __future__ import annotations

import json

from trimtab.audit.finding import AREAS, Rule
from trimtab.audit.rules import all_rules


def explain(rule: Rule) -> str:
    """One rule's documentation as Markdown."""
    lines = [
        f"## {rule.id}",
        "",
        f"**{rule.title}**",
        "",
        f"Severity: {rule.severity}. Area: {rule.area}."
        + (f" Finding {rule.kind} of the seed audit." if rule.kind else ""),
        "",
    ]
    lines += [
        "### What it does",
        "",
        " ".join(rule.what.split()),
        "",
        "### Why this is bad",
        "",
        " ".join(rule.why.split()),
        "",
    ]
    lines += [
        "### Example",
        "",
        "```text",
        rule.example.strip("\n"),
        "```",
        "",
        "### Remedy",
        "",
        " ".join(rule.remedy.split()),
        "",
    ]
    return "\n".join(lines)


def page() -> str:
    """`docs/rules.md`, whole."""
    rules = all_rules()
    lines = [
        "<!-- Generated from generator/trimtab/audit/rules/ by `trimtab rules --markdown`. Do not edit. -->",
        "",
        "# Audit rules",
        "",
    ]
    lines += [
        "Accept one finding with a comment on its line or the line above, and a reason:",
        "",
        "```yaml",
        "PORT: 3001 # trimtab: ignore port-mismatch -- behind a sidecar that listens on 2000",
        "```",
        "",
    ]
    lines += [
        "or for a whole repository in `.trimtab-ignore.yml`:",
        "",
        "```yaml",
        '- { rule: test-reports-not-kept, path: ".github/workflows/nightly.yml", reason: "its log is enough" }',
        "```",
        "",
    ]
    lines += ["| Rule | Severity | Title |", "|---|---|---|"]
    for area in AREAS:
        lines += [
            f"| [{rule.id}](#{rule.id}) | {rule.severity} | {rule.title} |" for rule in rules if rule.area == area
        ]
    lines.append("")
    for area in AREAS:
        lines += [explain(rule) for rule in rules if rule.area == area]
    return "\n".join(lines)


def as_json() -> str:
    """Every rule as JSON."""
    keys = ("id", "kind", "severity", "area", "title", "what", "why", "example", "remedy")
    return (
        json.dumps(
            [
                {
                    key: " ".join(getattr(rule, key).split())
                    if key in ("what", "why", "remedy")
                    else getattr(rule, key)
                    for key in keys
                }
                for rule in all_rules()
            ],
            indent=2,
            ensure_ascii=False,
        )
        + "\n"
    )
