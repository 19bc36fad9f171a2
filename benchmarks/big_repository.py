"""A repository of many services, for measurements: what a monorepo holds, in about the proportions that it does.

Of each 100 files 58 are sources in six languages and their tests, 17 are deployment files (Dockerfiles, compose,
Kubernetes with overlays, a workflow, env files, nginx), and the rest manifests, migrations, data, assets and texts.
`service/` holds the texts; `@name@` in them is filled in. Kubernetes has another port than the rest for every tenth
service, so that rules find something and reports are written.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

PER_SERVICE = 100
SOURCES = 58
_SERVICE = Path(__file__).parent / "service"
_ENDINGS = ("ts", "py", "go", "rs", "java", "tsx")
_WORDS = (_SERVICE / "words.txt").read_text().split()


def build(root: Path, number_of_files: int) -> None:
    """Write a repository of about that many files below `root`."""
    for number in range(max(1, number_of_files // PER_SERVICE)):
        for path, text in files(number):
            file = root / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)


def files(number: int) -> Iterator[tuple[str, str]]:
    """(path, text) of the 100 files of one service; the same for the same number on every machine."""
    chance = random.Random(number)
    name, port = f"service-{number}", 3000 + number % 1000
    given = {"name": name, "port": port, "host": 20000 + number, "kube": port + (number % 10 == 9)}
    home = f"services/{name}"
    made = {f".github/workflows/{name}.yml": _fill(_text("workflow.yml"), given)}
    for path in _paths():
        made[f"{home}/{path}"] = _fill(_text(f"files/{path}"), given)
    main, side = _ENDINGS[number % len(_ENDINGS)], _ENDINGS[(number + 1) % len(_ENDINGS)]
    for index in range(SOURCES):
        ending = main if index % 3 else side
        stem = f"{_word(number + index)}_{index}" + (".test" if index % 8 == 7 else "")
        made[f"{home}/src/{chance.choice(_WORDS)}/{stem}.{ending}"] = _source(chance, ending)
    made[f"{home}/src/main.{main}"] = _fill(_text(f"source/{main}/main.txt"), given)
    for index in range(4):
        made[f"{home}/migrations/000{index}_{_word(index)}.sql"] = (
            f"CREATE TABLE {_word(index)} (id bigint PRIMARY KEY, {chance.choice(_WORDS)} text NOT NULL);\n" * 3
        )
    made[f"{home}/package-lock.json"] = _lock(chance)
    while len(made) < PER_SERVICE:
        index = len(made)
        if index % 2:
            made[f"{home}/assets/{_word(index)}.svg"] = '<svg viewBox="0 0 9 9"><path d="M0 0h9"/></svg>\n' * 9
        else:
            rows = ",\n".join(f'  {{"{word}": "{chance.choice(_WORDS)}"}}' for word in _WORDS)
            made[f"{home}/data/{_word(index)}.json"] = f"[\n{rows}\n]\n"
    yield from made.items()


def _source(chance: random.Random, ending: str) -> str:
    """A module of 3 to 40 functions, all of them about different words."""
    parts = [_text(f"source/{ending}/head.txt")]
    parts += [_text(f"source/{ending}/function.txt")] * chance.randint(3, 40)
    out = []
    for part in parts:
        a, b, c = chance.sample(_WORDS, 3)
        names = {"a": a, "b": b, "c": c, "A": a.title(), "B": b.title(), "C": c.title()}
        out.append(_fill(part, {**names, "n": chance.randint(2, 99)}))
    return "".join(out)


def _lock(chance: random.Random) -> str:
    lines = [
        f'    "node_modules/{word}-{chance.choice(_WORDS)}": '
        f'{{"version": "{chance.randint(1, 9)}.0.1", "integrity": "sha512-{chance.getrandbits(350):088x}"}}'
        for word in _WORDS
    ]
    return '{\n  "lockfileVersion": 3,\n  "packages": {\n' + ",\n".join(lines) + "\n  }\n}\n"


def _fill(text: str, given: Mapping[str, object]) -> str:
    return re.sub(r"@(\w+)@", lambda match: str(given[match[1]]), text)


def _word(index: int) -> str:
    return _WORDS[index % len(_WORDS)]


@cache
def _text(path: str) -> str:
    return (_SERVICE / path).read_text()


@cache
def _paths() -> list[str]:
    folder = _SERVICE / "files"
    return sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())
