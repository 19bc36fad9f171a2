"""What must hold for any repository at all: the audit ends soon, and each report says only what is there, unbroken."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from trimtab.audit import baseline
from trimtab.audit.engine import Report, audit_repo
from trimtab.audit.report import render
from trimtab.repo import Repo

SECONDS = 3.0
_ANNOTATION = re.compile(r"::(?:error|warning|notice) (?:file=[^,:\n]+,line=\d+,)?title=[^:,\n]+::[^\n]+")


class TooSlowError(AssertionError):
    """The time is up."""


@contextmanager
def time_limit(seconds: float = SECONDS) -> Iterator[None]:
    """Fail after that much of this process's own time, so that a machine that is busy with others fails nothing."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise TooSlowError(f"more than {seconds} s")

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def check(files: dict[str, bytes]) -> Report:
    """Audit a tree of these files and hold the report against them."""
    with time_limit():
        repo = Repo.from_texts(files)
        report = audit_repo(repo)
        for finding in report.findings:
            assert finding.locations, finding
            for place in finding.locations:
                assert repo.exists(place.path), place
                assert place.line <= len((repo.read(place.path) or "").split("\n")), place
        _json(report)
        _sarif(report)
        _text(render(report, "text"))
        lines = render(report, "github").split("\n")
        assert lines.pop() == ""
        assert len(lines) == len(report.findings) + len(report.unread) + len(report.warnings)
        assert all(_ANNOTATION.fullmatch(line) for line in lines), lines
        _markdown(report)
        json.loads(baseline.dump(report))
    return report


def _json(report: Report) -> None:
    body = json.loads(render(report, "json"))
    assert len(body["findings"]) == len(report.findings)
    assert len({one["fingerprint"] for one in body["findings"]}) == len(report.findings)


def _sarif(report: Report) -> None:
    raw = render(report, "sarif")
    raw.encode()
    for result in json.loads(raw)["runs"][0]["results"]:
        for place in result["locations"]:
            uri = place["physicalLocation"]["artifactLocation"]["uri"]
            assert re.fullmatch(r"(?:[\w.~/!$&'()*+,;=@-]|%[0-9A-F]{2})+", uri, re.ASCII), uri


def _text(text: str) -> None:
    text.encode()
    assert all(char == "\n" or char.isprintable() for char in text)


def _markdown(report: Report) -> None:
    text = render(report, "markdown")
    text.encode()
    assert text.count("\n#### ") == len(report.findings)
