"""SIGINT and SIGTERM at any moment: exit code 130, and a tree that is before or after. Two runs at once."""

from __future__ import annotations

import fcntl
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import ROOT, Ran
from tests.integration.faults.conftest import refused, state
from trimtab.transaction import JOURNAL

Program = Callable[..., Ran]
TRIES = 12  # of each signal
COMMAND = [sys.executable, "-m", "trimtab", "sync"]


def start(root: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, str(root)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "generator")},
        # A shell starts what runs in its background with SIGINT ignored, and that is inherited.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no thread runs here
    )


def interrupt(root: Path, number: signal.Signals, delay: float) -> tuple[int, str]:
    """Send a signal a moment after the first write; what the program exits with, and what it says."""
    process = start(root)
    while not (root / JOURNAL).exists() and process.poll() is None:
        time.sleep(0.0002)
    time.sleep(delay)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    return process.returncode, said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_leaves_the_tree_before_or_after(
    number: signal.Signals, shop: Path, tmp_path: Path, trimtab: Program, record_property: Callable[..., None]
) -> None:
    before = state(shop)
    done = tmp_path / "done"
    shutil.copytree(shop, done, symlinks=True)
    assert trimtab("sync", done).code == 0
    after = state(done)
    choose, interrupted = random.Random(number), 0
    for run in range(TRIES):
        root = tmp_path / f"run-{run}"
        shutil.copytree(shop, root, symlinks=True)
        code, said = interrupt(root, number, choose.uniform(0, 0.01))
        # -number: the work was done, and Python's own end, which gives signals back to the system, was interrupted.
        assert code in (130, 0, -number), said
        assert not said
        interrupted += code == 130
        assert state(root) == (before if code == 130 and state(root) == before else after)
        assert not (root / JOURNAL).exists()
        shutil.rmtree(root)
    record_property(f"{number.name} in the middle of sync", f"{TRIES} sent, {interrupted} interrupted it")
    assert interrupted


def test_an_interruption_while_it_works_things_out_changes_nothing(shop: Path) -> None:
    before = state(shop)
    process = start(shop)
    time.sleep(0.05)  # before the first write, and perhaps before Python has begun
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode in (130, -signal.SIGTERM, 0)
    assert process.returncode == 0 or state(shop) == before


def test_a_second_run_is_refused_while_one_holds_the_repository(shop: Path, trimtab: Program) -> None:
    before = state(shop)
    handle = os.open(shop, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        for command in (["sync", shop], ["init", shop, "--force"], ["env", shop]):
            refused(trimtab(*command), "another trimtab is at work here")
        assert trimtab("check", shop).code == 1  # which only reads
    finally:
        os.close(handle)
    assert state(shop) == before
    assert trimtab("sync", shop).code == 0


def test_of_two_runs_at_once_the_result_is_that_of_one(shop: Path, tmp_path: Path, trimtab: Program) -> None:
    done = tmp_path / "done"
    shutil.copytree(shop, done, symlinks=True)
    assert trimtab("sync", done).code == 0
    for run in range(4):
        root = tmp_path / f"run-{run}"
        shutil.copytree(shop, root, symlinks=True)
        both = [start(root), start(root)]
        said = [process.communicate(timeout=60)[1] for process in both]
        codes = sorted(process.returncode for process in both)
        assert codes in ([0, 0], [0, 2]), said
        assert codes == [0, 0] or any("another trimtab is at work here" in text for text in said)
        assert state(root) == state(done)
