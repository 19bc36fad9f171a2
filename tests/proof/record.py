"""A pytest plugin: counts what ran, per test; `--proof FILE` keeps that with the engines' versions and figures.

A test tells a figure by `record_property(name, value)`. Live tests are counted at the end, and where
TRIMTAB_LIVE_REQUIRED is set a skipped one fails the run.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

_LIVE = "tests/live/"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--proof", metavar="FILE", help="keep what ran, for `make proof`")


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):  # under xdist, only the process that hears of every test
        config.pluginmanager.register(Recorder(config.getoption("--proof")), "trimtab-proof")


class Recorder:
    """Hears of every test, in this process or in a worker."""

    def __init__(self, file: str | None) -> None:
        self.file = file
        self.outcomes: dict[str, Counter[str]] = {}
        self.skips: dict[str, str] = {}
        self.figures: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when != "call" and report.outcome == "passed":
            return
        test = report.nodeid.partition("[")[0]
        self.outcomes.setdefault(test, Counter())[report.outcome] += 1
        self.figures |= {str(name): str(value) for name, value in report.user_properties}
        if report.skipped and isinstance(report.longrepr, tuple):
            self.skips[test] = report.longrepr[2].removeprefix("Skipped: ")

    @property
    def live(self) -> Counter[str]:
        """How many live tests passed, failed and were skipped."""
        return sum((c for test, c in self.outcomes.items() if test.startswith(_LIVE)), Counter())

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if os.environ.get("TRIMTAB_LIVE_REQUIRED") and self.live["skipped"] and session.exitstatus == 0:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        if self.file:
            self.write(Path(self.file))

    def write(self, file: Path) -> None:
        """Keep what was heard."""
        from tests.proof import engines

        content: dict[str, Any] = {
            "system": engines.system(),
            "engines": engines.versions(),
            "figures": dict(sorted(self.figures.items())),
            "tests": {test: dict(sorted(count.items())) for test, count in sorted(self.outcomes.items())},
            "skips": dict(sorted(self.skips.items())),
        }
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        live = self.live
        if live:
            ran = live["passed"] + live["failed"]
            required = ", and none may be skipped here" if os.environ.get("TRIMTAB_LIVE_REQUIRED") else ""
            terminalreporter.write_line(f"live: {ran} ran, {live['skipped']} skipped{required}")
