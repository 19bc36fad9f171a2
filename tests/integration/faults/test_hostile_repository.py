"""A repository of somebody else's: no command of Trimtab runs a program that it names, or reads what it points at."""

from __future__ import annotations

import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Ran
from tests.integration.faults.conftest import CHANGED, refused, state

Program = Callable[..., Ran]


def poison(root: Path) -> Path:
    """Let git's configuration, hooks and attributes run a program that leaves a mark; returns the mark's path."""
    owned = root.parent / "owned"
    program = root.parent / "evil"
    program.write_text(f"#!/bin/sh\ntouch {owned}\ncat\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    hooks = root / ".git" / "hooks"
    hooks.mkdir(exist_ok=True)
    names = ["post-index-change", "fsmonitor-watchman", "post-checkout", "reference-transaction", "pre-commit"]
    for name in names:
        (hooks / name).write_bytes(program.read_bytes())
        (hooks / name).chmod(0o755)
    for key in (
        *(
            "core.fsmonitor",
            "core.pager",
            "core.editor",
            "core.sshCommand",
            "core.askPass",
            "core.alternateRefsCommand",
        ),
        *("diff.external", "diff.evil.textconv", "diff.evil.command", "merge.evil.driver", "gpg.program"),
        *("filter.evil.clean", "filter.evil.smudge", "filter.evil.process", "filter.a=b.clean", "filter.a=b.smudge"),
        *("credential.helper", "uploadpack.packObjectsHook", "sequence.editor", "alias.status", "alias.archive"),
    ):
        subprocess.run(["git", "config", key, f"!{program}" if "alias" in key else str(program)], cwd=root, check=True)
    subprocess.run(["git", "config", "filter.evil.required", "true"], cwd=root, check=True)
    (root / ".git" / "info").mkdir(exist_ok=True)
    (root / ".git/info/attributes").write_text(
        "*.yml filter=evil diff=evil merge=evil\n* filter=evil\n*.md filter=a=b\n"
    )
    return owned


def test_the_trap_works(shop: Path) -> None:
    """Plain git falls into it, so that what follows says something."""
    owned = poison(shop)
    (shop / "docker-compose.yml").touch()
    subprocess.run(["git", "status"], cwd=shop, capture_output=True, check=False)
    assert owned.exists()


@pytest.mark.parametrize(
    "arguments",
    [
        *(["sync"], ["sync", "--dry-run"], ["check"], ["diff"], ["env"], ["init", "--force"], ["audit"], ["adopt"]),
        ["adopt", "--generate"],
    ],
    ids=" ".join,
)
def test_no_program_of_the_repository_is_run(arguments: list[str], shop: Path, trimtab: Program) -> None:
    compose = shop / "docker-compose.yml"
    compose.write_text(compose.read_text().replace("max-size", "max-size"))  # a new time: git must look at it again
    owned = poison(shop)
    if arguments[0] == "adopt":
        (shop / "trimtab.yml").unlink()
        (shop / ".copier-answers.yml").unlink()
    trimtab(arguments[0], shop, *arguments[1:])
    assert not owned.exists()


def test_no_program_of_a_template_repository_is_run(
    shop: Path, template_repo: Path, tmp_path: Path, trimtab: Program
) -> None:
    import shutil

    import yaml

    template = tmp_path / "template"
    shutil.copytree(template_repo, template)
    (template / "copier.yml").touch()
    answers = shop / ".copier-answers.yml"
    data = yaml.safe_load(answers.read_text())
    text = answers.read_text().replace(f"_src_path: {data['_src_path']}", f"_src_path: {template}")
    answers.write_text(text.replace(f"_commit: {data['_commit']}", "_commit: v1.0.0"))
    subprocess.run(["git", "commit", "-q", "-a", "-m", "its template"], cwd=shop, check=True)
    owned = poison(template)
    (tmp_path / "cache").mkdir()
    ran = trimtab("sync", shop)
    assert ran.code == 0, ran.err
    assert not owned.exists()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("_src_path: ", "_src_path: /etc # "),
        ("_src_path: ", "_src_path: ../.. # "),
        ("_src_path: ", "_src_path: [a, b] # "),
        ("_src_path: ", "_src_path: 7 # "),
        ("_src_path: ", "_src_path: ext::sh -c 'touch owned' # "),
        ("_src_path: ", "_src_path: --upload-pack=touch # "),
        ("_src_path: ", "_src_path: ssh://-oProxyCommand=touch/x # "),
        ("_commit: ", "_commit: --output=owned # "),
        ("_commit: ", "_commit: [x] # "),
        ("_commit: ", "_commit: '$(touch owned)' # "),
        ("applied:", "evil: !!python/object/apply:os.system ['touch owned']\napplied:"),
        ("applied:", "applied: 7\nother:"),
        ("applied:", "a: &a [x]\nb: [*a, *a]\napplied:"),
        ("    api:", "    ../../owned:"),
        ("framework: express", "framework: ../../../../etc/passwd"),
        ("framework: express", "framework: nonsense"),
    ],
)
def test_an_edited_answers_file_is_one_line(old: str, new: str, shop: Path, trimtab: Program) -> None:
    answers = shop / ".copier-answers.yml"
    text = answers.read_text()
    assert old in text, text
    answers.write_text(text.replace(old, new, 1))
    subprocess.run(["git", "commit", "-q", "-a", "-m", "edited"], cwd=shop, check=True)
    before = state(shop)
    for command in ("check", "sync", "diff"):
        refused(trimtab(command, shop))
    assert state(shop) == before
    assert not list(shop.parent.rglob("owned"))


def test_settings_that_are_a_link_show_nothing_of_their_target(shop: Path, trimtab: Program) -> None:
    (shop / "trimtab.yml").unlink()
    (shop / "trimtab.yml").symlink_to("/etc/passwd")
    for command in ("check", "sync", "diff", "env"):
        ran = trimtab(command, shop)
        refused(ran, "is a symbolic link")
        assert "root" not in ran.err


def test_a_repository_whose_work_tree_is_elsewhere_stays_in_its_folder(shop: Path, trimtab: Program) -> None:
    elsewhere = shop.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "notes").write_text("mine")
    subprocess.run(["git", "config", "core.worktree", str(elsewhere)], cwd=shop, check=True)
    trimtab("sync", shop)
    assert state(elsewhere).keys() == {"notes"}
    assert "4567" in (shop / "docker-compose.yml").read_text() or (shop / "trimtab.yml").read_text() == CHANGED
