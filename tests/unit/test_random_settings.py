"""Random settings: valid ones render, broken ones are refused with a line number, for any mix."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings

from tests import strategies
from tests.conftest import ROOT
from trimtab.engine import Template
from trimtab.frameworks import Frameworks
from trimtab.settings.load import SettingsError, parse_settings

FRAMEWORKS, TEMPLATE = Frameworks(ROOT), Template(ROOT)
# No shrinking: a failure prints its settings, which are small, and shrinking them takes minutes.
MANY = hypothesis_settings(
    max_examples=100,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


class _NoAliases(yaml.SafeDumper):
    def ignore_aliases(self, _data: object) -> bool:
        return True


def as_text(data: dict[str, Any]) -> bytes:
    return yaml.dump(data, Dumper=_NoAliases, sort_keys=False, allow_unicode=True).encode()


@MANY
@given(strategies.settings())
def test_valid_settings_render(data: dict[str, Any]) -> None:
    loaded = parse_settings(as_text(data), FRAMEWORKS)
    tree = TEMPLATE.render(loaded.data, {}, as_text(data))
    assert tree == TEMPLATE.render(loaded.data, {}, as_text(data))
    for service in data["services"]:
        assert f"infrastructure/docker/Dockerfile.{service}" in tree


@MANY
@given(strategies.broken())
def test_broken_settings_are_refused_at_their_line(case: tuple[dict[str, Any], str]) -> None:
    data, path = case
    text = as_text(data)
    with pytest.raises(SettingsError) as caught:
        parse_settings(text, FRAMEWORKS)
    (named,) = [line for line in caught.value.lines if line.split(": ")[1] == path]
    number = int(named.split(":")[1])
    key = path.split(".")[-1].split("[")[0]
    near = text.decode().splitlines()[max(0, number - 2) : number]
    assert any(key in line for line in near), (named, near)
