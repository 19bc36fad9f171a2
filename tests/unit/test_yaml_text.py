"""Strict YAML: what is refused, and with which line."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from trimtab.settings.yaml_text import MAX_DEPTH, YamlProblem, read_yaml


@pytest.mark.parametrize(
    ("text", "line", "path", "what"),
    [
        ("a: 8.10\n", 1, ("a",), "the number 8.1"),
        ("x: 1\na: yes\n", 2, ("a",), "the truth value true"),
        ("a: 2026-01-01\n", 1, ("a",), "a date"),
        ("a: 12:30\n", 1, ("a",), "the number 750"),
        ("a: 0755\n", 1, ("a",), "the number 493"),
        ("a: =\n", 1, ("a",), "not a value"),
        ("a: 1\nb: 2\na: 3\n", 3, ("a",), "stands twice (first on line 1)"),
        ("on: 1\n", 1, ("on",), "on is read by YAML as the truth value"),
        ('a: "\\u2028"\n', 1, ("a",), "U+2028"),
    ],
)
def test_a_value_that_yaml_would_change_is_refused(text: str, line: int, path: tuple[str], what: str) -> None:
    (problem,) = read_yaml(text).problems
    assert (problem.line, problem.path) == (line, path)
    assert what in problem.what


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("a: &x 1\n", 1, "anchor"),
        ("b: 1\na: *x\n", 2, "alias"),
        ("a:\n\t- b\n", 2, "tab"),
        ("a: 1\n<<<<<<< HEAD\nb: 1\n=======\nb: 2\n>>>>>>> main\n", 2, "merge conflict"),
        ("<<<<<<< HEAD\n", 1, "merge conflict"),
        ("a: 1\nb: \u2028\n", 2, "U+2028"),
        ("a: 1\nb c\nd: 2\n", 2, "before line 3"),
        ("a: 'x\nb: 1\n", 1, "before line 3"),
        ("a: [1\n", 1, "before line 2"),
        ("a: 1\n---\nb: 2\n", 2, "second document"),
        ("a: !!python/object:os.system x\n", 1, "tag"),
        ("? [a]\n: b\n", 1, "a key is a list"),
        ("a: 1\n<<: {b: 2}\n", 2, "merge keys"),
        ("[" * (MAX_DEPTH + 5), 1, "levels deep"),
        ("a: \x01\n", 1, "not valid YAML"),
        ("a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]\n", 1, "anchor"),
    ],
)
def test_a_document_that_cannot_be_read_on_tells_where(text: str, line: int, what: str) -> None:
    with pytest.raises(YamlProblem) as caught:
        read_yaml(text)
    assert caught.value.problem.line == line
    assert what in caught.value.problem.what


def test_lines_are_those_of_keys_and_items() -> None:
    document = read_yaml("a:\n  b: 1\n  c:\n    - x\n    - y\n")
    assert [document.line_of(p) for p in (("a", "b"), ("a", "c", 1), ("a", "nowhere"), ())] == [2, 5, 1, 1]


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(st.text(min_size=1, max_size=8), _values, max_size=4))
def test_what_is_accepted_means_what_copier_reads(data: dict[str, object]) -> None:
    text = yaml.safe_dump(data, allow_unicode=True)
    try:
        document = read_yaml(text)
    except YamlProblem:
        return
    if not document.problems:
        assert document.value == yaml.safe_load(text)


@given(st.text(max_size=60))
def test_any_text_gives_a_document_or_a_problem(text: str) -> None:
    try:
        read_yaml(text)
    except YamlProblem as error:
        assert 1 <= error.problem.line <= text.count("\n") + text.count("\r") + 2
