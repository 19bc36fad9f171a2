"""Scripts that start or build a service of a language: what they call, and what they say when they cannot know."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.unit.outputs.platforms import platform

URL = "postgresql://app:p%40ss@postgres:5432/app"


def script(tmp_path: Path, path: str) -> Path:
    file = tmp_path / Path(path).name
    file.write_text(platform("polyglot2").files[f"infrastructure/docker/{path}"])
    return file


def run(file: Path, *arguments: str, folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    program = ["php"] if file.suffix == ".php" else ["sh"]
    path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
    clean = {k: v for k, v in os.environ.items() if k not in ("DATABASE_URL", "DB_URL", "APP_KEY")}
    return subprocess.run(
        [*program, str(file), *arguments],
        cwd=folder, env={**clean, "PATH": path, **env}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def programs(folder: Path, **bodies: str) -> None:
    (folder / "bin").mkdir(exist_ok=True)
    for name, body in bodies.items():
        (folder / "bin" / name).write_text(f"#!/bin/sh\n{body}\n")
        (folder / "bin" / name).chmod(0o755)


# --- Laravel ----------------------------------------------------------------------------------------------


def test_laravel_caches_its_configuration_at_start_and_only_then(tmp_path: Path) -> None:
    laravel = script(tmp_path, "php/laravel.sh")
    programs(tmp_path, php='echo "$* $DB_CONNECTION"')
    done = run(laravel, "serve", "printenv", "DB_URL", folder=tmp_path, DATABASE_URL=URL)
    assert done.stdout.splitlines() == [
        *(f"artisan {cache}:cache --no-interaction pgsql" for cache in ("config", "event", "route")),
        URL,
    ]
    assert (tmp_path / "storage/framework/views").is_dir() and (tmp_path / "bootstrap/cache").is_dir()
    (tmp_path / "resources/views").mkdir(parents=True)
    assert "artisan view:cache" in run(laravel, "serve", "true", folder=tmp_path).stdout
    assert run(laravel, "echo", "hello", folder=tmp_path).stdout == "hello\n"
    for stage in platform("polyglot2").files["infrastructure/docker/Dockerfile.billing"].split("\nFROM "):
        assert "config:cache" not in stage, "what the environment says is not known while an image is built"


def test_laravel_keeps_what_is_set_and_takes_a_key_of_hexadecimal_digits(tmp_path: Path) -> None:
    laravel = script(tmp_path, "php/laravel.sh")
    shown = run(laravel, "printenv", "DB_URL", folder=tmp_path, DATABASE_URL=URL, DB_URL="mine").stdout
    assert shown == "mine\n"
    assert run(laravel, "printenv", "DB_URL", folder=tmp_path).returncode == 1
    key = bytes(range(32))
    programs(tmp_path, php=f'echo "base64:{base64.b64encode(key).decode()}"')
    shown = run(laravel, "printenv", "APP_KEY", folder=tmp_path, APP_KEY=key.hex()).stdout.strip()
    assert shown == f"base64:{base64.b64encode(key).decode()}"
    for other in ("base64:abc", "short", "f" * 63, "g" * 64):
        assert run(laravel, "printenv", "APP_KEY", folder=tmp_path, APP_KEY=other).stdout.strip() == other


@pytest.mark.skipif(shutil.which("php") is None, reason="no php here")
def test_extensions_that_composer_asks_for_are_listed(tmp_path: Path) -> None:
    extensions = script(tmp_path, "php/extensions.php")
    missing = run(extensions, "apps/billing", folder=tmp_path)
    assert missing.returncode == 1 and "in apps/billing: run `composer update`" in missing.stderr
    wanted = {"php": "^8.3", "ext-json": "*", "ext-no_such": "*", "laravel/framework": "^12"}
    (tmp_path / "composer.json").write_text(json.dumps({"require": wanted}))
    package = {"name": "a/b", "require": {"ext-another-one": "*", "ext-No_Such": "*"}}
    (tmp_path / "composer.lock").write_text(json.dumps({"packages": [package]}))
    assert run(extensions, ".", folder=tmp_path).stdout == "another-one\nno_such\n"


# --- .NET -------------------------------------------------------------------------------------------------


def web(folder: Path, *paths: str, sdk: str = "Microsoft.NET.Sdk.Web") -> None:
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(f'<Project Sdk="{sdk}"></Project>\n')


def test_the_project_to_run_is_found_or_asked_for(tmp_path: Path) -> None:
    project = script(tmp_path, "dotnet/project.sh")
    app = tmp_path / "app"
    app.mkdir()
    nothing = run(project, "find", "cargo", "apps/cargo", folder=app)
    assert nothing.returncode == 1 and 'no project with Sdk="Microsoft.NET.Sdk.Web" in apps/cargo' in nothing.stderr
    web(app, "src/Model/Model.csproj", sdk="Microsoft.NET.Sdk")
    web(app, "src/Harbour/Harbour.csproj", "src/Harbour/obj/Old.csproj")
    assert run(project, "find", "cargo", ".", folder=app).stdout == "./src/Harbour/Harbour.csproj\n"
    web(app, "src/Other/Other.csproj")
    two = run(project, "find", "cargo", ".", folder=app)
    assert two.returncode == 1 and "./src/Harbour/Harbour.csproj ./src/Other/Other.csproj" in two.stderr
    assert run(project, "find", "other", ".", folder=app).stdout == "./src/Other/Other.csproj\n"
    assert run(project, "find", "src/Harbour/Harbour.csproj", ".", folder=app).stdout == "src/Harbour/Harbour.csproj\n"


def test_manifests_of_projects_are_kept_and_locks_are_obeyed(tmp_path: Path) -> None:
    project = script(tmp_path, "dotnet/project.sh")
    app = tmp_path / "app"
    programs(app.parent, dotnet='echo "$*"')
    web(app, "A/A.csproj")
    for path in ("A/Program.cs", "nuget.config", "Directory.Packages.props", "B/page.cshtml"):
        (app / path).parent.mkdir(exist_ok=True)
        (app / path).write_text("")
    run(project, "keep-manifests", folder=app)
    kept = sorted(f.relative_to(app).as_posix() for f in app.rglob("*"))
    assert kept == ["A", "A/A.csproj", "Directory.Packages.props", "nuget.config"]
    (app / "bin").symlink_to(tmp_path / "bin")
    assert run(project, "restore", "A/A.csproj", folder=app).stdout == "restore A/A.csproj\n"
    (app / "A/packages.lock.json").write_text("{}")
    assert run(project, "restore", "A/A.csproj", folder=app).stdout == "restore --locked-mode A/A.csproj\n"


def test_a_published_program_has_one_name_and_a_bundle_the_project_of_its_migrations(tmp_path: Path) -> None:
    project = script(tmp_path, "dotnet/project.sh")
    out = tmp_path / "out"
    publish = f"mkdir -p {out} && touch {out}/Shop.Web.runtimeconfig.json && printf '#!/bin/sh\\n' >{out}/Shop.Web"
    programs(tmp_path, dotnet=f'case $1 in publish) {publish} && chmod +x {out}/Shop.Web ;; *) echo "$*" ;; esac')
    done = run(project, "publish", "Web/Web.csproj", str(out), folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (out / "server").readlink() == Path("Shop.Web")
    web(tmp_path, "Data/Data.csproj", "Web/Web.csproj")
    (tmp_path / "Data/Db/Migrations").mkdir(parents=True)
    shown = run(project, "bundle", "Web/Web.csproj", "Data/Db/Migrations", "/efbundle", folder=tmp_path).stdout
    assert shown.startswith("ef migrations bundle --project Data --startup-project Web/Web.csproj ")


# --- Phoenix ----------------------------------------------------------------------------------------------


def test_the_program_that_migrates_a_release_is_elixir(tmp_path: Path) -> None:
    text = platform("polyglot2").files["infrastructure/docker/Dockerfile.tides"]
    stage = text.split(" AS migrate\n")[1]
    command = stage[stage.index("RUN printf") + 4 : stage.index("ENV HOME")]
    command = command.replace("/usr/local/bin/", f"{tmp_path}/").replace("\\\n", " ")
    subprocess.run(["sh", "-ec", command], check=True)
    programs(tmp_path, **{"with-defaults": 'printf "%s\\n" "$@"'})
    done = run(tmp_path / "release-migrate", folder=tmp_path)
    assert done.stdout.startswith("/app/bin/release\neval\n")
    assert "Ecto.Migrator.run(&1, :up, all: true)" in done.stdout
    if shutil.which("elixir"):
        code = done.stdout.split("eval\n", 1)[1]
        parsed = subprocess.run(
            ["elixir", "-e", "Code.string_to_quoted!(IO.read(:stdio, :eof))"], input=code, text=True, check=False
        )
        assert parsed.returncode == 0
