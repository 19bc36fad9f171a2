"""The command line from outside: what it prints, what it writes, its exit codes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.conftest import EXAMPLES, ROOT, Ran
from trimtab.pipeline import render

Program = Callable[..., Ran]
PLATFORM = ROOT / "tests/examples/platform/trimtab.yml"
MINIMAL = ROOT / "tests/examples/minimal/trimtab.yml"


@pytest.fixture
def preview(tmp_path: Path, trimtab: Program) -> Path:
    ran = trimtab("render", "--settings", PLATFORM, "--out", tmp_path / "out")
    assert ran.code == 0, ran.err
    return tmp_path / "out"


def files_of(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda p: p.name)
def test_render_writes_the_same_bytes_twice(example: Path, tmp_path: Path, trimtab: Program) -> None:
    for name in ("one", "two"):
        assert trimtab("render", "--settings", example / "trimtab.yml", "--out", tmp_path / name).code == 0
    assert files_of(tmp_path / "one") == files_of(tmp_path / "two")


def test_a_port_changes_everywhere(preview: Path, tmp_path: Path, trimtab: Program) -> None:
    before = {p for p, raw in files_of(preview).items() if b"2000" in raw}
    (tmp_path / "new.yml").write_text(PLATFORM.read_text().replace("2000", "2345"))
    assert trimtab("render", "--settings", tmp_path / "new.yml", "--out", tmp_path / "new").code == 0
    after = files_of(tmp_path / "new")
    assert not [p for p, raw in after.items() if b"2000" in raw]
    assert {p for p, raw in after.items() if b"2345" in raw} == before
    expected = (
        "docker-compose.yml",
        "Dockerfile.backend",
        ".env.example",
        "production.env.example",
        "k8s/",
        "ci",
        "docs/",
    )
    for part in expected:
        assert any(part in p for p in before), part


def test_render_prints_one_file_or_lists_all(trimtab: Program) -> None:
    one = trimtab("render", "docker-compose.yml", "--settings", PLATFORM)
    assert one.out.encode() == render(PLATFORM)["docker-compose.yml"].content
    assert trimtab("render", "--settings", PLATFORM).out.splitlines() == list(render(PLATFORM))
    wrong = trimtab("render", "docker-compose.yaml", "--settings", PLATFORM)
    assert wrong.code == 2
    assert "did you mean 'docker-compose.yml'?" in wrong.err
    (line,) = trimtab("render", "nowhere", "--settings", PLATFORM).err.splitlines()[1:]
    assert len(line) < 80


def test_a_preview_is_replaced_but_an_edited_one_is_not(preview: Path, trimtab: Program) -> None:
    assert trimtab("render", "--settings", MINIMAL, "--out", preview).code == 0
    assert set(files_of(preview)) == set(render(MINIMAL))
    (preview / "docker-compose.yml").write_text("mine")
    refused = trimtab("render", "--settings", PLATFORM, "--out", preview)
    assert refused.code == 2
    assert "docker-compose.yml would be overwritten" in refused.err
    assert (preview / "docker-compose.yml").read_text() == "mine"


def test_check_and_diff_of_a_fresh_tree_are_clean(preview: Path, trimtab: Program) -> None:
    assert trimtab("check", preview).code == 0
    assert (trimtab("diff", preview).code, trimtab("diff", preview).out) == (0, "")
    data = json.loads(trimtab("check", preview, "--json").out)
    assert data["clean"] is True
    assert {f["state"] for f in data["files"]} == {"ok"}
    assert {f["path"] for f in data["files"]} == set(render(PLATFORM))


def test_check_finds_every_kind_of_drift(preview: Path, trimtab: Program) -> None:
    settings = preview / "trimtab.yml"
    settings.write_text(settings.read_text().replace("port: 2000", "port: 2345"))
    (preview / "infrastructure/docker/README.md").unlink()
    (preview / "docker-compose.dev.yml").write_text("mine\n")
    ran = trimtab("check", preview, "--json")
    assert ran.code == 1
    states = {f["path"]: f for f in json.loads(ran.out)["files"]}
    assert states["docker-compose.yml"]["state"] == "stale"
    assert states["docker-compose.yml"]["causes"][0]["setting"] == "services.backend.port"
    assert states["docker-compose.yml"]["causes"][0]["line"] == 8
    assert states["infrastructure/docker/README.md"]["state"] == "missing"
    assert states["docker-compose.dev.yml"]["state"] == "hand-edited"
    text = trimtab("check", preview).out
    assert "services.backend.port (trimtab.yml:8)" in text
    shown = trimtab("diff", preview, "--path", "docker-compose.yml")
    assert shown.code == 1
    assert '+      PORT: "2345"' in shown.out
    assert '-      PORT: "2000"' in shown.out


def test_a_render_that_was_kept_is_not_trusted_when_settings_change(preview: Path, trimtab: Program) -> None:
    assert trimtab("check", preview).code == 0
    settings = preview / "trimtab.yml"
    settings.write_text(settings.read_text().replace("framework: vite", "framework: vte"))
    for command in ("check", "diff", "sync"):
        ran = trimtab(command, preview)
        assert ran.code == 2
        assert ran.err.startswith("trimtab.yml:27: services.frontend.framework: 'vte' is not a framework; did you mean")


def test_hand_edits_can_be_allowed(preview: Path, trimtab: Program) -> None:
    compose = preview / "docker-compose.yml"
    compose.write_text(compose.read_text() + "# mine\n")
    assert trimtab("check", preview).code == 1
    assert trimtab("check", preview, "--allow-hand-edits").code == 0


def test_sync_outside_git_keeps_hand_edits(preview: Path, trimtab: Program) -> None:
    compose = preview / "docker-compose.yml"
    compose.write_text(compose.read_text() + "# mine\n")
    settings = preview / "trimtab.yml"
    settings.write_text(settings.read_text().replace("port: 2000", "port: 2345"))
    ran = trimtab("sync", preview, "--json")
    assert ran.code == 0, ran.err
    assert {"path": "docker-compose.yml", "action": "merge", "note": "hand edits kept"} in json.loads(ran.out)["steps"]
    assert compose.read_text().endswith("# mine\n")
    assert 'PORT: "2345"' in compose.read_text()


@pytest.mark.parametrize("command", ["check", "diff", "sync", "env"])
def test_a_folder_that_is_not_generated_is_named(command: str, tmp_path: Path, trimtab: Program) -> None:
    ran = trimtab(command, tmp_path)
    assert ran.code == 2
    assert "not a repository that Trimtab generated" in ran.err


@pytest.mark.parametrize("text", ["", "{", "applied: 3\n", "- x\n", "\x00", "_commit: v1\napplied: {}\n"])
def test_a_spoilt_answers_file_gives_one_error(text: str, preview: Path, trimtab: Program) -> None:
    (preview / ".copier-answers.yml").write_text(text)
    for command in ("check", "sync"):
        ran = trimtab(command, preview)
        assert ran.code == 2
        assert ".copier-answers.yml" in ran.err


@pytest.mark.parametrize("address", ["ext::sh -c 'touch owned'", "--upload-pack=touch owned", "/nowhere/at/all"])
def test_a_hostile_template_address_runs_nothing(address: str, preview: Path, trimtab: Program) -> None:
    answers = preview / ".copier-answers.yml"
    lines = [x for x in answers.read_text().splitlines() if not x.startswith("_src_path")]
    answers.write_text(f"_src_path: {json.dumps(address)}\n" + "\n".join(lines) + "\n")
    for command in ("check", "sync"):
        ran = trimtab(command, preview, cwd=preview)
        assert ran.code == 2, ran.out
    assert not (preview / "owned").exists()


def test_env_writes_secrets_once_and_closed(preview: Path, trimtab: Program, git: Callable[..., str]) -> None:
    git(preview, "init", "-q")
    ran = trimtab("env", preview)
    assert ran.code == 0, ran.err
    env = preview / ".env"
    assert env.stat().st_mode & 0o077 == 0
    values = dict(line.split("=", 1) for line in env.read_text().splitlines() if "=" in line and line[0] != "#")
    assert len(values["POSTGRES_PASSWORD"]) == 64
    assert len({values["POSTGRES_PASSWORD"], values["REDIS_PASSWORD"], values["JWT_SECRET"]}) == 3
    git(preview, "check-ignore", ".env")
    before = env.read_bytes()
    env.write_bytes(before.replace(b"JWT_SECRET=", b"#JWT_SECRET="))
    assert "1 variable added" in trimtab("env", preview).out
    assert env.read_bytes().startswith(before.replace(b"JWT_SECRET=", b"#JWT_SECRET="))
    git(preview, "add", "-f", ".env")
    tracked = trimtab("env", preview)
    assert tracked.code == 2
    assert "tracked by git" in tracked.err


def test_schema_accepts_the_examples_and_refuses_a_mistake(trimtab: Program) -> None:
    import yaml
    from jsonschema import Draft202012Validator

    schema = json.loads(trimtab("schema").out)
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    for example in EXAMPLES:
        data = yaml.safe_load((example / "trimtab.yml").read_text())
        assert [e.message for e in validator.iter_errors(data)] == []
    for name, service in (
        ("extra", {"framework": "vite", "prot": 1}),
        ("extra", {"framework": "vit"}),
        ("extra", {"framework": "vite", "port": None}),
        ("Extra", {"framework": "vite"}),
        ("extra", {"framework": "vite", "env": {"lower": 1}}),
    ):
        services = {**data["services"], name: service}
        assert list(validator.iter_errors({**data, "services": services})), service


def test_frameworks_are_listed(trimtab: Program) -> None:
    rows = json.loads(trimtab("frameworks", "--json").out)
    assert {"actix", "fastapi", "express", "vite", "next"} <= {r["name"] for r in rows}
    assert "fastapi" in trimtab("frameworks").out


@pytest.mark.parametrize(
    "arguments",
    [["nonsense"], ["check", "--nonsense"], ["render", "--settings", "none.yml"], ["init"], ["check", "none"]],
)
def test_bad_usage_exits_2(arguments: list[str], trimtab: Program) -> None:
    ran = trimtab(*arguments)
    assert ran.code == 2
    assert ran.err


def test_every_command_has_a_help_with_an_example(trimtab: Program) -> None:
    text = trimtab("--help").out
    for command in ("init", "render", "check", "diff", "sync", "env", "schema", "frameworks"):
        assert command in text
        assert "Example: trimtab" in trimtab(command, "--help").out


def test_the_wheel_works_from_any_folder(tmp_path: Path) -> None:
    import subprocess
    import sys

    clone = tmp_path / "clone"
    shutil.copytree(
        ROOT, clone, ignore=shutil.ignore_patterns(".git", ".venv*", "demo", "dist", "tests", ".hypothesis")
    )
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path / "dist"), "."]
    subprocess.run(build, cwd=clone, check=True, capture_output=True)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    target = tmp_path / "site"
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(target), str(wheel)],
        check=True,
    )
    shutil.rmtree(clone)
    program = [
        sys.executable,
        "-c",
        f"import sys; sys.path.insert(0, {str(target)!r}); from trimtab.cli import main; main()",
    ]
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    for command in (["init", "shop", "--settings", str(PLATFORM)], ["check", "shop"], ["sync", "shop"]):
        done = subprocess.run(
            [*program, *command], cwd=tmp_path, capture_output=True, text=True, env=environment, check=False
        )
        assert done.returncode == 0, done.stderr
    assert files_of(tmp_path / "shop") == {p: f.content for p, f in render(PLATFORM).items()}


def test_init_proposes_settings_from_sources(tmp_path: Path, trimtab: Program) -> None:
    (tmp_path / "api").mkdir()
    (tmp_path / "web").mkdir()
    (tmp_path / "api/pyproject.toml").write_text('[project]\nname = "api"\ndependencies = ["fastapi[standard]"]\n')
    (tmp_path / "api/main.py").write_text("from fastapi import FastAPI\n\napp = FastAPI()\n")
    (tmp_path / "web/package.json").write_text('{"name": "web", "devDependencies": {"vite": "^7"}}')
    (tmp_path / "web/index.html").write_text("<!doctype html>")
    tree = files_of(tmp_path)
    ran = trimtab("init", tmp_path)
    assert ran.code == 0, ran.err
    assert {p: (tmp_path / p).read_bytes() for p in tree} == tree
    text = (tmp_path / "trimtab.yml").read_text()
    assert "framework: fastapi # api/pyproject.toml" in text
    assert "framework: vite # web/package.json" in text
    assert trimtab("check", tmp_path).code == 0
    shutil.copytree(tmp_path / "api", tmp_path / "again/server")
    assert trimtab("init", "again", "--defaults").code == 0  # the starter, whatever else is there
    assert list(yaml.safe_load((tmp_path / "again/trimtab.yml").read_text())["services"]) == ["api", "web"]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda p: p.name)
def test_the_audit_finds_nothing_grave_in_what_we_generate(example: Path, tmp_path: Path, trimtab: Program) -> None:
    assert trimtab("render", "--settings", example / "trimtab.yml", "--out", tmp_path / "out").code == 0
    report = json.loads(trimtab("audit", tmp_path / "out", "--format", "json").out)
    assert [f["title"] for f in report["findings"] if f["severity"] in ("critical", "high")] == []


def test_init_asks_until_each_answer_is_one(tmp_path: Path, trimtab: Program) -> None:
    wrong = ("Bad Name", "orchard", "https://quay.io", "quay.io/fruit", "cobol", "axm", "axum", "", "nowhere", "")
    ran = trimtab("init", "new", stdin="".join(f"{line}\n" for line in wrong))
    assert ran.code == 0, ran.err
    assert "'cobol' is none of them." in ran.out
    assert "Did you mean 'axum'?" in ran.out
    settings = yaml.safe_load((tmp_path / "new/trimtab.yml").read_text())
    assert (settings["name"], settings["registry"]) == ("orchard", "quay.io/fruit")
    assert [s["framework"] for s in settings["services"].values()] == ["axum", "vite"]
    assert settings["environments"]["production"]["host"] == "orchard.example.com"
    assert trimtab("check", "new").code == 0


def test_questions_without_answers_are_bad_usage(tmp_path: Path, trimtab: Program) -> None:
    ran = trimtab("init", "new", stdin="orchard\n")
    assert ran.code == 2
    assert "--defaults" in ran.err
    assert not (tmp_path / "new").exists()


def test_proposed_answers_are_the_defaults(tmp_path: Path, trimtab: Program) -> None:
    assert trimtab("init", "asked", stdin="shop\n\n\n\n\n").code == 0
    assert trimtab("init", "null", "--defaults").code == 0  # a folder's name that is no name of a platform
    assert (tmp_path / "asked/trimtab.yml").read_text() == (tmp_path / "null/trimtab.yml").read_text()


def test_init_over_other_settings_leaves_nothing_of_them_behind(tmp_path: Path, trimtab: Program) -> None:
    assert trimtab("init", "new", "--settings", PLATFORM).code == 0
    edited = tmp_path / "new/infrastructure/docker/Dockerfile.backend"
    edited.write_text(edited.read_text() + "# mine\n")
    refused = trimtab("init", "new", "--settings", MINIMAL)
    assert refused.code == 2
    (tmp_path / "new/trimtab.yml").write_text(MINIMAL.read_text())
    refused = trimtab("init", "new")
    assert refused.code == 2
    assert "`trimtab sync` merges instead" in refused.err
    assert trimtab("init", "new", "--force").code == 0
    assert set(files_of(tmp_path / "new")) == {*render(MINIMAL), "infrastructure/docker/Dockerfile.backend"}


def test_settings_may_come_from_a_pipe(tmp_path: Path, trimtab: Program) -> None:
    ran = trimtab("init", "new", "--settings", "/dev/stdin", stdin=MINIMAL.read_text())
    assert ran.code == 0, ran.err
    assert (tmp_path / "new/trimtab.yml").read_text() == MINIMAL.read_text()
    endless = trimtab("init", "other", "--settings", "/dev/zero")
    assert endless.code == 2
    assert "larger than" in endless.err


@pytest.mark.parametrize(
    ("what", "where", "named"),
    [
        ("file", "new", "new: is a file"),
        ("file", "new/docs", "docs: is a file, and a folder belongs there"),
        ("folder", "new/docker-compose.yml", "docker-compose.yml: is a folder, and a file belongs there"),
    ],
)
def test_init_names_what_stands_in_the_way(what: str, where: str, named: str, tmp_path: Path, trimtab: Program) -> None:
    place = tmp_path / where
    place.parent.mkdir(exist_ok=True)
    place.mkdir() if what == "folder" else place.write_text("mine")
    for destination in ("new", "new/below") if where == "new" else ("new",):
        refused = trimtab("init", destination, "--settings", MINIMAL)
        assert refused.code == 2
        assert named in refused.err
    for out in ("new", "new/below") if where == "new" else ("new",):
        refused = trimtab("render", "--settings", MINIMAL, "--out", out)
        assert refused.code == 2
        assert named in refused.err
    assert place.is_dir() if what == "folder" else place.read_text() == "mine"


def test_check_tells_new_files_from_deleted_ones(preview: Path, trimtab: Program) -> None:
    (preview / "docs/findings.md").unlink()
    settings = preview / "trimtab.yml"
    settings.write_text(settings.read_text().replace("services:\n", "services:\n  jobs: { framework: go }\n", 1))
    lines = trimtab("check", preview).out.splitlines()
    assert "missing     docs/findings.md" in lines
    assert "missing     infrastructure/docker/Dockerfile.jobs  (new)" in lines
    assert "  `trimtab sync` writes new files" in lines
    assert trimtab("sync", preview).code == 0
    data = json.loads(trimtab("check", preview, "--json").out)
    assert [(f["path"], f["current"]) for f in data["files"] if f["state"] != "ok"] == [("docs/findings.md", True)]


def test_an_unresolved_conflict_is_no_hand_edit_to_allow(preview: Path, trimtab: Program) -> None:
    compose = preview / "docker-compose.yml"
    text = compose.read_text()
    compose.write_text(f"{text}# mine\n")
    assert trimtab("check", preview, "--allow-hand-edits").code == 0
    compose.write_text(f"{text}<<<<<<< on disk\n# mine\n=======\n# theirs\n>>>>>>> trimtab.yml\n")
    checked = trimtab("check", preview, "--allow-hand-edits")
    assert checked.code == 1
    assert "hand-edited docker-compose.yml  (with an unresolved conflict)" in checked.out


def test_init_below_the_root_of_a_repository_says_that_ci_reads_nothing_there(
    tmp_path: Path, trimtab: Program, git: Callable[..., str]
) -> None:
    git(tmp_path, "init", "-q", "mono")
    assert "CI reads no workflow" in trimtab("init", "mono/platform", "--settings", MINIMAL).out
    assert "CI reads no workflow" not in trimtab("init", "mono", "--settings", MINIMAL).out


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_env_changes_no_byte_of_what_is_there(
    end: str, preview: Path, trimtab: Program, git: Callable[..., str]
) -> None:
    git(preview, "init", "-q")
    mine = end.join(["POSTGRES_PASSWORD = mine", "  export JWT_SECRET=mine", "REDIS_PASSWORD: mine", "# é", "LAST=1"])
    (preview / ".env").write_bytes(mine.encode())
    (preview / ".gitignore").write_bytes(f"dist{end}logs".encode())
    assert trimtab("env", preview).code == 0
    written = (preview / ".env").read_bytes()
    assert written.startswith(f"{mine}{end}".encode())
    assert (preview / ".gitignore").read_bytes() == end.join(["dist", "logs", "# Local secrets", "/.env", ""]).encode()
    assert written.count(b"\r\n") == (written.count(b"\n") if end == "\r\n" else 0)
    for name in ("POSTGRES_PASSWORD", "JWT_SECRET", "REDIS_PASSWORD"):
        assert [line for line in written.decode().splitlines() if line.startswith(f"{name}=")] == []
