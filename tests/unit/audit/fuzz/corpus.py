"""What fuzzing starts from: for each reader of facts a file in `seeds/` that it reads, and the fixtures that it reads.

A reader is named by the path of its seed. Seeds end in `.seed`, so that no tool takes them for this repository's own.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

SEEDS = Path(__file__).parent / "seeds"
REPOS = Path(__file__).parents[3] / "repos"
READERS = tuple(sorted(file.relative_to(SEEDS).as_posix().removesuffix(".seed") for file in SEEDS.rglob("*.seed")))

# Fixtures whose names differ from the seed's. Any other seed stands for files of the same name, or ending for sources.
_FIXTURES = {
    "docker-compose.yml": r".*compose.*\.ya?ml",
    "Dockerfile": r"(.*/)?Dockerfile.*",
    "k8s/app.yaml": r"(k8s|.*/k8s)/.*\.ya?ml",
    ".env.production": r"(.*/)?(\.?env(\..*)?|.*\.env)",
    ".github/workflows/ci.yml": r"\.github/workflows/.*",
    "deploy.sh": r".*\.sh",
    "nginx.conf": r".*\.conf",
    "migrations/001_a.sql": r".*\.sql",
}
# What every tree has beside the file, so that charts are charts and references lead somewhere.
BESIDE = {
    "chart/Chart.yaml": b"name: a\n",
    "b.yml": b"services: {base: {image: 'x:1'}}\n",
    ".env": b"A=1\n",
}


@cache
def seed(reader: str) -> str:
    """The text that a reader's fuzzing starts from."""
    return (SEEDS / f"{reader}.seed").read_text()


@cache
def trees(reader: str) -> tuple[tuple[str, dict[str, bytes]], ...]:
    """(path, the tree that it is in): the seed in a tree of its own, then each fixture's file for the reader."""
    ending = reader.rsplit(".", 1)[-1]
    same = rf"(.*/)?{re.escape(reader.rsplit('/', 1)[-1])}" if "src/main." not in reader else rf".*\.{ending}"
    pattern = re.compile(_FIXTURES.get(reader, same))
    found = [(reader, {**BESIDE, reader: seed(reader).encode()})]
    for tree in _trees():
        found += [(path, tree) for path in sorted(tree) if pattern.fullmatch(path)]
    return tuple(found)


@cache
def texts(reader: str) -> tuple[str, ...]:
    """Every different text to start from for a reader."""
    return tuple(dict.fromkeys(tree[path].decode() for path, tree in trees(reader)))


@cache
def words(reader: str) -> tuple[str, ...]:
    """The tokens that a reader's texts are made of: what random text must hold to get past its first look."""
    return tuple(
        sorted({word for text in texts(reader) for word in re.findall(r"[\w./-]+\s?[:=(]?|[^\w\s]{1,3}", text)})
    )


@cache
def _trees() -> tuple[dict[str, bytes], ...]:
    """Each small repository among the fixtures; the platform's is too large to be audited thousands of times."""
    trees: dict[str, dict[str, bytes]] = {}
    for file in sorted(REPOS.rglob("*")):
        parts = file.relative_to(REPOS).as_posix().split("/", 2)
        if file.is_file() and len(parts) == 3 and parts[0] != "platform":
            trees.setdefault("/".join(parts[:2]), {})[parts[2]] = file.read_bytes()
    return tuple(trees.values())
