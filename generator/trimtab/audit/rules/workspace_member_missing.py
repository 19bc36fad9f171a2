"""A workspace lists a part that is not in the repository."""

from __future__ import annotations

from collections.abc import Iterator

from trimtab.audit.facts.model import Facts, Reference
from trimtab.audit.finding import Finding, Rule
from trimtab.errors import some

_MADE = frozenset({"target", "dist", "build", "out", "node_modules", "vendor", "generated", "gen", "pkg"})
_RUNNERS = ("turbo.json", "lerna.json")


def check(facts: Facts) -> Iterator[Finding]:
    """One finding per file that lists them."""
    absent: dict[str, list[Reference]] = {}
    for one in facts.members:
        if not facts.exists(one.path) and not _made(one.path, facts) and not _in_submodule(one.path, facts):
            absent.setdefault(one.place.path, []).append(one)
    for path, members in absent.items():
        runner = all(one.what in _RUNNERS for one in members)
        paths = list(dict.fromkeys(one.path for one in members))
        yield RULE.finding(
            f"{path} needs {some(paths, 4)}, which {'is' if len(paths) == 1 else 'are'} not in the repository",
            [(one.place, one.path) for one in members],
            severity="medium" if runner else "high",
        )


def _made(path: str, facts: Facts) -> bool:
    """Whether a build makes the folder: one with such a name, of which nothing at all is kept."""
    folders = path.split("/")[:-1]
    return any(
        part in _MADE and not facts.exists("/".join(folders[: number + 1])) for number, part in enumerate(folders)
    )


def _in_submodule(path: str, facts: Facts) -> bool:
    """Whether the repository has submodules, and nothing of the folder: it may be one of them."""
    return facts.exists(".gitmodules") and not facts.exists(path.rpartition("/")[0])


RULE = Rule(
    module=__name__,
    severity="high",
    area="References and Versions",
    title="A workspace lists a part that is not there",
    what="Looks up the modules that `go.work` and `replace` lines of `go.mod` name, the packages in `workspaces` of "
    "package.json that are no patterns, crates of Cargo workspaces and path dependencies, modules of a pom.xml and "
    "projects of a .sln, and the `turbo.json` or `lerna.json` of scripts that call these.",
    why="Every command of the tool fails at once, in each job and in the image, also for the parts that are there.",
    example="""go.work: use ./pkg/api     # pkg/api has no go.mod""",
    remedy="Take the part off the list, or add its manifest.",
    check=check,
)
