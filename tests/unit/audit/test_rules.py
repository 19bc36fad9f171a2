"""Each rule on two small repositories of `tests/repos/<rule>/`: one that it must report, and one that it
must not.
"""

import json
from pathlib import Path

import pytest

from trimtab.audit.engine import Options, audit
from trimtab.audit.rules import all_rules

REPOS = Path(__file__).parents[2] / "repos"
RULES = [rule.id for rule in all_rules()]


@pytest.mark.parametrize("rule", RULES)
def test_reports_the_hit_at_its_places(rule):
    expected = json.loads((REPOS / rule / "expected.json").read_text())
    report = audit(REPOS / rule / "hit", Options(rules=(rule,)))
    assert len(report.findings) == 1, report.findings
    places = [(place.path, place.line, place.value) for place in report.findings[0].locations]
    for place in expected:
        assert any(
            (path, line) == (place["path"], place["line"]) and place.get("value", value) == value
            for path, line, value in places
        ), (place, places)


@pytest.mark.parametrize("rule", RULES)
def test_is_silent_on_the_near_miss(rule):
    report = audit(REPOS / rule / "near-miss", Options(rules=(rule,)))
    assert report.findings == ()


@pytest.mark.parametrize(
    "rule", [rule for rule in RULES if rule != "secret-with-two-values"]
)  # its near-miss holds secrets
def test_near_miss_alarms_no_other_rule_of_high_severity(rule):
    report = audit(REPOS / rule / "near-miss")
    assert [one for one in report.findings if one.severity in ("critical", "high") and one.confidence == "high"] == []


@pytest.mark.parametrize("rule", all_rules(), ids=RULES)
def test_documents_itself(rule):
    for text in (rule.title, rule.what, rule.why, rule.example, rule.remedy):
        assert len(text.strip()) > 10
    assert not rule.title.endswith(".")
