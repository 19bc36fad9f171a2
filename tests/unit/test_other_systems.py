"""What Windows and macOS do otherwise, simulated on Linux. Nothing here ran on either system."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest

from tests.conftest import EXAMPLES, ROOT, Ran
from trimtab import output
from trimtab.errors import TrimtabError
from trimtab.frameworks import Frameworks
from trimtab.output import Folder, compare
from trimtab.pipeline import render
from trimtab.settings.load import SettingsError, parse_settings
from trimtab.transaction import TransactionError, target_of
from trimtab.tree import File

Program = Callable[..., Ran]
MINIMAL = ROOT / "tests/examples/minimal/trimtab.yml"
DEVICES = ("CON", "PRN", "AUX", "NUL", *(f"{p}{n}" for p in ("COM", "LPT") for n in range(10)))
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "generator")}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda p: p.name)
def test_every_path_can_be_a_path_of_windows_and_of_macos(example: Path) -> None:
    paths = list(render(example / "trimtab.yml"))
    for path in paths:
        for part in PurePosixPath(path).parts:
            assert not re.search(r'[<>:"\\|?*\x00-\x1f]', part), path
            assert not part.endswith((".", " ")), path
            assert part.split(".")[0].upper() not in DEVICES, path
            assert unicodedata.normalize("NFD", part) == part, path  # macOS may store names decomposed
        assert len(path) < 200, path  # a checkout at C:\Users\somebody\projects leaves about that of 260
        assert PureWindowsPath(path).as_posix() == path
    assert len({p.casefold() for p in paths}) == len(paths), "two paths differ in case only"


@pytest.mark.parametrize("word", ["con", "nul", "com1", "lpt9", "null", "yes", "off"])
def test_names_that_cannot_be_files_are_refused(word: str) -> None:
    text = MINIMAL.read_text()
    for old in ("  api:", "  production:"):
        with pytest.raises(SettingsError, match="choose another name"):
            parse_settings(text.replace(old, f'  "{word}":').encode(), Frameworks(ROOT))


def test_names_that_differ_in_case_only_are_refused() -> None:
    with pytest.raises(SettingsError, match="Api"):
        parse_settings(
            MINIMAL.read_text().replace("  api:", "  Api: { framework: vite }\n  api:").encode(), Frameworks(ROOT)
        )


def test_a_path_of_windows_leads_nowhere_else(tmp_path: Path) -> None:
    for path in ("..\\owned", "C:\\owned", "C:owned", "\\\\host\\share", "a/..\\..\\owned", "file:stream"):
        with pytest.raises(TransactionError):
            target_of(tmp_path, path)


def test_a_checkout_with_carriage_returns_is_no_drift_and_stays_so(
    tmp_path: Path, trimtab: Program, git: Callable[..., str]
) -> None:
    root = tmp_path / "shop"
    assert trimtab("init", root, "--settings", MINIMAL).code == 0
    git(root, "init", "-q")
    git(root, "config", "core.autocrlf", "true")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "all")
    for path in git(root, "ls-files").splitlines():
        (root / path).unlink()
    git(root, "checkout", "--", ".")
    assert b"\r\n" in (root / "docker-compose.yml").read_bytes()
    assert git(root, "status", "--porcelain") == ""
    checked = trimtab("check", root)
    assert checked.code == 0, checked.out
    compose = root / "docker-compose.yml"
    compose.write_bytes(compose.read_bytes() + b"# mine\r\n")
    settings = root / "trimtab.yml"
    settings.write_bytes(settings.read_bytes().replace(b"framework: fastapi", b"framework: fastapi, port: 4321"))
    git(root, "commit", "-qam", "edited")
    ran = trimtab("sync", root)
    assert ran.code == 0, ran.out + ran.err
    assert compose.read_bytes().endswith(b"# mine\r\n")
    assert b"4321" in compose.read_bytes()
    assert compose.read_bytes().count(b"\n") == compose.read_bytes().count(b"\r\n"), "line ends are mixed"
    assert trimtab("check", root, "--allow-hand-edits").code == 0


def test_a_missing_executable_bit_is_no_drift_on_windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = {"run.sh": File(b"#!/bin/sh\n", executable=True)}
    (tmp_path / "run.sh").write_bytes(b"#!/bin/sh\n")
    assert [f.state for f in compare(Folder(tmp_path), tree, tree)] != ["ok"]
    monkeypatch.setattr(output, "_NO_MODES", True)
    assert [f.state for f in compare(Folder(tmp_path), tree, tree)] == ["ok"]


LACKING = """\
import sys
for name in {missing!r}:
    sys.modules[name] = None  # importing it raises ImportError
import os, signal
for name in ("fork", "geteuid", "symlink", "chown", "mkfifo", "O_NONBLOCK", "O_NOFOLLOW"):
    if hasattr(os, name): delattr(os, name)
for name in ("setitimer", "SIGALRM", "SIGVTALRM", "ITIMER_VIRTUAL"):
    if hasattr(signal, name): delattr(signal, name)
sys.argv = ["trimtab", *sys.argv[1:]]
from trimtab.cli import main
main()
"""


def test_what_windows_lacks_is_not_needed(tmp_path: Path) -> None:
    script = LACKING.format(missing=["fcntl", "resource", "pwd", "grp", "termios"])
    for arguments, code in (
        (["init", "shop", "--settings", str(MINIMAL)], 0),
        (["check", "shop"], 0),
        (["sync", "shop"], 0),
        (["env", "shop"], 0),
        (["audit", "shop", "--fail-on", "never"], 0),
        (["adopt", "shop", "--out", "proposed.yml"], 0),
    ):
        done = subprocess.run(
            [sys.executable, "-c", script, *arguments],
            cwd=tmp_path, capture_output=True, text=True, check=False, env=ENVIRONMENT,
        )  # fmt: skip
        assert done.returncode == code, (arguments, done.stderr)


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "cp437"])
def test_other_encodings_change_no_file_and_break_no_message(encoding: str, tmp_path: Path) -> None:
    text = MINIMAL.read_text().replace("framework: fastapi", "framework: fastapi, env: { NOTE: 漢é😀 }")
    (tmp_path / "trimtab.yml").write_text(text, encoding="utf-8")
    environment = {
        **ENVIRONMENT,
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
        "LC_ALL": "C",
        "PYTHONIOENCODING": encoding,
    }

    def run(*arguments: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [sys.executable, "-m", "trimtab", *arguments],
            cwd=tmp_path, capture_output=True, check=False, env=environment,
        )  # fmt: skip

    assert run("init", ".").returncode == 0
    for path, file in render(tmp_path / "trimtab.yml").items():
        if path != ".copier-answers.yml":
            assert (tmp_path / path).read_bytes() == file.content, path
            assert b"\r" not in file.content, path
    compose = tmp_path / "docker-compose.yml"
    compose.write_bytes(compose.read_bytes().replace("漢".encode(), "字".encode()))
    shown = run("diff", ".")
    assert shown.returncode == 1, shown.stderr
    assert b"docker-compose.yml" in shown.stdout
    for arguments in (
        ["check"],
        ["sync", "--dry-run"],
        ["audit", "."],
        ["adopt", "."],
        ["render", "docker-compose.yml"],
    ):
        done = run(*arguments)
        assert done.returncode in (0, 1), (arguments, done.stderr)
        assert b"internal fault" not in done.stderr, (arguments, done.stderr)
    (tmp_path / "trimtab.yml").write_text(text.replace("fastapi,", "漢,"), encoding="utf-8")
    wrong = run("check")
    assert wrong.returncode == 2, wrong.stderr
    assert b"is not a framework" in wrong.stderr


def test_a_folder_behind_a_link_works(tmp_path: Path, trimtab: Program, git: Callable[..., str]) -> None:
    """As /tmp is on macOS, a link to /private/tmp."""
    (tmp_path / "private").mkdir()
    (tmp_path / "tmp").symlink_to(tmp_path / "private")
    root = tmp_path / "tmp" / "shop"
    assert trimtab("init", root, "--settings", MINIMAL).code == 0
    git(root, "init", "-q")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "all")
    for command in ("check", "sync", "env"):
        ran = trimtab(command, root)
        assert ran.code == 0, ran.err


def test_a_file_that_another_program_holds_open_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows refuses to replace an open file: the run says so, and the next one resumes."""
    real = Path.replace

    def held(self: Path, target: Path) -> Path:
        if Path(target).name == "b":
            raise PermissionError(13, "The process cannot access the file", str(self), None, str(target))
        return real(self, target)

    changes = {name: File(b"new") for name in "abc"}
    (tmp_path / "b").write_bytes(b"old")
    monkeypatch.setattr(Path, "replace", held)
    with pytest.raises(TrimtabError, match=r"b: cannot be replaced: .*it resumes"):
        Folder(tmp_path).write(changes)
    monkeypatch.setattr(Path, "replace", real)
    from trimtab.transaction import recover

    recover(tmp_path)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == dict.fromkeys("abc", b"new")
