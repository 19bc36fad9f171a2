"""Whole commands killed by SIGKILL at random moments: the tree is before or after, and nobody's file is lost.

A command runs in a fork of this process, from its arguments on, so that 500 of them take no minutes of imports. Most
are killed while they write; `landed` proves that.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import ROOT, Ran
from trimtab.transaction import JOURNAL, recover

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

KILLS = {"init": 300, "sync": 100, "adopt": 100}  # most where a run is short
SETTINGS = """\
version: 1
name: shop
registry: ghcr.io/acme
services:
  api: { framework: express }
  web: { framework: vite }
environments:
  production: { host: shop.example.com }
"""
SOURCES = {
    "api/package.json": json.dumps(
        {"name": "api", "scripts": {"start": "node i.js"}, "dependencies": {"express": "5"}}
    ),
    "api/package-lock.json": '{"lockfileVersion": 3}',
    "api/i.js": "const app = require('express')();\napp.listen(process.env.PORT || 3000);\n",
    "web/package.json": json.dumps(
        {"name": "web", "scripts": {"build": "vite build"}, "devDependencies": {"vite": "8"}}
    ),
    "docker-compose.yml": "services:\n  api:\n    build: ./api\n    ports: ['3000:3000']\n  web:\n    build: ./web\n",
    "notes.txt": "mine\n",
}
Files = dict[str, bytes]


def files_of(root: Path) -> Files:
    """Every file but git's and the journal's."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and not {".git", JOURNAL} & set(path.relative_to(root).parts)
    }


def commit(root: Path) -> None:
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "all"]):
        subprocess.run(["git", *command], cwd=root, check=True)


def start(arguments: list[str]) -> int:
    """The command in a process of its own; returns its id."""
    child = os.fork()
    if child:
        return child
    code = 70
    try:
        silence = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(silence, stream)
        sys.argv = ["trimtab", *arguments]
        from trimtab.cli import main

        main()
        code = 0
    except SystemExit as exit_:
        code = int(exit_.code or 0)
    finally:
        os._exit(code)


def run_here(arguments: list[str]) -> None:
    """The command in this process, so that what it imports is there for every fork."""
    from trimtab.cli import main

    sys.argv = ["trimtab", *arguments]
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    with pytest.raises(SystemExit) as exit_:
        main()
    for number, handler in handlers.items():
        signal.signal(number, handler)
    assert not exit_.value.code


def wait(child: int) -> int:
    """The exit code, or minus the signal."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@dataclass
class Case:
    """A command, the repository that it changes, and what that comes to when nothing interferes."""

    arguments: list[str]
    pristine: Path
    before: Files
    after: Files
    window: float


@pytest.fixture(params=["init", "sync", "adopt"])
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Case:
    pristine = tmp_path / "pristine" / "shop"  # adopt takes the name of the folder
    pristine.mkdir(parents=True)
    if request.param == "adopt":
        for name, text in SOURCES.items():
            (pristine / name).parent.mkdir(exist_ok=True)
            (pristine / name).write_text(text)
        arguments = ["adopt", "--generate"]
    else:
        (pristine / "trimtab.yml").write_text(SETTINGS)
        (pristine / "notes.txt").write_text("mine\n")
        arguments = [request.param]
    if request.param == "sync":
        assert wait(start(["init", str(pristine)])) == 0
        compose = pristine / "docker-compose.yml"
        compose.write_text(compose.read_text().replace("max-size: 10m", "max-size: 25m"))
        (pristine / "trimtab.yml").write_text(
            SETTINGS.replace("{ framework: express }", "{ framework: express, port: 3456 }").replace("web:", "site:")
        )
    commit(pristine)
    (pristine / "untracked.txt").write_text("mine too\n")

    warm, done = tmp_path / "warm" / "shop", tmp_path / "done" / "shop"
    shutil.copytree(pristine, warm)
    run_here([*arguments, str(warm)])
    shutil.copytree(pristine, done)
    child, began = start([*arguments, str(done)]), 0.0
    while os.waitpid(child, os.WNOHANG) == (0, 0):
        began = began or (time.perf_counter() if (done / JOURNAL).exists() else 0.0)
    assert began, "the command has written nothing"
    window = time.perf_counter() - began
    before, after = files_of(pristine), files_of(done)
    assert before != after
    return Case(arguments, pristine, before, after, window)


def kill(case: Case, root: Path, choose: random.Random, child: int) -> bool:
    """Kill the command a moment after its first write; returns whether it was still at work."""
    while not (root / JOURNAL).exists():
        if os.waitpid(child, os.WNOHANG) != (0, 0):
            return False
        time.sleep(0.0002)
    until = time.perf_counter() + choose.uniform(0, case.window)
    while time.perf_counter() < until:
        pass
    os.kill(child, signal.SIGKILL)
    return wait(child) == -signal.SIGKILL


def test_killed_commands_leave_the_tree_before_or_after(
    case: Case, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    choose = random.Random(" ".join(case.arguments))
    landed, kills = 0, KILLS[case.arguments[0]]
    outcomes = {"before": 0, "completed": 0, "after": 0}
    for number in range(kills):
        root = tmp_path / f"run-{number}" / "shop"
        shutil.copytree(case.pristine, root, symlinks=True)
        landed += kill(case, root, choose, start([*case.arguments, str(root)]))
        for path, content in files_of(root).items():
            assert content in (case.before.get(path), case.after.get(path)), f"{path} is half-written"
        cut_off = files_of(root)
        recover(root)
        found = files_of(root)
        assert found in (case.before, case.after), sorted(set(found) ^ set(case.after))
        assert not (root / JOURNAL).exists()
        outcomes["before" if found == case.before else "after" if found == cut_off else "completed"] += 1
        assert told_by_git(root) == {
            path for path in case.before.keys() | found if case.before.get(path) != found.get(path)
        } | {"untracked.txt"}
        shutil.rmtree(root)
    record_property(f"kills of {case.arguments[0]}", f"{kills}, {landed} of them while it wrote: {outcomes}")
    assert landed > kills / 4, "too few kills came while the command was writing"
    assert min(outcomes["before"], outcomes["completed"]) > 0, outcomes


def told_by_git(root: Path) -> set[str]:
    done = subprocess.run(
        ["git", "status", "--porcelain", "-z", "--untracked-files=all", "--no-renames"],
        cwd=root, check=True, capture_output=True, text=True,
    )  # fmt: skip
    return {entry[3:] for entry in done.stdout.split("\0") if entry}


def test_the_next_command_says_so_and_sync_completes_what_was_decided(
    tmp_path: Path, trimtab: Callable[..., Ran]
) -> None:
    """As its user sees it, in processes started anew."""
    shutil.copy(ROOT / "tests/examples/minimal/trimtab.yml", tmp_path)
    assert trimtab("init", tmp_path).code == 0
    expected = files_of(tmp_path)
    # What a kill between two renames leaves: a decided change, of which one file has yet to be moved.
    journal = tmp_path / JOURNAL
    journal.mkdir()
    (tmp_path / "docker-compose.yml").rename(journal / "0")
    (journal / "manifest.json").write_text('[["docker-compose.yml", "0"]]')
    told = trimtab("check", tmp_path)
    assert (told.code, "cut off" in told.err, "trimtab sync" in told.err) == (2, True, True)
    assert trimtab("sync", tmp_path).code == 0
    assert files_of(tmp_path) == expected
