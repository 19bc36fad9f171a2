"""Every reader of facts on hostile files: no crash, no hang, and reports that stay whole.

`TRIMTAB_FUZZ_SECONDS=600` makes the run as long as wished, with an equal share for each test. Without it, a few
examples of each run with every commit.
"""

from __future__ import annotations

import json
import os
import time
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.unit.audit.fuzz import corpus
from tests.unit.audit.fuzz.hold import check, time_limit
from trimtab.audit import baseline
from trimtab.audit.engine import audit_repo
from trimtab.errors import TrimtabError
from trimtab.gitindex import parse_index
from trimtab.repo import Repo

SECONDS = float(os.environ.get("TRIMTAB_FUZZ_SECONDS", "0"))
EXAMPLES = 100 if SECONDS else 3
STRUCTURED = (
    "docker-compose.yml",
    "k8s/app.yaml",
    "chart/values.yaml",
    "k8s/base/kustomization.yaml",
    ".github/workflows/ci.yml",
    ".gitlab-ci.yml",
    "src/main/resources/application.yml",
    ".trimtab-ignore.yml",
    "package.json",
    "composer.json",
    "package-lock.json",
    "global.json",
)
SHARES = 3 * len(corpus.READERS) + len(STRUCTURED) + 3

fuzz = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    phases=(Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
)


def repeatedly(test: Any) -> None:
    """Run a property once, and then for its share of the time that was asked for."""
    end = time.monotonic() + SECONDS / SHARES
    test()
    while time.monotonic() < end:
        test()


@pytest.mark.parametrize("reader", corpus.READERS)
def test_any_bytes(reader):
    @fuzz
    @given(st.binary(max_size=200), st.sampled_from(["utf-8-sig", "utf-16", "utf-32", "latin-1"]))
    def run(data, encoding):
        start = corpus.seed(reader).encode(encoding, "replace")
        check({**corpus.BESIDE, reader: start[: len(data)] + data + start[len(data) :]})
        check({**corpus.BESIDE, reader: data})

    repeatedly(run)


# Characters that end a token, a string or a line somewhere, or that are none that anybody expects.
ODD = st.sampled_from(
    [
        *"\n\r\t \0\"'`\\{}[]()<>#$%&*:;,|@!?=+-~^/",
        *("\r\n", "\ufeff", "\u2028", "\x85", "\x1b[2J", "\x0c", "é", "ǆ", "\U0001d54f", "İ", "٣"),
        *("{{", "}}", "${", "$$", "${{", "---\n", "<<: *", "&a ", "!!python/object:os.system ", "::error::", "</a>"),
        *("99999999999999999999", "-1", "0x10", "1e999", ".inf", "2024-01-01", "22:22", "`" * 4),
        *("../" * 9, "/etc/passwd", "file:///etc"),
    ]
)


def edits(reader):
    """A file of a fixture's tree, and edits to make in it."""
    new = st.one_of(ODD, st.sampled_from(corpus.words(reader)), st.text(max_size=8))
    kinds = st.sampled_from(["insert", "replace", "cut", "double", "swap", "indent", "value"])
    edit = st.tuples(kinds, st.integers(0, 2**16), new)
    return st.tuples(st.sampled_from(corpus.trees(reader)), st.lists(edit, min_size=1, max_size=8))


def edited(text, steps):
    for kind, place, new in steps:
        at = place % (len(text) + 1)
        if kind == "insert":
            text = text[:at] + new + text[at:]
        elif kind == "replace":
            text = text[:at] + new + text[at + len(new) :]
        elif kind == "cut":
            text = text[:at] + text[at + place % 50 :]
        else:
            text = "\n".join(edited_lines(text.split("\n"), kind, place, new))
    return text


def edited_lines(lines, kind, place, new):
    number, other = place % len(lines), (place // 7) % len(lines)
    if kind == "double":
        lines[number:number] = [lines[number]] * (place % 5)
    elif kind == "swap":
        lines[number], lines[other] = lines[other], lines[number]
    elif kind == "indent":
        lines[number] = " " * (place % 9) + lines[number].lstrip()
    else:
        key, sign, _ = lines[number].partition(":")
        lines[number] = f"{key}{sign} {new}" if sign else new
    return lines


@pytest.mark.parametrize("reader", corpus.READERS)
def test_files_that_went_wrong(reader):
    @fuzz
    @given(edits(reader))
    def run(case):
        (path, tree), steps = case
        check({**tree, path: edited(tree[path].decode(), steps).encode()})

    repeatedly(run)


@pytest.mark.parametrize("reader", corpus.READERS)
def test_words_in_any_order(reader):
    @fuzz
    @given(st.lists(st.one_of(st.sampled_from(corpus.words(reader)), ODD), max_size=60))
    def run(words):
        check({**corpus.BESIDE, reader: "".join(words).encode()})

    repeatedly(run)


REFERENCES = ["${A}", "${A:-${B}}", "{{ .Values.a }}", "a:b:c:d", "80:", ":80", "80-90:80-90", "a@b", "$", "{a: b}"]
SCALARS = st.one_of(
    *(st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.dates().map(str)),
    *(ODD, st.text(max_size=5), st.sampled_from(REFERENCES)),
)
KEYS = st.one_of(st.text(max_size=5), st.sampled_from(["name", "a", "$", "<<"]))
WRONG = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=4,
)


def places(value, here=()):
    """The path of every value within a document."""
    yield here
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from places(child, (*here, key))


def changed(value, path, new):
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = changed(value[path[0]], path[1:], new)
    return copy


@pytest.mark.parametrize("reader", STRUCTURED)
def test_wrong_types_at_every_place(reader):
    """Any value of any type in the place of each value of a good file."""
    # BaseLoader: every scalar stays the text that it is.
    good = [list(yaml.load_all(text, Loader=yaml.BaseLoader)) for text in corpus.texts(reader) if "{{" not in text]
    cases = [(documents, path) for documents in good for path in places(documents) if path]
    as_json = reader.endswith(".json")
    assert len(cases) > 2

    @fuzz
    @given(st.lists(st.tuples(st.sampled_from(cases), WRONG), min_size=1, max_size=10))
    def run(picked):
        for (documents, path), new in picked:
            wrong = changed(documents, path, new)
            text = json.dumps(wrong[0]) if as_json else "---\n".join(yaml.safe_dump(one) for one in wrong)
            check({**corpus.BESIDE, reader: text.encode()})

    repeatedly(run)


def test_any_names():
    part = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=12)
    known = ["Dockerfile", "docker-compose.yml", "k8s", ".env", "src", "main.py", "Chart.yaml", "templates"]
    known += ["migrations", "001_a.sql", "package.json"]
    parts = st.one_of(part.filter(lambda name: name not in (".", "..")), st.sampled_from(known))
    paths = st.lists(parts, min_size=1, max_size=5).map("/".join)
    contents = st.sampled_from([text for reader in (*STRUCTURED[:2], "Dockerfile") for text in corpus.texts(reader)])

    @fuzz
    @given(st.dictionaries(paths, contents, min_size=1, max_size=6))
    def run(files):
        check({name: text.encode() for name, text in files.items()})

    repeatedly(run)


INDEX = (
    b"DIRC\0\0\0\2\0\0\0\2"
    + (b"\0" * 60 + b"\0\5" + b"a.txt" + b"\0" * 5)
    + (b"\0" * 60 + b"\0\3" + b"b/c" + b"\0" * 7)
)


def test_any_git_index():
    assert parse_index(INDEX) == {"a.txt", "b/c"}
    change = st.tuples(st.integers(0, len(INDEX)), st.binary(max_size=4))

    @fuzz
    @given(
        st.sampled_from([2, 3, 4]),
        st.integers(0, 2**32 - 1),
        st.binary(max_size=300),
        st.lists(change, max_size=4),
        st.integers(0, len(INDEX)),
    )
    def run(version, count, tail, changes, cut):
        head = b"DIRC" + version.to_bytes(4, "big") + count.to_bytes(4, "big")
        spoilt = INDEX
        for place, new in changes:
            spoilt = spoilt[:place] + new + spoilt[place + len(new) :]
        for data in (tail, head + tail, spoilt, INDEX[:cut], head + INDEX[12:]):
            with time_limit():
                found = parse_index(data)
            assert found is None or all(isinstance(path, str) for path in found)

    repeatedly(run)


def test_any_baseline(tmp_path):
    file = tmp_path / "baseline.json"
    good = {"version": 1, "findings": [{"rule": "a", "fingerprint": "b", "title": "c"}]}

    @fuzz
    @given(st.sampled_from(list(places(good))), WRONG, st.binary(max_size=50))
    def run(path, new, data):
        for raw in (json.dumps(changed(good, path, new)).encode(), data, b"[" * 100_000):
            file.write_bytes(raw)
            try:
                found = baseline.load(file)
            except TrimtabError as error:
                assert str(file) in error.message
            else:
                assert isinstance(found, frozenset)

    repeatedly(run)


REPEATS = (
    *(
        "{",
        "[",
        "(",
        "<",
        " ",
        "a ",
        "\t",
        "\n",
        "$",
        "${A:-",
        "$(",
        '"',
        "'",
        "`",
        "\\",
        "\\\n",
        "a: ",
        "A=",
        "- ",
        "x.",
    ),
    *(
        "/a",
        "a=b ",
        "{{ a }}",
        "{{",
        "RUN <<E\n",
        "kubectl a ",
        "-",
        "--a ",
        "a,",
        "a|",
        "/*",
        "//",
        "#",
        "'''",
        "env(",
    ),
    *("a:b:", "0", "<a>", "a_", "A-", "@", "http://a", "postgres://", ".env"),
)


@pytest.mark.parametrize("reader", corpus.READERS)
def test_long_repetitions_do_not_hang(reader):
    """Runs of what an expression might try in more ways than one, before, behind and within a text that is read."""
    text = corpus.seed(reader)
    head, _, last = text.rstrip("\n").rpartition("\n")
    half = last[: len(last) // 2]
    for repeat in REPEATS if SECONDS else REPEATS[len(reader) % 6 :: 6]:
        run = repeat * (60_000 // len(repeat))
        for hostile in (text + run, run + text, f"{head}\n{last}{run}\n", f"{half}{run}\n{text}"):
            with time_limit():
                audit_repo(Repo.from_texts({**corpus.BESIDE, reader: hostile}))
