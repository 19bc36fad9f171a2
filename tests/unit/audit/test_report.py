"""Every form of the report, the commands, ignores and the baseline."""

import io
import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from trimtab.audit import commands
from trimtab.audit.commands import register
from trimtab.audit.engine import Options, audit, audit_repo, told_apart
from trimtab.audit.facts.model import Place
from trimtab.audit.reference import page
from trimtab.audit.report import FORMATS, render
from trimtab.audit.rules import all_rules
from trimtab.errors import TrimtabError
from trimtab.repo import Repo

PLATFORM = Path(__file__).parents[2] / "repos" / "platform" / "tree"
APP = typer.Typer()
register(APP)
run = CliRunner().invoke


@pytest.fixture(scope="module")
def report():
    return audit(PLATFORM)


def test_json_has_the_fixed_form(report):
    body = json.loads(render(report, "json"))
    assert body["unread"] == []
    for finding in body["findings"]:
        assert {"rule", "severity", "confidence", "title", "remediation", "locations"} <= finding.keys()
        for place in finding["locations"]:
            assert place.keys() == {"path", "line", "value"}
            assert (PLATFORM / place["path"]).is_file()


def test_sarif_points_at_rules_and_places(report):
    run_ = json.loads(render(report, "sarif"))["runs"][0]
    rules = run_["tool"]["driver"]["rules"]
    for result in run_["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["locations"][0]["physicalLocation"]["region"]["startLine"] >= 1
    assert len({result["partialFingerprints"]["trimtab/v1"] for result in run_["results"]}) == len(run_["results"])


def test_text_fits_80_columns_and_has_no_escapes(report):
    text = render(report, "text")
    assert "\033" not in text
    assert max(len(line) for line in text.split("\n")) <= 80


def test_a_finding_about_one_service_in_several_files_says_by_what_they_were_matched(report):
    ports = next(one for one in report.findings if one.rule == "port-mismatch")
    assert "docker-compose.yml" in ports.evidence and "k8s/reconciliation-platform.yaml" in ports.evidence
    assert f"  matched by: {ports.evidence[:30]}" in render(report, "text")
    assert ports.evidence in [one.get("evidence") for one in json.loads(render(report, "json"))["findings"]]


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("terminal", "env", "coloured"),
    [
        (True, {}, True),
        (False, {}, False),
        (True, {"NO_COLOR": "1"}, False),
        (True, {"NO_COLOR": ""}, True),
        (False, {"FORCE_COLOR": "1"}, True),
        (False, {"FORCE_COLOR": ""}, False),
        (True, {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        (True, {"TERM": "dumb"}, False),
    ],
)
def test_colour_only_on_a_terminal_or_on_the_users_word(monkeypatch, tmp_path, terminal, env, coloured):
    for name in ("NO_COLOR", "FORCE_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "docker-compose.yml").write_text("services: {a: {image: 'acme/a:latest'}}\n")
    shown = Terminal() if terminal else io.StringIO()
    monkeypatch.setattr(sys, "stdout", shown)
    with pytest.raises(typer.Exit):
        commands.audit_command(tmp_path)
    assert ("\033[" in shown.getvalue()) == coloured
    assert "acme/a" in shown.getvalue()


def test_progress_only_on_a_terminal_and_after_a_second(monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert commands._progress() is None
    shown, now = Terminal(), [0.0]
    monkeypatch.setattr(sys, "stderr", shown)
    monkeypatch.setattr(commands.time, "monotonic", lambda: now[0])
    show = commands._progress()
    assert show is not None
    now[0] = 0.9
    show(50, 100)
    assert shown.getvalue() == ""
    now[0] = 1.1
    show(60, 100)
    assert f"[{'#' * 24}{' ' * 16}] 60/100 files" in shown.getvalue()
    show(100, 100)
    assert shown.getvalue().endswith("\r\033[K")


def test_markdown_has_the_form_of_the_seed_audit(report):
    text = render(report, "markdown")
    for part in (
        "## Executive Summary",
        "- Critical: 3 findings",
        "## Findings by Area",
        "### 1) Docker Configuration",
        "#### 1.1 CRITICAL: ",
        "## Remediation Plan",
        "P0 (within 24-48h):",
    ):
        assert part in text


def test_github_annotations_are_one_line_each(report):
    lines = render(report, "github").splitlines()
    assert len(lines) == len(report.findings)
    assert all(re.match(r"::(error|warning|notice) file=[^,]+,line=\d+,title=[^:]+::", line) for line in lines)


def test_a_hostile_value_cannot_break_out_of_a_report():
    text = 'services:\n  api:\n    image: "acme/\\e[2Jx%0A::error::|<b>:latest"\n'
    report = audit_repo(Repo.from_texts({"docker-compose.yml": text}), Options(rules=("floating-image-tag",)))
    assert len(report.findings) == 1
    assert "\033" not in render(report, "text")
    assert len(render(report, "github").splitlines()) == 1
    json.loads(render(report, "sarif"))


def test_exit_codes():
    assert run(APP, ["audit", str(PLATFORM)]).exit_code == 1
    assert run(APP, ["audit", str(PLATFORM), "--fail-on", "never"]).exit_code == 0
    assert run(APP, ["audit", str(PLATFORM), "--rule", "host-port-conflict"]).exit_code == 0
    assert run(APP, ["audit", str(PLATFORM), "--rule", "test-reports-not-kept", "--fail-on", "medium"]).exit_code == 0
    for words in (
        ["audit", "/nowhere"],
        ["audit", str(PLATFORM), "--format", "xml"],
        ["audit", str(PLATFORM), "--fail-on", "bad"],
        ["explain", "nothing"],
    ):
        error = run(APP, words).exception
        assert isinstance(error, TrimtabError)
        assert (error.exit_code, bool(error.help)) == (2, True)


@pytest.mark.parametrize("form", FORMATS)
def test_writes_every_form_to_a_file(tmp_path, form):
    run(APP, ["audit", str(PLATFORM), "--format", form, "--output", str(tmp_path / "out")])
    assert (tmp_path / "out").read_text() == render(audit(PLATFORM), form)


def test_baseline_hides_what_it_holds_and_survives_moved_lines(tmp_path):
    tree, recorded = tmp_path / "tree", tmp_path / "baseline.json"
    tree.mkdir()
    compose = tree / "docker-compose.yml"
    compose.write_text("services:\n  a: { image: 'acme/a:latest' }\n")
    assert run(APP, ["audit", str(tree), "--write-baseline", str(recorded)]).exit_code == 0
    compose.write_text("# moved\n\n" + compose.read_text() + "  b: { image: 'acme/b:latest' }\n")
    result = run(APP, ["audit", str(tree), "--baseline", str(recorded), "--format", "json"])
    assert [finding["title"] for finding in json.loads(result.stdout)["findings"]] == [
        "Image acme/b has no fixed version"
    ]


COMPOSE = "services:\n  a:\n    image: acme/a:latest{comment}\n"


@pytest.mark.parametrize(
    ("files", "findings", "warnings"),
    [
        (
            {"docker-compose.yml": COMPOSE.format(comment=" # trimtab: ignore floating-image-tag -- a demo")},
            0,
            0,
        ),
        ({"docker-compose.yml": COMPOSE.format(comment=" # trimtab: ignore floating-image-tag")}, 1, 1),
        ({"docker-compose.yml": COMPOSE.format(comment=" # trimtab: ignore no-such-rule -- a demo")}, 1, 1),
        (
            {
                "docker-compose.yml": "# trimtab: ignore-file floating-image-tag -- a demo\n\n\n\n"
                + COMPOSE.format(comment="")
            },
            0,
            0,
        ),
        (
            {
                "docker-compose.yml": COMPOSE.format(comment=""),
                ".trimtab-ignore.yml": "- { rule: floating-image-tag, path: docker-*, reason: a demo }\n",
            },
            0,
            0,
        ),
        (
            {
                "docker-compose.yml": COMPOSE.format(comment=""),
                ".trimtab-ignore.yml": "- { rule: floating-image-tag, path: other/*, reason: a demo }\n",
            },
            1,
            0,
        ),
    ],
    ids=["inline", "no-reason", "unknown-rule", "file", "root", "other-path"],
)
def test_ignores_need_a_rule_and_a_reason(files, findings, warnings):
    report = audit_repo(Repo.from_texts(files))
    assert (len(report.findings), len(report.warnings)) == (findings, warnings)


def test_explain_and_rules():
    assert "### Remedy" in run(APP, ["explain", "port-mismatch"]).stdout
    assert run(APP, ["explain", "1.1"]).stdout == run(APP, ["explain", "port-mismatch"]).stdout
    listed = json.loads(run(APP, ["rules", "--json"]).stdout)
    assert {one["kind"] for one in listed} >= {
        "1.1",
        "1.2",
        "1.3",
        "1.4",
        "2.1",
        "2.2",
        "2.3",
        "2.4",
        "3.1",
        "3.2",
        "3.3",
        "3.4",
        "3.5",
        "4.1",
        "4.2",
        "4.3",
        "5.1",
        "5.2",
        "6.1",
        "6.2",
        "6.3",
    }
    assert [one["id"] for one in listed] == sorted(rule.id for rule in all_rules())


def test_the_reference_page_is_current():
    assert (Path(__file__).parents[3] / "docs" / "rules.md").read_text() == page()


def test_the_same_tree_gives_the_same_report(report):
    assert render(report, "json") == render(audit(PLATFORM), "json")


def test_findings_that_differ_in_their_lines_only_have_a_fingerprint_each():
    place = Place("docker-compose.yml", 1)
    rule = all_rules()[0]
    twice = [rule.finding("one", [(place, "2000")]), rule.finding("two", [(replace(place, line=9), "2000")])]
    first, second = told_apart(twice)
    assert first.fingerprint == twice[0].fingerprint == twice[1].fingerprint
    assert second.fingerprint != first.fingerprint
    assert [one.title for one in (first, second)] == ["one", "two"]
