"""A template of somebody else's: it may render text into the repository, and nothing more."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.conftest import Ran
from tests.integration.faults.conftest import refused, state
from trimtab.bounds import BoundError, bounded
from trimtab.engine import EngineError, Template

Program = Callable[..., Ran]
OURS = "template/project"


@pytest.fixture
def template(template_repo: Path, tmp_path: Path) -> Path:
    """A copy of our template, to be spoilt."""
    shutil.copytree(template_repo, tmp_path / "template", symlinks=True)
    return tmp_path / "template"


def publish(template: Path) -> None:
    """Commit what a test has spoilt, as version 2."""
    for command in (["add", "-A"], ["commit", "-q", "-m", "v2"], ["tag", "v2.0.0"]):
        subprocess.run(["git", *command], cwd=template, check=True, capture_output=True)


@pytest.fixture
def victim(shop: Path, template: Path) -> Path:
    """A repository that was made by version 1 of the template, and would move to version 2."""
    answers = shop / ".copier-answers.yml"
    data = yaml.safe_load(answers.read_text())
    text = answers.read_text().replace(f"_src_path: {data['_src_path']}", f"_src_path: {template}")
    answers.write_text(text.replace(f"_commit: {data['_commit']}", "_commit: v1.0.0"))
    subprocess.run(["git", "commit", "-q", "-a", "-m", "its template"], cwd=shop, check=True)
    return shop


def test_it_would_work_if_it_were_harmless(victim: Path, template: Path, trimtab: Program) -> None:
    (template / OURS / "new.txt").write_text("hello\n")
    publish(template)
    ran = trimtab("sync", victim)
    assert ran.code == 0, ran.err
    assert (victim / "new.txt").read_text() == "hello\n"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("_tasks", "['touch {owned}']"),
        ("_migrations", "[{{version: v2.0.0, command: 'touch {owned}'}}]"),
        ("_jinja_extensions", "['os.system']"),
    ],
)
def test_a_template_that_wants_programs_run_is_refused(
    key: str, value: str, victim: Path, template: Path, trimtab: Program
) -> None:
    owned = template.parent / "owned"
    with (template / "copier.yml").open("a") as file:
        file.write(f"\n{key}: {value.format(owned=owned)}\n")
    publish(template)
    before = state(victim)
    refused(trimtab("sync", victim), "wants to run programs", key)
    assert not owned.exists()
    assert state(victim) == before


SLASH = r"{{ '\u002f' }}"  # a file name may hold it where it is rendered only


@pytest.mark.parametrize(
    "name",
    [
        "{{ '..' }}/owned",
        f"..{SLASH}owned",
        f"a{SLASH}..{SLASH}..{SLASH}owned",
        f"{SLASH}tmp{SLASH}owned",
        "{{ '.git' }}/hooks/pre-commit",
        "{{ '.GIT' }}/config",
        "{{ 'git~1' }}/config",
        r"{{ '.g\u200cit' }}/config",
        "k8s/{{ '.git. ' }}/config",
        r"{{ '..\\owned' }}",
        r"{{ 'C:owned' }}",
    ],
)
def test_a_path_that_leaves_the_repository_is_refused(
    name: str, victim: Path, template: Path, trimtab: Program
) -> None:
    path = template / OURS / f"{name}.jinja"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("owned")
    publish(template)
    before = state(victim), state(victim / ".git" / "hooks")
    refused(trimtab("sync", victim), "is no place inside the repository")
    assert (state(victim), state(victim / ".git" / "hooks")) == before
    assert not (victim.parent / "owned").exists()


@pytest.mark.parametrize("target", ["/etc/passwd", "../../../secret"])
@pytest.mark.parametrize("name", ["passwd", "passwd.jinja"])
def test_a_link_in_a_template_brings_no_file_of_this_machine(
    name: str, target: str, victim: Path, template: Path, trimtab: Program
) -> None:
    (template / OURS / name).symlink_to(target)
    (template.parent / "secret").write_text("secret")
    publish(template)
    before = state(victim)
    refused(trimtab("sync", victim), "template ")
    assert state(victim) == before


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ self.__init__.__globals__ }}",
        "{% include '/etc/passwd' %}",
        "{% include '../../../../../../etc/passwd' %}",
        "{{ lipsum.__globals__.os.system('touch owned') }}",
        "{% for a in range(10 ** 9) %}x{% endfor %}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{{ 1 // 0 }}",
        "{{ [][1] }}",
    ],
)
def test_what_the_sandbox_forbids_is_one_line(source: str, victim: Path, template: Path, trimtab: Program) -> None:
    (template / OURS / "evil.txt.jinja").write_text(source)
    publish(template)
    before = state(victim)
    refused(trimtab("sync", victim), "evil.txt.jinja", "the template fails")
    assert state(victim) == before


def test_a_template_that_takes_too_much_is_stopped(template: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limits themselves, lowered for the test: time, then memory."""
    from trimtab import engine

    settings = yaml.safe_load((Path(__file__).parents[2] / "examples/minimal/trimtab.yml").read_text())
    evil = template / OURS / "evil.txt.jinja"
    monkeypatch.setattr(engine, "bounded", lambda: bounded(seconds=3))
    loop = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    evil.write_text(loop)
    with pytest.raises(EngineError, match="more than 3 s of processor time"):
        Template(template).render(settings, {})
    monkeypatch.setattr(engine, "bounded", lambda: bounded(size=2**28))
    evil.write_text("{{ 'x' * 10 ** 10 }}")
    if os.uname().sysname == "Linux":
        with pytest.raises(EngineError, match="more than 256 MiB of memory"):
            Template(template).render(settings, {})
    evil.unlink()
    assert Template(template).render(settings, {})
    with pytest.raises(BoundError), bounded(seconds=0.05):
        while True:
            pass
