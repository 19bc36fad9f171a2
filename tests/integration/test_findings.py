"""None of the twenty-one findings can occur: in the examples, and in a hundred random platforms."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings

from tests import invariants, strategies
from tests.conftest import EXAMPLES
from tests.invariants import FINDINGS, Platform

pytestmark = pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl is not installed")


@pytest.fixture(scope="module")
def platforms() -> Iterator[dict[str, Platform]]:
    found = {}
    for example in EXAMPLES:
        raw = (example / "trimtab.yml").read_bytes()
        found[example.name] = invariants.platform(yaml.safe_load(raw), raw)
    yield found
    for platform in found.values():
        invariants.remove(platform)


def test_every_finding_has_a_test() -> None:
    numbers = {1: 4, 2: 4, 3: 5, 4: 3, 5: 2, 6: 3}
    assert list(FINDINGS) == [f"{area}.{n}" for area, count in numbers.items() for n in range(1, count + 1)]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda p: p.name)
@pytest.mark.parametrize("finding", FINDINGS)
def test_finding_cannot_occur(finding: str, example: Path, platforms: dict[str, Platform]) -> None:
    FINDINGS[finding](platforms[example.name])


@hypothesis_settings(
    max_examples=100,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(strategies.settings())
def test_no_finding_can_occur_in_random_platforms(data: dict[str, Any]) -> None:
    platform = invariants.platform(data, b"")
    try:
        for number, check in FINDINGS.items():
            try:
                check(platform)
            except Exception as error:
                raise AssertionError(f"finding {number}: {error!r}") from error
    finally:
        invariants.remove(platform)
