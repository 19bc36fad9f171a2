"""The acceptance fixture: the platform of the seed audit, rebuilt from its description with its files and
lines.
"""

from pathlib import Path

import pytest

from trimtab.audit.engine import audit

TREE = Path(__file__).parents[2] / "repos" / "platform" / "tree"
K8S = "k8s/reconciliation-platform.yaml"
CI = ".github/workflows/ci-cd.yml"
# (finding, severity, [(file, first line, last line) where the audit saw it])
EXPECTED = [
    ("1.1", "critical", [("docker-compose.yml", 78, 113), (K8S, 55, 66), ("env.production", 24, 24)]),
    ("1.2", "high", [("Dockerfile", 1, 99), ("docker-compose.yml", 123, 125)]),
    ("1.3", "medium", [("docker-compose.yml", 55, 74), (K8S, 269, 276)]),
    ("1.4", "low", [("docker-compose.yml", 46, 51)]),
    (
        "2.1",
        "critical",
        [
            ("env.example", 14, 21),
            ("env.production", 22, 27),
            ("frontend/env.example", 5, 7),
            ("docker-compose.yml", 122, 125),
            (K8S, 63, 69),
        ],
    ),
    ("2.2", "high", [("env.production", 26, 27), ("frontend/env.example", 5, 7)]),
    ("2.3", "medium", [("docker-compose.yml", 86, 93), ("env.production", 17, 21)]),
    ("2.4", "low", [("env.example", 1, 99), ("env.production", 1, 99)]),
    (
        "3.1",
        "high",
        [
            (CI, 1, 999),
            (".github/workflows/comprehensive-testing.yml", 1, 999),
            (".github/workflows/enhanced-ci-cd.yml", 1, 999),
        ],
    ),
    ("3.2", "high", [(CI, 76, 81), (CI, 207, 212), ("backend/apply-indexes.sh", 1, 99)]),
    ("3.3", "medium", [(CI, 274, 288)]),
    ("3.4", "medium", [(CI, 291, 319), (CI, 332, 345)]),
    ("3.5", "low", [(CI, 1, 999)]),
    ("4.1", "high", [(K8S, 90, 101)]),
    ("4.2", "medium", [(K8S, 309, 361)]),
    ("4.3", "low", [(K8S, 364, 400)]),
    (
        "5.1",
        "critical",
        [
            ("backend/apply-indexes.sh", 1, 99),
            ("backend/migrations/20250102000000_add_performance_indexes.sql", 1, 9),
            (CI, 76, 81),
        ],
    ),
    ("5.2", "medium", [(CI, 1, 999)]),
    ("6.1", "high", [(CI, 291, 345)]),
    ("6.2", "medium", [("docker-compose.yml", 108, 113), (K8S, 90, 101)]),
    ("6.3", "low", [(CI, 291, 345)]),
]


@pytest.fixture(scope="module")
def report():
    return audit(TREE)


@pytest.mark.parametrize(("kind", "severity", "places"), EXPECTED, ids=[entry[0] for entry in EXPECTED])
def test_reports_each_of_the_21(report, kind, severity, places):
    found = [finding for finding in report.findings if finding.kind == kind]
    assert [finding.severity for finding in found] == [severity]
    for path, first, last in places:
        assert any(place.path == path and first <= place.line <= last for place in found[0].locations), (
            path,
            first,
            last,
            found[0].locations,
        )


def test_reports_nothing_else_of_high_severity(report):
    kinds = {entry[0] for entry in EXPECTED}
    assert [
        finding for finding in report.findings if finding.severity in ("critical", "high") and finding.kind not in kinds
    ] == []


def test_groups_the_ports_by_value(report):
    groups = next(finding for finding in report.findings if finding.kind == "1.1").by_value()
    assert set(groups) == {"2000", "3001", "8080"}


def test_reads_every_file(report):
    assert report.unread == ()
