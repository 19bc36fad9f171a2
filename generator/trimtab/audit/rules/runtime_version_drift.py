"""The version of one runtime differs between files."""

from __future__ import annotations

from collections.abc import Iterator

from trimtab.audit.facts.model import Facts
from trimtab.audit.facts.products import RUNTIMES
from trimtab.audit.facts.versions import drifts
from trimtab.audit.finding import Finding, Rule


def check(facts: Facts) -> Iterator[Finding]:
    """One finding per runtime and service directory."""
    for title, places in drifts(facts, RUNTIMES):
        yield RULE.finding(title, places)


RULE = Rule(
    module=__name__,
    severity="medium",
    area="References and Versions",
    title="The version of a runtime differs between files",
    what="Compares the versions of Node, Python, Rust, Go, Java, .NET, Ruby and PHP in Dockerfiles, "
    "workflows, tool version files and package "
    "manifests, down to the part that breaks (the major version for Node, Java and .NET, the minor one for the others). A range is met by every version in it.",  # noqa: E501
    why="What was tested is not what runs: syntax, libraries and defaults differ between the versions.",
    example="""Dockerfile: FROM node:18-alpine
ci.yml:     node-version: 20
.nvmrc:     22""",
    remedy="Write the version in one tool file, let CI read it from there, and use the same one in the Dockerfile.",
    check=check,
)
