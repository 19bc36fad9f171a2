"""docs/proof.md: no claim without a test, no test that does not exist, no page that says something else."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from tests.proof import claims, engines, page
from tests.proof.claims import Claim, Claims
from tests.proof.page import Runs
from tests.proof.readme import README, statements


def test_every_statement_of_the_readme_has_a_proof() -> None:
    assert claims.unproven(claims.load(), statements(README.read_text(encoding="utf-8"))) == []


def test_engines_are_known() -> None:
    named = {engine for claim in claims.load().every for engine in claim.engines}
    assert {"Docker", "PostgreSQL", "promtool"} <= named <= engines.names()


def test_the_page_says_what_the_claims_say() -> None:
    known = claims.load()
    text = page.PAGE.read_text(encoding="utf-8")
    assert page.rows_of(text) == page.rows(known.every), "run `make proof`"
    for reason in known.not_run:
        assert " ".join(reason.split()) in text, "run `make proof`"


TEXT = """\
# Title

It does one thing. And `another`
thing.

| Command | What |
|---|---|
| `x` | does x |

```console
$ x      # runs x
$ y
```
"""


def test_a_page_is_read_as_statements() -> None:
    assert statements(TEXT) == ["It does one thing.", "And `another` thing.", "`x`: does x", "runs x"]


def some(*tests: str, not_here: str = "") -> Claims:
    return Claims((Claim("It does.", tests, not_here=not_here),), (), (), ())


def test_what_is_wrong_is_named() -> None:
    good = some("tests/unit/test_proof.py::test_what_is_wrong_is_named")
    assert claims.unproven(good, ["It does."]) == []
    assert "README.md says 'More.'" in claims.unproven(good, ["It does.", "More."])[0]
    assert "no longer says" in claims.unproven(good, [])[0]
    for name in ("tests/unit/test_none.py", "tests/unit/test_proof.py::test_none", "tests/none"):
        assert claims.unproven(some(name), ["It does."]) == [f"tests/proof/claims.yml: {name}: there is no such test"]
    assert "names no test" in claims.unproven(some(), ["It does."])[0]


@pytest.mark.parametrize(
    ("counts", "not_here", "complaint"),
    [
        ({"passed": 2}, "", ""),
        ({"passed": 2, "failed": 1}, "", "It does.: 2 passed, 1 FAILED"),
        ({"passed": 2, "skipped": 1}, "", "It does.: 2 passed, 1 skipped"),
        ({"passed": 2, "skipped": 1}, "needs a moon", ""),
        ({"skipped": 1}, "needs a moon", "It does.: 1 skipped"),
        ({}, "", "It does.: 1 not run"),
    ],
)
def test_a_claim_that_a_run_leaves_open_is_a_gap(counts: dict[str, int], not_here: str, complaint: str) -> None:
    runs = Runs(tests={"tests/a.py::test_b": Counter(counts)} if counts else {})
    assert page.gaps(some("tests/a.py::test_b", not_here=not_here), runs) == ([complaint] if complaint else [])
    table = page.page(some("tests/a.py::test_b"), runs)
    assert page.rows_of(table) == [("It does.", "`a.py::test_b`")]


def live_folder(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PYTHONPATH", str(claims.ROOT))
    folder: Path = pytester.path / "tests" / "live"
    folder.mkdir(parents=True)
    return folder


def test_runs_are_recorded_and_counted(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRIMTAB_LIVE_REQUIRED", raising=False)
    folder = live_folder(pytester, monkeypatch)
    (folder / "test_x.py").write_text(
        "import pytest\n"
        "@pytest.mark.parametrize('n', [1, 2])\n"
        "def test_runs(n, record_property): record_property('kills', 7)\n"
        "def test_lacks(): pytest.skip('no moon')\n"
    )
    result = pytester.runpytest_subprocess("-p", "tests.proof.record", "--proof", "out.json", "tests/live")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["live: 2 ran, 1 skipped"])
    record = json.loads((pytester.path / "out.json").read_text())
    assert record["tests"] == {
        "tests/live/test_x.py::test_lacks": {"skipped": 1},
        "tests/live/test_x.py::test_runs": {"passed": 2},
    }
    assert record["figures"] == {"kills": "7"}
    assert record["skips"] == {"tests/live/test_x.py::test_lacks": "no moon"}
    assert {"git", "Python", "Copier"} <= record["engines"].keys()


def test_a_skipped_live_test_fails_where_they_are_required(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIMTAB_LIVE_REQUIRED", "1")
    folder = live_folder(pytester, monkeypatch)
    (folder / "test_x.py").write_text("import pytest\ndef test_lacks(): pytest.skip('no moon')\n")
    result = pytester.runpytest_subprocess("-p", "tests.proof.record", "tests/live")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["live: 0 ran, 1 skipped, and none may be skipped here"])
