"""Migrations run in CI or a deploy, and nothing reports which are applied."""

from __future__ import annotations

from collections.abc import Iterator

from trimtab.audit.facts.commands import migration_words
from trimtab.audit.facts.maketables import is_aside, is_script, runs_of
from trimtab.audit.facts.model import Facts
from trimtab.audit.facts.query import migration_runs
from trimtab.audit.facts.schema import source_runs
from trimtab.audit.finding import Finding, Rule


def check(facts: Facts) -> Iterator[Finding]:
    """One finding for the repository."""
    runs = migration_runs(facts)
    contexts = ("workflow", "kubernetes", "compose", "dockerfile", "script") if facts.workflows else ("kubernetes",)
    ups = [
        (command.place, migration_words(command))
        for command, _, action in runs
        if action == "up" and command.context in contexts
    ]
    if facts.workflows:
        ups += [(place, f"{tool} up, by the source") for place, tool in source_runs(facts)]
    if facts.workflows and not ups:
        ups += [
            (command.place, f"{call.tool}, by a script")
            for call in facts.schema_calls
            if call.action == "create" and is_script(call) and not is_aside(call)
            for command in runs_of(call, facts)
            if command.context == "workflow" and "migrat" not in command.text
        ]
    if ups and not any(action == "status" for _, _, action in runs):
        yield RULE.finding(
            "Migrations run, but no step reports which are applied",
            ups,
            confidence="medium"
            if all(value.endswith(("by the source", "by a script")) for _, value in ups)
            else "high",
        )


RULE = Rule(
    module=__name__,
    kind="5.2",
    severity="medium",
    area="Database Migration Strategy",
    title="No step reports the migration status",
    what="Looks for workflows, manifests, images, scripts and source that run migrations in a repository "
    "where no command asks the tool for its status.",
    why="Which migrations an environment has can only be found out by hand, after something went wrong.",
    example="run: diesel migration run   # and never: diesel migration list",
    remedy="Print the tool's status after every run and keep it as an artifact of the job.",
    check=check,
)
