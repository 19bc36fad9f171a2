"""Ten thousand values of metacharacters: each arrives as it was written, and none does anything."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT
from tests.invariants import Yaml12
from trimtab.engine import Template
from trimtab.frameworks import Frameworks
from trimtab.output import Folder
from trimtab.settings.load import parse_settings

VALUES = 10_000
PER_SERVICE = 500
# Pieces that mean something to YAML, Compose, Kubernetes, a shell, Jinja, dotenv, Markdown, HTML, nginx or SQL.
PIECES = [
    *("$", "${HOME}", "$(touch owned)", "`touch owned`", "$$", "$((1))", "$IFS", ";", "&&", "||", "--"),
    *("{{ 7*7 }}", "{% raw %}", "{#", "#}", "%}", "${{ github.token }}"),
    *("'", '"', "\\", "\\n", "\t", ": ", " #", "#", "- ", "? ", "| ", "> ", "&a", "*a", "!!python", "%YAML", "@"),
    *("~", "null", "yes", "..", "/", "=", ",", "[", "]", "{", "}", "(", ")"),
    *("<script>alert(1)</script>", "<!--", "-->", "|", "](javascript:x)", "**", "__", "```", "</td>", "&amp;"),
    *("'; DROP TABLE users; --", "é", "漢", "😀", " ", "a", "B9"),
]

TRACE = "zqx"  # stands in every value, at its beginning or its end


def value(choose: random.Random) -> str:
    text = "".join(choose.choice(PIECES) for _ in range(choose.randint(1, 6)))
    return TRACE + text if choose.random() < 0.5 else text + TRACE


def trees() -> Iterator[tuple[dict[str, str], dict[str, str]]]:
    """Pairs of what is written for a backend (`env`) and for a browser (`public_env`)."""
    choose = random.Random(1)
    for number in range(VALUES // PER_SERVICE):
        env = {f"E{number}_{i}_NOTE": value(choose) for i in range(PER_SERVICE * 4 // 5)}
        public = {f"VITE_P{number}_{i}_NOTE": "x" + value(choose) for i in range(PER_SERVICE // 5)}
        yield env, public


def settings_of(env: dict[str, str], public: dict[str, str]) -> dict[str, Any]:
    return {
        "version": 1,
        "name": "hostile",
        "registry": "ghcr.io/acme",
        "services": {
            "api": {"framework": "fastapi", "env": env},
            "web": {"framework": "vite", "public_env": public},
        },
        "environments": {"production": {"host": "hostile.example.com"}},
    }


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[dict[str, str], dict[str, str], Path]]:
    found = []
    for env, public in trees():
        raw = yaml.safe_dump(settings_of(env, public), sort_keys=False, allow_unicode=True).encode()
        loaded = parse_settings(raw, Frameworks(ROOT))
        folder = tmp_path_factory.mktemp("hostile")
        Folder(folder).write(dict(Template(ROOT).render(loaded.data, {}, raw)))
        found.append((env, public, folder))
    return found


Rendered = list[tuple[dict[str, str], dict[str, str], Path]]


def test_there_are_ten_thousand(rendered: Rendered) -> None:
    assert sum(len(env) + len(public) for env, public, _ in rendered) == VALUES


@pytest.mark.skipif(not shutil.which("docker"), reason="the docker command is not installed")
def test_compose_gets_each_value_as_it_was_written(rendered: Rendered) -> None:
    if subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode:
        pytest.skip("the compose plugin of docker is not installed")
    for env, public, folder in rendered:
        command = ["docker", "compose", "--env-file", ".env.example", "config", "--format", "json"]
        done = subprocess.run(
            command,
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            env={k: os.environ[k] for k in ("PATH", "HOME")},
        )
        assert done.returncode == 0, done.stderr
        services = json.loads(done.stdout)["services"]
        # `config` prints what could be read as an interpolation again with $$.
        assert {k: v.replace("$$", "$") for k, v in services["api"]["environment"].items() if k in env} == env
        assert {k: v.replace("$$", "$") for k, v in services["web"]["environment"].items() if k in public} == public


@pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl is not installed")
def test_kubernetes_gets_each_value_as_it_was_written(rendered: Rendered) -> None:
    for env, public, folder in rendered:
        overlay = folder / "k8s/overlays/production"
        done = subprocess.run(["kubectl", "kustomize", str(overlay)], capture_output=True, text=True, check=True)
        maps = {
            d["metadata"]["name"].rsplit("-", 1)[0]: d["data"]
            for d in yaml.load_all(done.stdout, Loader=Yaml12)
            if d["kind"] == "ConfigMap"
        }
        assert {k: v for k, v in maps["api-config"].items() if k in env} == env
        assert {k: v for k, v in maps["web-config"].items() if k in public} == public


def test_env_examples_hold_each_value_as_it_was_written(rendered: Rendered) -> None:
    from dotenv import dotenv_values

    for env, public, folder in rendered:
        for name in (".env.example", "env/production.env.example"):
            values = dotenv_values(folder / name, interpolate=False)
            written = {k: v for k, v in values.items() if k in env or k in public}
            # A value that readers of such files would not read alike is listed in a comment instead.
            differing = {k for k, v in {**env, **public}.items() if "$" in v and ("'" in v or "\\" in v)}
            assert {**env, **public}.items() >= written.items()
            assert {*env, *public} - differing <= written.keys()


def test_nothing_of_a_value_stands_in_a_workflow_or_a_script(rendered: Rendered) -> None:
    for _, _, folder in rendered:
        for path in [*folder.rglob("*.sh"), *folder.glob(".github/workflows/*")]:
            assert TRACE not in path.read_text(), path


def test_docs_show_values_as_text(rendered: Rendered) -> None:
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark").enable("table")
    for _, _, folder in rendered:
        for page in folder.glob("docs/**/*.md"):
            tokens = [t for token in parser.parse(page.read_text()) for t in [token, *(token.children or [])]]
            assert not [t.content for t in tokens if "html" in t.type and "<script" in t.content], page
            hrefs = [str(t.attrs.get("href", "")) for t in tokens if t.type == "link_open"]
            assert not [h for h in hrefs if h.startswith("javascript")], page


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_dockerfile_arguments_are_words(shell: str, rendered: Rendered) -> None:
    """BuildKit quotes as a shell does: `ARG NAME='value'` must be one word with that value."""
    import shlex

    for _, public, folder in rendered:
        text = (folder / "infrastructure/docker/Dockerfile.web").read_text()
        assert "owned" not in {p.name for p in folder.iterdir()}
        found = dict(x.removeprefix("ARG ").split("=", 1) for x in text.splitlines() if x.startswith("ARG VITE_"))
        assert set(found) == set(public)
        for name, quoted in found.items():
            assert shlex.split(quoted) in ([public[name]], [""]), name
