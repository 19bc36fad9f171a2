"""The claims, the tests that prove them, and what cannot be run: `claims.yml`, read and checked."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
FILE = Path(__file__).with_name("claims.yml")


@dataclass(frozen=True)
class Claim:
    """What is said, the tests that prove it, the engines that they run on, and what part cannot be run here."""

    says: str
    tests: tuple[str, ...]
    engines: tuple[str, ...] = ()
    not_here: str = ""

    def proven_by(self, test: str) -> bool:
        """Whether a test (`tests/unit/test_x.py::test_y`) is one of those that are named."""
        return any(_covers(name, test) for name in self.tests)


@dataclass(frozen=True)
class Claims:
    """`readme`: claims in the README's words. `further`: others. `no_promise`: what the README says without a claim.

    `not_run`: what could not be run where this is developed, and why.
    """

    readme: tuple[Claim, ...]
    further: tuple[Claim, ...]
    no_promise: tuple[str, ...]
    not_run: tuple[str, ...]

    @property
    def every(self) -> tuple[Claim, ...]:
        """All claims, those of the README first."""
        return self.readme + self.further


def load(text: str | None = None) -> Claims:
    """The claims of `claims.yml`, or of a text of that form."""
    raw = yaml.safe_load(FILE.read_text(encoding="utf-8") if text is None else text)

    def claim(says: str, tests: list[str], engines: list[str] | None = None, not_here: str = "") -> Claim:
        return Claim(says, tuple(tests), tuple(engines or ()), not_here)

    def claims(key: str) -> tuple[Claim, ...]:
        return tuple(claim(**entry) for entry in raw[key])  # another key is an error

    return Claims(claims("readme"), claims("further"), tuple(raw["no_promise"]), tuple(raw["not_run"]))


def unproven(claims: Claims, statements: list[str]) -> list[str]:
    """What is wrong between the claims and the statements of the README, a line each."""
    said = [*(c.says for c in claims.readme), *claims.no_promise]
    return [
        *(f"README.md says {s!r}: name its tests in tests/proof/claims.yml" for s in statements if s not in said),
        *(f"tests/proof/claims.yml: README.md no longer says {s!r}" for s in said if s not in statements),
        *(f"tests/proof/claims.yml: {c.says!r} names no test" for c in claims.every if not c.tests),
        *(f"tests/proof/claims.yml: {t}: there is no such test" for c in claims.every for t in c.tests if not _is(t)),
    ]


def is_long(name: str) -> bool:
    """Whether the tests of a file are those of `make live-long`, which CI leaves out."""
    path = ROOT / name.partition("::")[0]
    return path.is_file() and "pytest.mark.long" in path.read_text(encoding="utf-8")


def _covers(name: str, test: str) -> bool:
    file, _, function = name.partition("::")
    of_test, _, called = test.partition("::")
    here = of_test == file or of_test.startswith(f"{file.rstrip('/')}/")
    return here and function in ("", called)


def _is(name: str) -> bool:
    file, _, function = name.partition("::")
    path = ROOT / file
    if not function:
        return path.is_file() or any(path.rglob("test_*.py"))
    if not path.is_file():
        return False
    body = ast.parse(path.read_text(encoding="utf-8")).body
    return any(isinstance(node, ast.FunctionDef) and node.name == function for node in body)
