"""Conditions of jobs: what is told of an event, and jobs that need one that is skipped."""

import pytest

from tests.unit.audit.test_stacks import findings
from trimtab.audit.facts.conditions import Run, holds, literals

MAIN = Run("push", "refs/heads/main")
TAG = Run("push", "refs/tags/v1")
BY_HAND = Run("workflow_dispatch", "refs/heads/main", {"where": "live"})


@pytest.mark.parametrize(
    ("condition", "run", "expected"),
    [
        ("", MAIN, True),
        ("github.ref == 'refs/heads/main'", MAIN, True),
        ("${{ github.ref_name == 'main' }}", MAIN, True),
        ("github.ref != 'refs/heads/main'", MAIN, False),
        ("'push' == github.event_name", TAG, True),
        ("startsWith(github.ref, 'refs/tags/')", TAG, True),
        ("startsWith(github.ref, 'refs/tags/')", MAIN, False),
        ("!startsWith(github.ref, 'refs/tags/')", TAG, False),
        ("github.event.inputs.where == 'live'", BY_HAND, True),
        ("inputs.where == 'test'", BY_HAND, False),
        ("inputs.where == 'live' || github.event_name == 'push'", MAIN, True),
        ("github.event_name == 'push' && needs.one.outputs.changed == 'true'", MAIN, None),
        ("github.event_name == 'release' && needs.one.outputs.changed == 'true'", MAIN, False),
        ("vars.LIVE || github.event_name == 'push'", MAIN, True),
        ("(github.event_name == 'push' || vars.LIVE) && success()", MAIN, True),
        ("contains(github.ref, 'main')", MAIN, None),
        ("github.ref == ", MAIN, None),
        ("github.ref # 'x'", MAIN, None),
        ("true) && false", MAIN, None),
    ],
)
def test_a_condition_in_a_run(condition, run, expected):
    assert holds(condition, run) is expected


def test_the_literals_of_a_condition():
    condition = "github.ref == 'a' || 'b' != inputs.x && startsWith(github.ref, 'c') || contains(github.ref, 'd')"
    assert literals(condition) == [("github.ref", "a"), ("inputs.x", "b"), ("github.ref", "c")]


WORKFLOW = """\
on:
  push: {{ branches: [main, develop], tags: ['v*'] }}
  workflow_dispatch: {{ inputs: {{ where: {{ type: string }} }} }}
jobs:
  test:
    runs-on: ubuntu-24.04
    if: {first}
    steps: [{{ run: make }}]
  live:
    runs-on: ubuntu-24.04
    needs: [test]
    if: {then}
    steps: [{{ run: make }}]
"""
DEVELOP, ON_MAIN = "github.ref == 'refs/heads/develop'", "github.ref == 'refs/heads/main'"
ON_TAG = "startsWith(github.ref, 'refs/tags/v')"


@pytest.mark.parametrize(
    ("first", "then", "severity", "said"),
    [
        (DEVELOP, ON_MAIN, "high", "skipped whenever live could run"),
        (DEVELOP, f"{ON_MAIN} && vars.LIVE", "high", "skipped whenever live could run"),
        (DEVELOP, f"{ON_MAIN} && always()", "", ""),
        (f"failure() || {DEVELOP}", f"{ON_MAIN}", "", ""),
        (DEVELOP, f"{DEVELOP} || {ON_MAIN}", "medium", "skipped on refs/heads/main, where live should run"),
        (ON_MAIN, f"{ON_TAG} || inputs.where == 'live'", "medium", "skipped on refs/tags/v, where live should run"),
        (ON_MAIN, "github.event_name == 'push'", "", ""),
        (f"{ON_MAIN} || {ON_TAG}", ON_TAG, "", ""),
        ("vars.LIVE", ON_MAIN, "", ""),
        ("inputs.where == 'test'", "inputs.where == 'live'", "high", "skipped whenever live could run"),
    ],
)
def test_a_job_that_needs_one_that_is_skipped(first, then, severity, said):
    found = findings({".github/workflows/go.yml": WORKFLOW.format(first=first, then=then)}, "unreachable-job")
    assert [one.severity for one in found] == ([severity] if severity else [])
    assert all(said in one.title and [place.line for place in one.locations] == [11, 12, 7] for one in found)
