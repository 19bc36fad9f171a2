"""Images: one for every environment, rebuilt from cache, and with errors that say what to do."""

from __future__ import annotations

import json
import shutil
import time

import pytest

from tests.live.engine import bases
from tests.live.platform.running import Running

pytestmark = pytest.mark.live
SERVICES = ("api", "board", "edge", "web", "site")


def image(service: str, kind: str = "") -> str:
    return f"registry.test/trimtab/live-{service}{kind}:local"


@pytest.mark.parametrize(
    "values",
    [
        {"VITE_API_URL": "https://staging.example.com/api"},
        {
            "VITE_API_URL": "/api",
            "VITE_NOTE": "</script><b> 'x' \"y\" \\ \n\t $(id) é",
            "SECRET_TOKEN": "not for the browser",
        },
        {},
    ],
)
def test_one_image_serves_every_environment(platform: Running, values: dict[str, str]) -> None:
    options = [word for name, value in values.items() for word in ("--env", f"{name}={value}")]
    fetch = "start >/dev/null 2>&1 & sleep 1; wget -q -O - http://127.0.0.1:8080/env.js"
    shown = platform.engine.docker(
        *("run", "--rm", "--read-only", "--tmpfs", "/tmp:mode=1777", "--cap-drop", "ALL", "--entrypoint", "sh"),
        *options, image("web"), "-c", fetch.replace("start", "sh /usr/local/bin/start"),
    ).stdout  # fmt: skip
    assert "</script>" not in shown
    program = "global.window = {}; eval(require('fs').readFileSync(0, 'utf8')); console.log(JSON.stringify(window.env))"
    read = platform.engine.docker("run", "--rm", "-i", bases.pins()["node"], "node", "-e", program, input=shown).stdout
    assert json.loads(read) == {name: value for name, value in values.items() if name.startswith("VITE_")}


def test_the_bundle_falls_back_to_the_values_of_the_settings(platform: Running) -> None:
    script = platform.run_in("web", "sh", "-c", "cat /usr/share/nginx/html/assets/*.js").stdout
    note = """it's <b> "q" $HOME \\ `id` é"""
    quoted = [
        "'" + note.replace("\\", "\\\\").replace("'", "\\'") + "'",
        json.dumps(note, ensure_ascii=False),
        "`" + note.replace("\\", "\\\\").replace("`", "\\`") + "`",
    ]
    assert any(text in script for text in quoted), script


def test_a_change_of_source_leaves_dependencies_in_the_cache(platform: Running, figures: dict[str, object]) -> None:
    edits = {
        "api": ("api/main.py", 'VERSION = "one"', 'VERSION = "two"'),
        "board": ("board/server.js", "// Express", "// The board: Express"),
        "edge": ("edge/src/main.rs", "// A server", "// One server"),
        "web": ("web/src/main.js", "#note", "main"),
        "site": ("site/app/page.js", ">site<", ">the site<"),
    }
    began = time.monotonic()
    platform.compose("build", "--no-cache", "board")
    cold = time.monotonic() - began
    for service, edit in edits.items():
        platform.replace(*edit)
        began = time.monotonic()
        built = platform.compose("--progress", "plain", "build", service)
        log, took = built.stdout + built.stderr, time.monotonic() - began
        figures[f"rebuild of {service} after a change of source"] = f"{took:.1f} s"
        if service == "board":
            figures["its ratio to a build of board without the cache"] = f"{took / cold:.2f} ({cold:.1f} s)"
        steps = [line for line in log.splitlines() if f"[{service} dependencies" in line]
        assert steps, log
        for step in steps:
            number = step.split(" ")[0]
            assert f"{number} CACHED" in log, step
    platform.compose("up", "--detach", "--wait", "api")
    assert json.loads(platform.get("/api/container").text)["version"] == "two"


def test_images_hold_no_build_tools(platform: Running, figures: dict[str, object]) -> None:
    names = bases.pins()
    roots = {"api": "python", "board": "node", "edge": "debian", "web": "nginx", "site": "node"}

    def size(name: str) -> int:
        return int(platform.engine.docker("image", "inspect", "--format", "{{.Size}}", name).stdout)

    for service, root in roots.items():
        added = (size(image(service)) - size(names[root])) / 1e6
        figures[f"{service} adds to its base image"] = f"{added:.0f} MB"
        assert added < 200, service
    absent = {"api": ["uv"], "edge": ["cargo", "cc"], "web": ["node", "npm"], "board": ["pnpm"], "site": ["pnpm"]}
    for service, programs in absent.items():
        for program in programs:
            assert platform.run_in(service, "sh", "-c", f"command -v {program}", check=False).returncode, (
                service,
                program,
            )
    assert not json.loads(platform.get("/board/container").text)["development"]


def test_the_context_holds_no_secret(platform: Running) -> None:
    for service in SERVICES:
        (platform.folder / service / ".env").write_text("SECRET=here\n")
    try:
        for service in SERVICES:
            stage = platform.engine.docker(
                *(
                    "build",
                    "--quiet",
                    "--target",
                    "build",
                    "--file",
                    f"infrastructure/docker/Dockerfile.{service}",
                    ".",
                ),
                cwd=platform.folder,
            ).stdout.strip()
            found = platform.engine.docker(
                "run", "--rm", "--entrypoint", "find", stage, "/app", "-name", ".env*", "-maxdepth", "2"
            )
            assert found.stdout == "", service
    finally:
        for service in SERVICES:
            (platform.folder / service / ".env").unlink()


@pytest.mark.parametrize(
    ("service", "lockfile", "message"),
    [
        ("api", "uv.lock", 'run "uv lock" there and commit uv.lock'),
        ("board", "pnpm-lock.yaml", "there is no lockfile in board"),
        ("web", "package-lock.json", "there is no lockfile in web"),
        ("edge", "Cargo.lock", 'run "cargo generate-lockfile" there and commit it'),
    ],
)
def test_a_missing_lockfile_is_explained(laid: Running, service: str, lockfile: str, message: str) -> None:
    file = laid.folder / service / lockfile
    kept = file.with_suffix(".kept")
    shutil.move(file, kept)
    try:
        built = laid.engine.docker(
            *("build", "--file", f"infrastructure/docker/Dockerfile.{service}", "--target", "lockfile", "."),
            cwd=laid.folder,
            check=False,
        )
    finally:
        shutil.move(kept, file)
    assert built.returncode != 0
    assert message in built.stderr
