"""The file tree and YAML: what is read, what is refused, and that lines stay right."""

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from trimtab.audit.engine import audit, audit_repo
from trimtab.audit.facts import source
from trimtab.audit.facts.collect import collect
from trimtab.audit.facts.query import is_called
from trimtab.errors import TrimtabError
from trimtab.gitindex import parse_index
from trimtab.repo import MAX_FILE_BYTES, Repo
from trimtab.yamlpos import Map, load_all

COMPOSE = b"services:\n  api:\n    image: acme/api:latest\n"


def floating(report):
    return [
        (place.path, place.line)
        for finding in report.findings
        if finding.rule == "floating-image-tag"
        for place in finding.locations
    ]


@pytest.mark.parametrize(
    "data",
    [
        COMPOSE,
        COMPOSE.replace(b"\n", b"\r\n"),
        b"\xef\xbb\xbf" + COMPOSE,
        b"# caf\xe9\n"[:0] + COMPOSE + b"# caf\xe9\n",
        COMPOSE.decode().encode("utf-16"),
    ],
    ids=["plain", "crlf", "bom", "latin-1", "utf-16"],
)
def test_reads_every_encoding(data):
    assert floating(audit_repo(Repo.from_texts({"docker-compose.yml": data}))) == [("docker-compose.yml", 3)]


def test_a_broken_document_leaves_the_others():
    text = "a: [\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\nspec:\n  template:\n    spec:\n      containers:\n        - {name: x, image: acme/x:latest}\n"  # noqa: E501
    report = audit_repo(Repo.from_texts({"k8s/x.yaml": text}))
    assert floating(report) == [("k8s/x.yaml", 10)]
    assert [item.path for item in report.unread] == ["k8s/x.yaml"]


def test_yaml_keeps_what_is_written():
    body = load_all("on: push\nport: 22:22\nversion: 3.10\nempty:\n").items[0].value
    assert isinstance(body, Map)
    assert (body["on"], body["port"], body["version"], body["empty"]) == ("push", "22:22", "3.10", None)
    assert body.line_of("version") == 3


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
        + "".join(f"{chr(98 + i)}: &{chr(98 + i)} [" + ",".join([f"*{chr(97 + i)}"] * 10) + "]\n" for i in range(9)),
        "a: &a [*a]\n",
        "[" * 100_000,
        "{a: " * 50_000,
        "\n".join(" " * i + "a:" for i in range(5000)),
        "- " * 100_000,
    ],
    ids=["bomb", "loop", "brackets", "braces", "indent", "dashes"],
)
def test_hostile_yaml_is_refused_quickly(text):
    start = time.monotonic()
    report = audit_repo(Repo.from_texts({"docker-compose.yml": text}))
    assert time.monotonic() - start < 5
    assert [item.path for item in report.unread] == ["docker-compose.yml"]


def test_links_out_of_the_tree_and_loops_are_not_followed(tmp_path):
    root, outside = tmp_path / "repo", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    (outside / "docker-compose.yml").write_bytes(COMPOSE)
    (root / "docker-compose.yml").symlink_to(outside / "docker-compose.yml")
    (root / "loop").symlink_to(root, target_is_directory=True)
    (root / "away").symlink_to(outside, target_is_directory=True)
    (root / "dangling").symlink_to(root / "nowhere")
    report = audit(root)
    assert report.findings == ()
    assert {item.path for item in report.unread} == {"docker-compose.yml", "away", "dangling"}


def test_special_and_large_files(tmp_path):
    os.mkfifo(tmp_path / "compose.yaml")
    with (tmp_path / "docker-compose.yml").open("wb") as stream:
        stream.truncate(100_000_000)
    (tmp_path / "node_modules").mkdir()
    (tmp_path / "node_modules" / "docker-compose.yml").write_bytes(COMPOSE)
    report = audit(tmp_path)
    assert report.findings == ()
    assert {item.path: item.reason for item in report.unread} == {
        "compose.yaml": "a FIFO, no regular file",
        "docker-compose.yml": "larger than 2 MB (100000000 bytes)",
    }
    assert MAX_FILE_BYTES < 100_000_000


def test_a_submodule_is_listed_and_left_alone(tmp_path):
    inner = tmp_path / "lib"
    inner.mkdir()
    (inner / ".git").write_text("gitdir: ../.git/modules/lib\n")
    (inner / "docker-compose.yml").write_bytes(COMPOSE)
    report = audit(tmp_path)
    assert report.findings == ()
    assert [item.path for item in report.unread] == ["lib"]


@pytest.fixture
def nobody() -> Iterator[Path]:
    """A folder, read as a user for whom permissions count: root reads every file."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "docker-compose.yml").write_bytes(COMPOSE)
        audit(root)  # what is imported lazily may lie below a home of root's
        root.chmod(0o755)
        (root / "docker-compose.yml").chmod(0)
        user = os.geteuid()
        if user == 0:
            os.seteuid(65534)
        try:
            yield root
        finally:
            os.seteuid(user)


def test_an_unreadable_file_is_listed(nobody):
    assert [item.path for item in audit(nobody).unread] == ["docker-compose.yml"]


def test_an_empty_directory_is_clean_and_no_directory_is_an_error(tmp_path):
    assert audit(tmp_path).findings == ()
    with pytest.raises(TrimtabError):
        audit(tmp_path / "nowhere")


@pytest.mark.parametrize("version", ["2", "4"])
def test_reads_the_git_index(tmp_path, version):
    def git(*words):
        subprocess.run(["git", "-C", tmp_path, *words], check=True, capture_output=True)

    git("init")
    git("config", "index.version", version)
    names = ["a.txt", "deep/er/b.txt", "deep/er/c-with-a-much-longer-name.txt", "é.txt"]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    git("add", ".")
    (tmp_path / "untracked.txt").write_text("x")
    repo = Repo.from_disk(tmp_path)
    assert {name for name in repo.files if repo.is_tracked(name)} == set(names)


def test_an_index_that_is_none_is_no_index():
    assert parse_index(b"") is None
    assert parse_index(b"DIRC" + b"\0" * 100) is None


def test_merge_keys_are_filled_in():
    text = "x-base: &base\n  image: acme/api:latest\nservices:\n  api:\n    <<: *base\n"
    assert floating(audit_repo(Repo.from_texts({"docker-compose.yml": text}))) == [("docker-compose.yml", 2)]


def test_a_secret_in_a_file_that_git_leaves_out_is_no_finding(tmp_path: Path) -> None:
    for name in (".env.production", "env.production"):
        (tmp_path / name).write_text("JWT_SECRET=9f8a7c6b5d4e3f2a1b0c9d8e7f6a5b4c\n")
    for command in (["init", "-q"], ["add", "env.production"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    places = [x.place.path for x in collect(Repo.from_disk(tmp_path)).secrets]
    assert places == ["env.production"]


@pytest.mark.parametrize(
    ("path", "text", "names"),
    [
        ("a.ts", "/*\n const a = process.env.OLD_NAME;\n*/\nconst b = process.env.NEW_NAME;\n", ["NEW_NAME"]),
        ("a.ts", "const b = process.env.NEW_NAME; // process.env.OLD_NAME\n", ["NEW_NAME"]),
        ("a.ts", "const u = 'http://x'; const b = process.env.NEW_NAME;\n", ["NEW_NAME"]),
        ("a.py", "import os\n# os.environ['OLD_NAME']\nb = os.environ['NEW_NAME']\n", ["NEW_NAME"]),
        ("a.js", "const { A_NAME, B_NAME = 1 } = process.env;\n", ["A_NAME", "B_NAME"]),
        ("a.js", "const a = process.env.A_NAME || process.env['B_NAME'];\n", ["A_NAME", "B_NAME"]),
    ],
)
def test_variables_are_read_from_code_and_not_from_comments(path, text, names):
    facts = collect(Repo.from_texts({path: text}))
    assert sorted(read.name for read in facts.reads) == names


def test_a_text_whose_finds_stand_far_from_comments_is_not_parsed(monkeypatch):
    monkeypatch.setattr(source, "without_comments", lambda *_: pytest.fail("parsed"))
    text = "// a comment\n\n\n\nconst b = process.env.NEW_NAME;\n"
    assert [read.line for read in (one.place for one in collect(Repo.from_texts({"a.ts": text})).reads)] == [5]


def test_a_script_is_called_where_its_name_stands_whole():
    files = {"scripts/a.sh": "true\n", "scripts/b.sh": "bash ./scripts/a.sh;\n", "scripts/c.sh": "bash data.sh\n"}
    facts = collect(Repo.from_texts(files))
    assert [is_called(f"scripts/{name}.sh", facts) for name in "abc"] == [True, False, False]
