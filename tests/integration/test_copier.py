"""Copier and the engine: the same bytes; and the same resync after settings, template and hands have all changed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.conftest import EXAMPLES, Ran
from trimtab.engine import Template

Git = Callable[..., str]
Program = Callable[..., Ran]


def copier(*arguments: object, cwd: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "copier", *map(str, arguments)], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def files_of(folder: Path) -> dict[str, tuple[bytes, bool]]:
    found = {}
    for path in folder.rglob("*"):
        relative = path.relative_to(folder).as_posix()
        if path.is_file() and not relative.startswith(".git/"):
            found[relative] = (path.read_bytes(), os.access(path, os.X_OK))
    return found


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda p: p.name)
def test_copier_copy_and_the_engine_give_the_same_bytes(example: Path, template_repo: Path, tmp_path: Path) -> None:
    shutil.copy(example / "trimtab.yml", tmp_path)
    copier("copy", "--defaults", "--quiet", template_repo, ".", cwd=tmp_path)
    raw = (example / "trimtab.yml").read_bytes()
    answers = {"_commit": "v1.0.0", "_src_path": str(template_repo)}
    tree = Template(template_repo).render(yaml.safe_load(raw), answers, raw)
    assert files_of(tmp_path) == {path: (file.content, file.executable) for path, file in tree.items()}
    assert not [path for path in tmp_path.rglob("*") if path.is_dir() and not any(path.iterdir())]


def test_a_template_by_a_relative_path_is_found_from_anywhere(
    template_repo: Path, tmp_path: Path, git: Git, trimtab: Program
) -> None:
    shutil.copytree(template_repo, tmp_path / "all/template")
    for place, recorded in (("all/inside", "../template"), ("all/beside", "template")):
        repository = tmp_path / place
        repository.mkdir()
        (repository / "trimtab.yml").write_text(SETTINGS)
        inside = recorded.startswith("..")
        copier(
            *("copy", "--defaults", "--quiet", recorded, "." if inside else repository.name),
            cwd=repository if inside else repository.parent,
        )
        assert f"_src_path: {recorded}\n" in (repository / ".copier-answers.yml").read_text()
        for folder in (tmp_path, repository):
            checked = trimtab("check", repository, cwd=folder)
            assert checked.code == 0, checked.out + checked.err
        assert trimtab("sync", repository).code == 0
        assert f"_src_path: {tmp_path / 'all/template'}\n" in (repository / ".copier-answers.yml").read_text()
        git(repository, "init", "-q")
        git(repository, "add", "-A")
        git(repository, "commit", "-qm", "synced")
        copier("update", "--defaults", cwd=repository)
        assert git(repository, "status", "--porcelain") == ""


def test_copier_copy_without_settings_writes_a_starter(template_repo: Path, tmp_path: Path, trimtab: Program) -> None:
    copier("copy", "--defaults", "--quiet", "-d", "platform=demo", template_repo, "demo", cwd=tmp_path)
    starter = (tmp_path / "demo" / "trimtab.yml").read_text()
    assert starter.startswith("# yaml-language-server: $schema=https://")
    again = tmp_path / "again"
    again.mkdir()
    (again / "trimtab.yml").write_text(starter)
    copier("copy", "--defaults", "--quiet", template_repo, ".", cwd=again)
    assert files_of(again) == files_of(tmp_path / "demo")
    assert trimtab("check", again).code == 0


def test_copier_refuses_a_version_that_yaml_has_changed(template_repo: Path, tmp_path: Path) -> None:
    text = (EXAMPLES[0].parent / "platform" / "trimtab.yml").read_text().replace('"8.10"', "8.10")
    (tmp_path / "trimtab.yml").write_text(text)
    with pytest.raises(AssertionError, match=r"datastores\.redis\.version must be quoted"):
        copier("copy", "--defaults", "--quiet", template_repo, ".", cwd=tmp_path)


SETTINGS = """\
version: 1
name: shop
registry: ghcr.io/acme
services:
  api: { framework: fastapi, port: 2000, uses: [postgres, redis], migrations: alembic, secrets: [JWT_SECRET] }
  jobs: { framework: express, uses: [postgres] }
  web: { framework: vite, public_env: { VITE_API_URL: /api } }
datastores: { postgres: {}, redis: {} }
environments:
  local: {}
  production: { host: shop.example.com }
"""
HAND = "# kept by hand\n"
EDITED = ["docker-compose.yml", "infrastructure/docker/Dockerfile.api", "infrastructure/docker/Dockerfile.web"]
NEW_LINE = "# new in version 2\n"


def append(path: Path, text: str) -> None:
    path.write_text(path.read_text() + text)


@pytest.fixture
def platform(tmp_path: Path, template_repo: Path, git: Git) -> Path:
    """A repository made by `copier copy` from template v1, then edited by hand; settings and template have moved on."""
    template, repository = tmp_path / "template", tmp_path / "shop"
    shutil.copytree(template_repo, template)
    repository.mkdir()
    (repository / "trimtab.yml").write_text(SETTINGS)
    copier("copy", "--defaults", "--quiet", template, ".", cwd=repository)
    git(repository, "init", "-q")
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "generated")
    for path in EDITED:
        append(repository / path, HAND)
    (repository / "trimtab.yml").write_text(
        SETTINGS.replace("port: 2000", "port: 2345").replace(
            "  jobs: { framework: express, uses: [postgres] }\n", "  edge: { framework: actix }\n"
        )
    )
    git(repository, "commit", "-qam", "edits and settings")
    append(template / "template/project/env/.gitignore.jinja", NEW_LINE)
    git(template, "commit", "-qam", "v2")
    git(template, "tag", "v2.0.0")
    return repository


def assert_resynced(repository: Path) -> None:
    tree = {path: content.decode() for path, (content, _) in files_of(repository).items()}
    for path in EDITED:
        assert tree[path].endswith(HAND), path
    assert NEW_LINE in tree["env/.gitignore"]
    assert not [p for p, text in tree.items() if "jobs" in p or "<<<<<<<" in text or p.endswith(".rej")]
    assert "infrastructure/docker/Dockerfile.edge" in tree
    followed = [p for p, text in tree.items() if "2345" in text]
    assert {"docker-compose.yml", ".env.example", "env/production.env.example", "docs/deployment.md"} <= {*followed}
    assert any(p.startswith("k8s/") for p in followed)
    assert any(p.startswith("infrastructure/docker/Dockerfile.api") for p in followed)
    assert not [p for p, text in tree.items() if "2000" in text]


def test_a_bare_copier_update_resyncs(platform: Path, git: Git) -> None:
    copier("update", "--defaults", cwd=platform)
    assert_resynced(platform)
    git(platform, "add", "-A")
    git(platform, "commit", "-qm", "updated")
    copier("update", "--defaults", cwd=platform)
    assert git(platform, "status", "--porcelain") == ""


def test_trimtab_sync_resyncs(platform: Path, git: Git, trimtab: Program) -> None:
    before = files_of(platform)
    dry = trimtab("sync", platform, "--dry-run")
    assert dry.code == 0, dry.err
    assert files_of(platform) == before
    assert "+# new in version 2" in dry.out
    ran = trimtab("sync", platform)
    assert ran.code == 0, ran.out + ran.err
    assert_resynced(platform)
    after = files_of(platform)
    assert "in sync: nothing to do" in trimtab("sync", platform).out
    assert files_of(platform) == after
    git(platform, "add", "-A")
    git(platform, "commit", "-qm", "synced")
    copier("update", "--defaults", cwd=platform)
    assert git(platform, "status", "--porcelain") == ""


def test_sync_reports_a_clash_on_one_line_and_exits_1(platform: Path, git: Git, trimtab: Program) -> None:
    compose = platform / "docker-compose.yml"
    compose.write_text(compose.read_text().replace('PORT: "2000"', 'PORT: "1999"'))
    git(platform, "commit", "-qam", "clash")
    ran = trimtab("sync", platform)
    assert ran.code == 1
    assert "conflict    docker-compose.yml" in ran.out
    assert "<<<<<<< on disk" in compose.read_text()
    again = trimtab("sync", platform)
    assert again.code == 1
    assert "unresolved conflict in docker-compose.yml:" in again.err


def test_sync_keeps_a_copy_of_an_edited_file_that_goes(platform: Path, git: Git, trimtab: Program) -> None:
    edited = platform / "infrastructure/docker/Dockerfile.jobs"
    append(edited, HAND)
    git(platform, "commit", "-qam", "edit what will go")
    ran = trimtab("sync", platform)
    assert ran.code == 0, ran.out + ran.err
    assert "Dockerfile.jobs.saved" in ran.out
    assert not edited.exists()
    assert (platform / "infrastructure/docker/Dockerfile.jobs.saved").read_text().endswith(HAND)


@pytest.mark.parametrize("released", [False, True])
def test_the_release_of_an_environment_that_goes(released: bool, platform: Path, git: Git, trimtab: Program) -> None:
    settings = platform / "trimtab.yml"
    settings.write_text(settings.read_text() + "  staging: { host: staging.example.com }\n")
    assert trimtab("sync", platform).code == 0
    release = platform / "k8s/overlays/staging/release/kustomization.yaml"
    if released:
        release.write_text(release.read_text().replace("0" * 64, "1" * 64))
    git(platform, "add", "-A")
    git(platform, "commit", "-qm", "released")
    settings.write_text(settings.read_text().replace("  staging: { host: staging.example.com }\n", ""))
    checked = trimtab("check", platform).out
    assert (f"orphaned    {release.relative_to(platform)}" in checked) is not released
    ran = trimtab("sync", platform)
    assert ran.code == 0, ran.out + ran.err
    assert release.exists() is released
    assert (f"left        {release.relative_to(platform)}  (no longer generated" in ran.out) is released


def test_sync_refuses_uncommitted_edits_and_names_them(platform: Path, trimtab: Program) -> None:
    append(platform / "docker-compose.yml", "# not committed\n")
    before = files_of(platform)
    ran = trimtab("sync", platform)
    assert ran.code == 2
    assert "uncommitted edits in docker-compose.yml" in ran.err
    assert files_of(platform) == before


def test_a_deleted_file_is_missing_until_restored(platform: Path, git: Git, trimtab: Program) -> None:
    assert trimtab("sync", platform).code == 0
    (platform / "docker-compose.dev.yml").unlink()
    checked = trimtab("check", platform)
    assert checked.code == 1
    assert "missing     docker-compose.dev.yml" in checked.out
    assert "you deleted it" in trimtab("sync", platform).out
    assert not (platform / "docker-compose.dev.yml").exists()
    assert trimtab("sync", platform, "--restore").code == 0
    assert (platform / "docker-compose.dev.yml").exists()


def test_check_tells_states_and_the_setting_behind_a_stale_line(platform: Path, trimtab: Program) -> None:
    ran = trimtab("check", platform)
    assert ran.code == 1
    assert "orphaned    infrastructure/docker/Dockerfile.jobs" in ran.out
    assert "stale       .env.example" in ran.out
    assert "services.api.port (trimtab.yml:5)" in ran.out
    assert "hand-edited docker-compose.yml  (and stale)" in ran.out


def test_a_template_with_uncommitted_changes_is_refused(platform: Path, git: Git, trimtab: Program) -> None:
    template = platform.parent / "template"
    git(template, "tag", "-d", "v1.0.0", "v2.0.0")
    append(template / "copier.yml", "# draft\n")
    answers = platform / ".copier-answers.yml"
    sha = git(template, "rev-parse", "HEAD")
    answers.write_text(answers.read_text().replace("_commit: v1.0.0", f"_commit: {sha}"))
    ran = trimtab("sync", platform)
    assert ran.code == 2
    assert "uncommitted changes" in ran.err


def test_a_version_that_is_not_in_the_source_is_named(platform: Path, trimtab: Program) -> None:
    answers = platform / ".copier-answers.yml"
    answers.write_text(answers.read_text().replace("v1.0.0", "v9.9.9"))
    for command in ("check", "sync", "diff"):
        ran = trimtab(command, platform)
        assert ran.code == 2
        assert "has no version v9.9.9" in ran.err


@pytest.mark.parametrize("prefix", ["", "git+file://"], ids=["path", "url"])
def test_sync_follows_branches_and_records_versions(
    prefix: str, template_repo: Path, tmp_path: Path, git: Git, trimtab: Program
) -> None:
    template, repository = tmp_path / "template", tmp_path / "shop"
    shutil.copytree(template_repo, template)
    git(template, "tag", "-d", "v1.0.0")
    repository.mkdir()
    (repository / "trimtab.yml").write_text(SETTINGS)
    copier("copy", "--defaults", "--quiet", f"{prefix}{template}", ".", cwd=repository)
    compose, answers = repository / "docker-compose.yml", repository / ".copier-answers.yml"
    assert trimtab("sync", repository).code == 0

    def move(branch: str, old: str, new: str) -> str:
        git(template, "checkout", "-q", branch)
        source = template / "template/project/docker-compose.yml.jinja"
        source.write_text(source.read_text().replace(old, new))
        git(template, "commit", "-qam", new)
        return git(template, "describe", "--tags", "--always")

    main = move("main", "stop_grace_period: 30s", "stop_grace_period: 41s")
    assert trimtab("sync", repository).code == 0
    assert "stop_grace_period: 41s" in compose.read_text()
    assert yaml.safe_load(answers.read_text())["_commit"] == main
    git(template, "branch", "other")
    other = move("other", "stop_grace_period: 41s", "stop_grace_period: 52s")
    git(template, "checkout", "-q", "main")
    assert trimtab("sync", repository, "--template-ref", "other").code == 0
    assert "stop_grace_period: 52s" in compose.read_text()
    assert yaml.safe_load(answers.read_text())["_commit"] == other  # not the branch, which moves
    move("other", "stop_grace_period: 52s", "stop_grace_period: 63s")
    assert trimtab("check", repository).code == 0
    unknown = trimtab("sync", repository, "--template-ref", "nowhere")
    assert unknown.code == 2
    assert "has no version nowhere\n  name a tag, a branch or a commit" in unknown.err
