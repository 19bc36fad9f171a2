"""Any valid settings give a workflow and pages that hold together."""

from __future__ import annotations

import json
import re
from typing import Any

import yaml
from hypothesis import HealthCheck, given
from hypothesis import settings as profile

from tests.conftest import ROOT
from tests.strategies import settings
from tests.unit.outputs import github
from tests.unit.outputs.test_docs import tables
from trimtab.engine import Template

TEMPLATE = Template(ROOT)


@profile(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=settings(ci="github"))
def test_any_settings_give_a_sound_workflow(data: dict[str, Any]) -> None:
    tree = TEMPLATE.render(data, {})
    text = tree[".github/workflows/ci-cd.yml"].content.decode()
    workflow = yaml.safe_load(text)
    everything = github.order(workflow)
    assert github.ancestors(workflow, "ci-ok") == {*everything} - {"ci-ok"}
    facts = json.loads(tree["infrastructure/ci/platform.json"].content)
    outputs = {
        "changes": {
            "images": json.dumps(facts["images"]),
            "migrations": json.dumps([s for s in facts["services"] if s["migrations"]]),
            **{c: json.dumps([s for s in facts["services"] if s["checks"] == c]) for c in _checks(facts)},
        }
    }
    reached: set[str] = set()
    for event, known in ((github.MAIN, outputs), (github.PULL_REQUEST, outputs), (github.tag("v1.0.0"), {})):
        reached |= {*github.Run(workflow, event, known).ran}
    assert reached == {*everything}
    environments = [n for n in data["environments"] if n != "local"]
    assert {n.removeprefix("deploy-") for n in everything if n.startswith("deploy-")} == {*environments}
    for path in re.findall(r"infrastructure/ci/[\w-]+\.sh", text):
        assert tree[path].executable


def _checks(facts: dict[str, Any]) -> set[str]:
    return {s["checks"] for s in facts["services"]}


@profile(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=settings())
def test_any_settings_give_sound_pages(data: dict[str, Any]) -> None:
    for path, file in TEMPLATE.render(data, {}).items():
        if not path.startswith("docs/"):
            continue
        text = file.content.decode()
        assert "\n\n\n" not in text, path
        for table in tables(text):
            assert len(table) > 1, path
            assert {len(row) for row in table} == {len(table[0])}, path
