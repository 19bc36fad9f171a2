"""A repository that somebody made to harm: nothing outside is read, nothing runs, nothing hangs or fills the memory.

Each audit is a process of its own with little memory and little processor time, as a user would start it.
"""

from __future__ import annotations

import json
import os
import resource
import socket
import stat
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from trimtab.audit.engine import audit
from trimtab.audit.report import FORMATS

COMPOSE = "services:\n  api:\n    image: acme/api:latest\n"
SECRET = "PASSWORD=hunter2-hunter2-hunter2\n"
MEMORY = 400_000_000
PROCESSOR_SECONDS = 30


def limited() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (PROCESSOR_SECONDS, PROCESSOR_SECONDS))


def run(tree: Path, *options: str) -> subprocess.CompletedProcess[bytes]:
    """Audit a tree in a limited process; it must end by itself and without a crash."""
    env = {**os.environ, "PYTHONPATH": str(ROOT / "generator")}
    done = subprocess.run(
        [sys.executable, "-m", "trimtab", "audit", str(tree), *options],
        capture_output=True,
        check=False,
        env=env,
        timeout=300,
        preexec_fn=limited,
    )
    assert done.returncode in (0, 1), done.stderr
    assert b"Traceback" not in done.stderr
    return done


def report(tree: Path) -> tuple[list[dict[str, object]], dict[str, str]]:
    body = json.loads(run(tree, "--format", "json").stdout)
    return body["findings"], {item["path"]: item["reason"] for item in body["unread"]}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A repository with one finding of its own, beside a folder that must not be looked into."""
    outside, inside = tmp_path / "outside", tmp_path / "repo"
    outside.mkdir()
    inside.mkdir()
    (outside / ".env").write_text(SECRET)
    (outside / "docker-compose.yml").write_text(COMPOSE.replace("acme", "outside"))
    (inside / "docker-compose.yml").write_text(COMPOSE)
    return inside


def floating(findings: list[dict[str, object]]) -> list[str]:
    return [str(one["title"]) for one in findings if one["rule"] == "floating-image-tag"]


def test_links_lead_nowhere_else(tree):
    outside = tree.parent / "outside"
    for name, target in {
        ".env": outside / ".env",
        "compose.yaml": outside / "docker-compose.yml",
        "folder": outside,
        "chain": tree / "folder",
        "dotdot.env": Path("../outside/.env"),
        "through": Path("folder/.env"),
        "self": Path("self"),
        "passwd.env": Path("/etc/passwd"),
        "zero.env": Path("/dev/zero"),
        "loop": tree,
        "nowhere.env": tree / "nowhere",
        "prod.env": Path("real.env"),
        "git.env": Path(".git/config"),
    }.items():
        (tree / name).symlink_to(target)
    (tree / "real.env").write_text("A=1\n")
    (tree / ".git").mkdir()
    (tree / ".git" / "config").write_text(SECRET)
    findings, unread = report(tree)
    assert floating(findings) == ["Image acme/api has no fixed version"]
    assert "hunter2" not in json.dumps(findings)
    outward = {".env", "compose.yaml", "folder", "chain", "dotdot.env", "through", "passwd.env", "zero.env"}
    assert unread == {
        **dict.fromkeys(outward, "a symbolic link that leads outside of the repository"),
        **dict.fromkeys(["self", "nowhere.env"], "a symbolic link that leads nowhere"),
        "git.env": "a symbolic link into .git",
    }


@pytest.mark.parametrize("index", ["file", "link", "folder link", "outside"])
def test_git_folders_that_lead_elsewhere_are_not_followed(tree, index):
    """An index from outside would tell which of its files are tracked; so git is taken to be absent."""
    git = tree.parent / "outside" / "git"
    git.mkdir()
    entry = b"\0" * 60 + b"\0\x04" + b".env" + b"\0" * 6
    (git / "index").write_bytes(b"DIRC" + struct.pack(">II", 2, 1) + entry)
    if index == "file":
        (tree / ".git").write_text(f"gitdir: {git}\n")
    elif index == "folder link":
        (tree / ".git").symlink_to(git)
    else:
        (tree / ".git").mkdir()
        (tree / ".git" / "index").symlink_to(git / "index")
        if index == "outside":
            (tree / ".git" / "config").write_text(f"[core]\n\tworktree = {git}\n\tfsmonitor = touch {tree}/ran\n")
    findings, _ = report(tree)
    assert floating(findings) == ["Image acme/api has no fixed version"]
    assert not (tree / "ran").exists()


def test_files_that_are_none_are_listed(tree):
    os.mkfifo(tree / ".env")
    with socket.socket(socket.AF_UNIX) as server:
        here = Path.cwd()
        os.chdir(tree)  # the path of a socket may have 108 characters
        server.bind("app.env")
        os.chdir(here)
        (tree / "folder.env").mkdir()
        expected = {".env": "a FIFO, no regular file", "app.env": "a socket, no regular file"}
        if os.geteuid() == 0:
            os.mknod(tree / "null.env", stat.S_IFCHR | 0o666, os.makedev(1, 5))
            expected["null.env"] = "a device, no regular file"
        findings, unread = report(tree)
    assert unread == expected
    assert floating(findings)


def test_large_files_are_listed_and_not_read(tree):
    with (tree / "compose.prod.yml").open("wb") as stream:
        stream.truncate(100_000_000)
    (tree / "one-line.env").write_bytes(b"A=")
    os.truncate(tree / "one-line.env", 1_000_000_000)
    (tree / "Dockerfile").write_text("FROM x:1\nRUN " + "a" * 1_900_000)
    (tree / "k8s.yaml").write_text("apiVersion: v1\nkind: ConfigMap\ndata:\n" + "  a: b\n" * 200_000)
    findings, unread = report(tree)
    assert floating(findings)
    assert unread["compose.prod.yml"] == "larger than 2 MB (100000000 bytes)"
    assert unread["one-line.env"] == "larger than 2 MB (1000000000 bytes)"


DEEP = {
    "docker-compose.override.yml": "services: " + "[" * 100_000,
    "compose.dash.yaml": "services:\n  a:\n" + "- " * 100_000,
    "compose.keys.yaml": "services:\n" + "".join(f"{' ' * i}a:\n" for i in range(1900)),
    "k8s/a.yaml": "kind: A\napiVersion: v1\na: " + "{a: " * 100_000 + "}" * 100_000,
    "k8s/bomb.yaml": "apiVersion: v1\nkind: A\na0: &a0 [x, x, x, x, x, x, x, x, x]\n"
    + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 40)),
    "k8s/merge.yaml": "apiVersion: v1\nkind: A\na0: &a0 {k0: v}\n"
    + "".join(f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 9)}], k{i}: v}}\n" for i in range(1, 40)),
    "k8s/self.yaml": "apiVersion: v1\nkind: A\na: &a {b: *a}\n",
    "package.json": '{"dependencies": ' + "[" * 200_000,
    "api/package.json": '{"a": ' * 100_000 + "1" + "}" * 100_000,
    "pyproject.toml": "a = " + "[" * 4_000,
    "api/Cargo.toml": ".".join(["a"] * 2_000) + " = 1\n",
    "a.ts": "process.env.A;" + "(" * 100_000,
    "b.rs": 'std::env::var("A"); // x\n' + "{" * 100_000,
    "c.py": "import os\nos.environ['A']  # x\nx = " + "[" * 100_000,
    "d.go": '// x\nvar a = os.Getenv("A")\n' + "a(" * 100_000,
    "e.php": "<?php env('A'); // x\n" + "$a[" * 100_000,
    "nginx.conf": "server {" * 100_000,
    ".env": "A=${B:-" * 50_000 + "\n" + 'C="' + "\n" * 5_000,
    "Dockerfile": "FROM a:1\nRUN <<A" + " <<A" * 20_000 + "\n" + "x\n" * 1_000,
    "deploy.sh": "psql <<A\n" * 20_000,
    "chart/Chart.yaml": "name: a\n",
    "chart/templates/a.yaml": "apiVersion: v1\nkind: A\na: {{" + "{{ .Values.a " * 50_000 + "}}" * 50_000,
    ".gitlab-ci.yml": "a: &a\n  extends: [a, b]\nb:\n  extends: [a, b]\n  script: [docker push a]\n",
    ".trimtab-ignore.yml": "- " * 100_000,
}


def test_depth_and_bombs(tree):
    for name, text in DEEP.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(text)
    findings, unread = report(tree)
    assert floating(findings)
    refused = {name for name in DEEP if name.endswith(("a.yaml", "bomb.yaml", "self.yaml", "merge.yaml"))} - {
        "chart/templates/a.yaml"
    }
    refused |= {
        "docker-compose.override.yml",
        "compose.dash.yaml",
        "compose.keys.yaml",
        "package.json",
        "api/package.json",
    }
    assert refused | {"pyproject.toml"} <= set(unread)


def test_nothing_in_a_file_is_run_or_built(tree):
    ran = tree / "ran"
    touch = f"touch {ran}"
    for name, text in {
        "compose.override.yml": f"services:\n  a: !!python/object/apply:os.system ['{touch}']\n",
        "k8s/a.yaml": f"apiVersion: v1\nkind: !!python/object/new:os.system ['{touch}']\n",
        ".env": f"A=$({touch})\nB=`{touch}`\n",
        "Dockerfile": f"FROM a:1\nRUN {touch}\nENV A=$({touch})\n",
        "Makefile": f"X := $(shell {touch})\na:\n\t{touch}\n",
        "deploy.sh": f'psql -c "$({touch})"\n',
        "setup.py": f"import os; os.system('{touch}'); os.environ['A']\n",
        "conftest.py": f"import os; os.system('{touch}')\n",
        "sitecustomize.py": f"import os; os.system('{touch}')\n",
        "trimtab/__init__.py": f"import os; os.system('{touch}')\n",
        "yaml.py": f"import os; os.system('{touch}')\n",
        "app.php": f"<?php system('{touch}'); env('A');",
        ".git/hooks/pre-commit": f"#!/bin/sh\n{touch}\n",
        ".git/config": f"[core]\n\tfsmonitor = {touch}\n\tpager = {touch}\n",
        "pyproject.toml": f"[build-system]\nbuild-backend = 'x'\n[tool.x]\na = '{touch}'\n",
    }.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(text)
    findings, _ = report(tree)
    assert floating(findings)
    assert not ran.exists()


NAMES = [
    b"a\nb.env",
    b"\x1b[2J\x1b]0;owned\x07.env",
    b"::error file=x::y.env",
    b"%0A::stop-commands::x.env",
    b"`<script>`.env",
    b"](javascript:x) [a.env",
    b"| a | b.env",
    b"$(touch ran).env",
    b" .env",
    b"a:b,c.env",
    "\u202egpj.env".encode(),
    "\x85\u2028.env".encode(),
]


def test_names_cannot_break_out_of_a_report(tree):
    for number, name in enumerate(NAMES):
        folder = tree / os.fsdecode(name.replace(b".env", b"-dir"))
        folder.mkdir()
        (folder / ".env.production").write_text(f"JWT_SECRET=9f8a7c6b5d4e3f2a1b0c9d8e7f6a{number:03}\n")
    (tree / os.fsdecode(b"\xff\xfe-dir")).mkdir()
    (tree / os.fsdecode(b"\xe9.env")).write_text("A=1\n")
    body = json.loads(run(tree, "--format", "json").stdout)
    found = {
        place["path"]
        for one in body["findings"]
        if one["rule"] == "secret-in-tracked-file"
        for place in one["locations"]
    }
    assert len(found) == len(NAMES)
    assert {item["path"]: item["reason"] for item in body["unread"]} == dict.fromkeys(
        ["\\udce9.env", "\\udcff\\udcfe-dir"], "its name is not UTF-8"
    )
    outputs = {form: run(tree, "--format", form).stdout.decode() for form in FORMATS}
    assert all(char == "\n" or char.isprintable() for form in ("text", "github", "markdown") for char in outputs[form])
    lines = outputs["github"].splitlines()
    assert len(lines) == len(body["findings"]) + len(body["unread"])
    assert all(line.startswith(("::error ", "::warning ", "::notice ")) for line in lines)
    places = [
        place["physicalLocation"]["artifactLocation"]["uri"]
        for result in json.loads(outputs["sarif"])["runs"][0]["results"]
        for place in result["locations"]
    ]
    assert all(uri.isascii() and not set(uri) & set(' \n<>"`|[]:') for uri in places)
    from markdown_it import MarkdownIt

    html = MarkdownIt("gfm-like", {"linkify": False}).enable("table").render(outputs["markdown"])
    assert "<script" not in html
    assert "<a " not in html
    assert "<table" not in html


def test_colour_does_not_let_escapes_through(tree):
    from trimtab.audit.report import text

    (tree / "docker-compose.yml").write_text('services:\n  "a\\e[2J":\n    image: "acme/\\e[31mx\\u009b2J:latest"\n')
    (tree / os.fsdecode(b"\x1b[2J.env")).symlink_to("/etc/passwd")
    shown = text.render(audit(tree), colour=True)
    assert "\x1b[2J" not in shown
    assert "\x9b" not in shown
    assert shown.count("\x1b") % 2 == 0


@pytest.mark.parametrize(
    "index",
    [
        b"DIRC" + struct.pack(">II", 2, 2**32 - 1) + b"\0" * 1000,
        b"DIRC" + struct.pack(">II", 4, 2**31) + (b"\0" * 60 + b"\0\0" + b"\xff" * 50 + b"\0") * 1000,
        b"DIRC" + struct.pack(">II", 4, 50_000) + (b"\0" * 62 + b"\0" + b"a" * 40 + b"\0") * 50_000,
        b"DIRC" + struct.pack(">II", 2, 3) + b"\xff" * 5000,
    ],
    ids=["too many", "strips more than there is", "grows with each entry", "all bits"],
)
def test_a_crafted_git_index(tree, index):
    (tree / ".git").mkdir()
    (tree / ".git" / "index").write_bytes(index)
    findings, _ = report(tree)
    assert floating(findings)


def test_many_services_and_files(tree):
    services = "".join(
        f"  s{i}: {{image: 'a/s{i}:1', ports: ['{10_000 + i}:80'], environment: {{A: b}}}}\n" for i in range(200)
    )
    (tree / "docker-compose.yml").write_text(COMPOSE + services)
    one = (
        "apiVersion: v1\nkind: Service\nmetadata: {{name: s{}}}\nspec: {{selector: {{a: b}}, ports: [{{port: 80}}]}}\n"
    )
    objects = [one.format(number) for number in range(200)]
    (tree / "k8s.yaml").write_text("---\n".join(objects))
    (tree / ".env").write_text("".join(f"NAME_{i}={i}\n" for i in range(2_000)))
    for number in range(3_000):
        (tree / f"{number}.txt").touch()
    deep = tree
    for _ in range(80):
        deep /= "d"
        deep.mkdir()
    findings, unread = report(tree)
    assert floating(findings)
    assert list(unread) == ["/".join("d" * 61)]
