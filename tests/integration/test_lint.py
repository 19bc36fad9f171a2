"""Every generated file is clean for the linters that users run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.conftest import EXAMPLES, ROOT
from tests.lint import LINTERS, Linter, Missing, dockerfiles, scripts
from trimtab.engine import Template
from trimtab.frameworks import Frameworks
from trimtab.output import Folder
from trimtab.pipeline import render


@pytest.fixture(scope="session")
def trees(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Each example, rendered into a folder."""
    found = {}
    for example in EXAMPLES:
        found[example.name] = tmp_path_factory.mktemp(example.name)
        Folder(found[example.name]).write(dict(render(example / "trimtab.yml")))
    return found


def complaints_of(linter: Linter, folder: Path) -> list[str]:
    try:
        return linter.check(folder)
    except Missing as reason:
        if os.environ.get("CI"):
            pytest.fail(f"in CI every linter must be there: {reason}")
        pytest.skip(str(reason))


@pytest.mark.parametrize("linter", LINTERS, ids=lambda linter: linter.name)
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda p: p.name)
def test_lint_clean(example: Path, linter: Linter, trees: dict[str, Path]) -> None:
    assert complaints_of(linter, trees[example.name]) == []


def test_dockerfiles_and_scripts_of_every_framework_are_clean(tmp_path: Path) -> None:
    known = Frameworks(ROOT)
    services = {}
    for name in known.names:
        services[name] = {"framework": name, "route": f"/{name}"}
        if tools := known[name].get("migrations"):
            services[name] |= {"uses": ["postgres"], "migrations": tools[0]}
    data = {"version": 1, "name": "all", "registry": "ghcr.io/acme", "services": services}
    data |= {"datastores": {"postgres": {}}, "environments": {"production": {"host": "app.example.com"}}}
    Folder(tmp_path).write(dict(Template(ROOT).render(data, {})))
    for check in (dockerfiles, scripts):
        assert complaints_of(Linter(check.__name__, check), tmp_path) == []
