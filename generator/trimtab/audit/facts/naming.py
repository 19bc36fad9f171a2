"""What a path says: the environment that a file is for, and whether it is part of a deployment at all."""

from __future__ import annotations

import re
from functools import lru_cache

_ENVIRONMENTS = {
    "prod": "production",
    "production": "production",
    "live": "production",
    "prd": "production",
    "staging": "staging",
    "stage": "staging",
    "stg": "staging",
    "preprod": "staging",
    "uat": "staging",
    "dev": "local",
    "develop": "local",
    "development": "local",
    "local": "local",
    "devel": "local",
    "debug": "local",
    "override": "local",
    "localhost": "local",
    "devcontainer": "local",
    "test": "test",
    "tests": "test",
    "testing": "test",
    "ci": "test",
    "e2e": "test",
    "integration": "test",
    "playwright": "test",
    "bench": "test",
    "benchmark": "test",
    "cypress": "test",
    "example": "example",
    "sample": "example",
    "template": "example",
    "dist": "example",
    "default": "example",
    "tmpl": "example",
}
_TOKENS = re.compile(r"[^a-z0-9]+")

# Files under these directories show or test something; they do not deploy the repository's services.
_AUXILIARY = frozenset(
    [
        "test",
        "tests",
        "testing",
        "__tests__",
        "spec",
        "specs",
        "fixtures",
        "fixture",
        "testdata",
        "test-data",
        "example",
        "examples",
        "sample",
        "samples",
        "demo",
        "demos",
        "docs",
        "doc",
        "documentation",
        "website",
        "e2e",
        "cypress",
        "playwright",
        "benchmark",
        "benchmarks",
        "bench",
        "mocks",
        "__mocks__",
        "snippets",
        "tutorial",
        "tutorials",
        "cookiecutter",
        "third_party",
        "third-party",
        "thirdparty",
        "external",
        "backup",
        "backups",
        "bak",
        "old",
        "obsolete",
        "archive",
        "archived",
        "deprecated",
        "legacy-docs",
        ".devcontainer",
        ".github-templates",
        "stories",
        "__fixtures__",
        "__snapshots__",
        "test_data",
        "playground",
    ]
)


@lru_cache(maxsize=65536)
def environment_of(path: str) -> str:
    """The environment that `path` names: by its file name first, then by its directories, innermost first;
    "" for none.

        A real environment wins over `example` in one name: `.env.production.example` shows production's values,
        and is an example.
    """
    parts = path.lower().split("/")
    for index, part in enumerate(reversed(parts)):
        tokens = [token for token in _TOKENS.split(part) if token]
        found = [_ENVIRONMENTS[token] for token in tokens if token in _ENVIRONMENTS]
        if "example" in found and index == 0:
            return "example"
        if found:
            return found[0]
        if index and part in _AUXILIARY:
            break
    return ""


def is_auxiliary(path: str) -> bool:
    """Whether the file only shows or tests something (by its directories), so that it deploys nothing of
    this repository.
    """
    return _is_auxiliary_directory(path.rpartition("/")[0])


@lru_cache(maxsize=65536)
def _is_auxiliary_directory(path: str) -> bool:
    return any(part.lower() in _AUXILIARY or "{{" in part for part in path.split("/"))


def comparable(one: str, other: str) -> bool:
    """Whether values for two environments must agree: development and test may differ from all others by
    design.
    """
    apart = {"local", "test"}
    return one == other or not (one in apart or other in apart)
