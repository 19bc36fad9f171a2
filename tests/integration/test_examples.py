"""Each folder of tests/examples is a snapshot of what its settings render: a new folder is a new test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pytest_snapshot.plugin import Snapshot

from tests import reference
from tests.conftest import EXAMPLES, ROOT
from trimtab.pipeline import render


def nested(tree: dict[str, bytes]) -> dict[str, Any]:
    """`{"a/b": x}` as `{"a": {"b": x}}`, the form that pytest-snapshot compares with a folder."""
    result: dict[str, Any] = {}
    for path, content in tree.items():
        *folders, name = path.split("/")
        here = result
        for folder in folders:
            here = here.setdefault(folder, {})
        here[name] = content
    return result


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda p: p.name)
def test_example_renders_as_expected(example: Path, snapshot: Snapshot) -> None:
    tree = {path: file.content for path, file in render(example / "trimtab.yml").items() if path != "trimtab.yml"}
    snapshot.snapshot_dir = example
    snapshot.assert_match_dir(nested(tree), "expected")


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda p: p.name)
def test_another_machine_gives_the_same_bytes(example: Path, tmp_path: Path) -> None:
    """Another user, home, folder, time zone, locale and hash seed."""
    import os
    import subprocess
    import sys

    (tmp_path / "trimtab.yml").write_bytes((example / "trimtab.yml").read_bytes())
    code = "import sys, pathlib; from trimtab.pipeline import render; t = render(pathlib.Path('trimtab.yml'));"
    code += "sys.stdout.buffer.write(repr({p: (f.content, f.executable) for p, f in t.items()}).encode())"
    other = {"HOME": str(tmp_path), "USER": "other", "TZ": "Asia/Tokyo", "LC_ALL": "C", "PYTHONHASHSEED": "7"}
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "generator"), **other}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, check=True)
    here = {path: (file.content, file.executable) for path, file in render(example / "trimtab.yml").items()}
    assert done.stdout.decode() == repr(here)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda p: p.name)
def test_no_place_or_moment_is_in_the_output(example: Path) -> None:
    import datetime

    text = b"\n".join(file.content for file in render(example / "trimtab.yml").values()).decode()
    today = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    for trace in (str(ROOT), today):
        assert trace not in text


@pytest.mark.parametrize("page", reference.PAGES)
def test_reference_page_is_current(page: str) -> None:
    assert (ROOT / page).read_text() == reference.PAGES[page](), "run `make docs`"
