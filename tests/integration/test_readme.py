"""What the README says in words, done as it says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.conftest import EXAMPLES, ROOT, Ran
from tests.proof.readme import README, statements
from trimtab.pipeline import render

Program = Callable[..., Ran]
TEXT = README.read_text(encoding="utf-8")
COMMANDS = sorted(
    {c for s in statements(TEXT) if s.startswith("`trimtab ") for c in re.findall(r"`trimtab ([\w-]+)", s)}
)
MARK = 3  # lines within which a generated file says so: a script begins with its interpreter, JSON with a brace


def eight_lines() -> str:
    found = re.search(r"\$ cat > trimtab\.yml\n(.*?)\n\$ ", TEXT, re.DOTALL)
    assert found
    return found.group(1) + "\n"


def test_the_example_is_eight_lines_that_generate_a_clean_platform(tmp_path: Path, trimtab: Program) -> None:
    assert len(eight_lines().splitlines()) == 8
    (tmp_path / "trimtab.yml").write_text(eight_lines())
    ran = trimtab("init", ".")
    assert ran.code == 0, ran.err
    assert trimtab("check").code == 0
    for path in (
        *("docker-compose.yml", "infrastructure/docker/Dockerfile.api", "infrastructure/docker/Dockerfile.web"),
        *(".env.example", "k8s/base/kustomization.yaml", ".github/workflows/ci-cd.yml", "docs/deployment.md"),
    ):
        assert (tmp_path / path).is_file(), path


@pytest.mark.parametrize(("arguments", "stdin"), [(["--defaults"], ""), ([], "\n" * 20)], ids=["defaults", "questions"])
def test_init_without_settings(arguments: list[str], stdin: str, tmp_path: Path, trimtab: Program) -> None:
    ran = trimtab("init", "shop", *arguments, stdin=stdin)
    assert ran.code == 0, ran.err
    assert yaml.safe_load((tmp_path / "shop/trimtab.yml").read_text())["name"] == "shop"
    assert trimtab("check", "shop").code == 0


def test_the_table_names_every_command(trimtab: Program) -> None:
    offered = trimtab("--help").out
    assert set(COMMANDS) == set(re.findall(r"^  ([a-z][a-z-]+)  ", offered, re.MULTILINE))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_of_the_table_has_help(command: str, trimtab: Program) -> None:
    ran = trimtab(command, "--help")
    assert ran.code == 0
    assert f"Example: trimtab {command}" in ran.out


def test_a_fault_of_ours_exits_3() -> None:
    script = (
        "import sys; from trimtab import cli, pipeline\n"
        "def broken(root): raise RuntimeError('a bug')\n"
        "pipeline.open_repository = broken\n"
        "sys.argv = ['trimtab', 'check']; cli.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT / "generator")},
    )
    assert done.returncode == 3
    assert done.stderr.startswith("trimtab: internal fault: RuntimeError: a bug\n")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda p: p.name)
def test_every_generated_file_says_so_at_its_top(example: Path) -> None:
    for path, file in render(example / "trimtab.yml").items():
        if not file.once:
            assert b"Trimtab" in b"\n".join(file.content.split(b"\n")[:MARK]), path


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda p: p.name)
def test_the_places_of_the_user_are_never_written(example: Path) -> None:
    for path in render(example / "trimtab.yml"):
        assert path != "docker-compose.override.yml"
        assert not path.startswith(".github/actions/")
        assert not re.match(r"k8s/overlays/[^/]+/patches/", path)
