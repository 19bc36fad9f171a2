"""Read `trimtab.yml`: bytes to validated settings, or every problem at once with its line."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any

from trimtab.errors import TrimtabError
from trimtab.settings.yaml_text import MAX_BYTES, Document, Path, Problem, YamlProblem, dotted, read_yaml

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trimtab.frameworks import Frameworks
    from trimtab.settings.schema import Settings

FILE_NAME = "trimtab.yml"
_ROUNDS = 4  # of leaving out what is wrong, then what misses it, until the rest can be checked


class SettingsError(TrimtabError):
    """The settings cannot be used. `lines` holds one printable line per problem, in the order of the file."""

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = tuple(lines)


@dataclass(frozen=True)
class Loaded:
    """Validated settings. `data` is what YAML says, unchanged: Copier and the engine both render from it."""

    settings: Settings
    data: dict[str, Any]
    document: Document
    source: str

    def line_of(self, path: Path) -> int:
        """The line of a setting, given its path (`("services", "api", "port")`)."""
        return self.document.line_of(path)


def load_settings(file: FilePath, frameworks: Frameworks) -> Loaded:
    """Read and validate a settings file.

    Raises SettingsError naming each problem as `file:line: dotted.path: what; what to do`.
    """
    return parse_settings(read_settings_file(file), frameworks, file.name)


def read_settings_file(file: FilePath) -> bytes:
    """The bytes of a settings file. Raises SettingsError or TrimtabError for what is no such file."""
    try:
        if file.is_dir():
            raise SettingsError([f"{file.name}:1: this is a directory; name the settings file itself"])
        with file.open("rb") as handle:
            raw = handle.read(MAX_BYTES + 1)  # of a pipe, or of a device without an end, nobody knows the size
    except FileNotFoundError:
        raise TrimtabError(
            f"{file}: no such file", "write one with `trimtab init`, or name it with --settings"
        ) from None
    except OSError as error:
        raise TrimtabError(f"{file}: cannot be read: {error.strerror}", "check its permissions") from None
    if len(raw) > MAX_BYTES:
        limit = MAX_BYTES // 1024
        raise SettingsError([f"{file.name}:1: the file is larger than {limit} KiB; is this the right file?"])
    return raw


def parse_settings(raw: bytes, frameworks: Frameworks, source: str = FILE_NAME) -> Loaded:
    """Validate the bytes of a settings file; `source` is its name in messages. Raises SettingsError."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise SettingsError([f"{source}:{line}: this byte is not UTF-8; save the file as UTF-8"]) from None
    try:
        document = read_yaml(text)
    except YamlProblem as error:
        raise SettingsError([_line(source, error.problem)]) from None
    if document.value is None:
        raise SettingsError([f"{source}:1: the file is empty; start from the one that `trimtab init` writes"])
    if not isinstance(document.value, dict):
        raise SettingsError([f"{source}:1: the file is not a mapping; it begins with `version: 1`"])
    settings, problems = _validate(document, frameworks)
    if problems or settings is None:
        raise SettingsError([_line(source, p) for p in _one_per_place(problems)])
    return Loaded(settings, document.value, document, source)


def _validate(document: Document, frameworks: Frameworks) -> tuple[Settings | None, list[Problem]]:
    from pydantic import ValidationError

    from trimtab.settings.checks import check_settings
    from trimtab.settings.partial import nulls
    from trimtab.settings.schema import Settings

    problems = [*document.problems, *(_empty(document, path) for path in nulls(document.value))]
    left_out: set[Path] = set(nulls(document.value))
    settings: Settings | None = None
    try:
        settings = Settings.model_validate(document.value)
    except ValidationError as error:
        from trimtab.settings.messages import places_of, problems_of

        problems += problems_of(error, document)
        left_out |= places_of(error, document)
    if left_out:
        settings = _what_remains(document, frameworks, left_out)
    if settings is not None:
        problems += check_settings(settings, document, frameworks, left_out)
    return settings, problems


def _empty(document: Document, path: Path) -> Problem:
    what, help_ = "is empty", "give it a value, or remove the line (an empty mapping is written {})"
    return Problem(document.line_of(path), path, what, help_)


def _what_remains(document: Document, frameworks: Frameworks, left_out: set[Path]) -> Settings | None:
    """Settings without what is wrong, which `left_out` names; adds to it what cannot stand without that."""
    from pydantic import ValidationError

    from trimtab.settings.messages import places_of
    from trimtab.settings.partial import without
    from trimtab.settings.schema import LENIENT, Settings

    for _ in range(_ROUNDS):
        kept = without(document.value, left_out)
        stand_ins = _stand_ins(frameworks)
        left_out |= {(key,) for key in stand_ins if not kept.get(key)}
        try:
            return Settings.model_validate({**stand_ins, **{k: v for k, v in kept.items() if v}}, context=LENIENT)
        except ValidationError as error:
            left_out |= places_of(error, replace(document, value=kept), left_out)
    return None


def _stand_ins(frameworks: Frameworks) -> dict[str, Any]:
    """In place of what is required, so that the rest can be checked where it is wrong or missing."""
    services = {"service": {"framework": frameworks.names[0]}}
    environments: dict[str, Any] = {"local": {}}
    return {"version": 1, "name": "name", "registry": "registry", "services": services, "environments": environments}


def _one_per_place(problems: Sequence[Problem]) -> list[Problem]:
    """The first problem of each place, which explains the others, in the order of the file.

    To quote a text is no remedy where the text cannot stand: what could stand there is then the one.
    """
    first: dict[tuple[int, Path], Problem] = {}
    for problem in problems:
        known = first.setdefault((problem.line, problem.path), problem)
        if known.quoting and known is not problem:
            first[problem.line, problem.path] = replace(known, help=problem.help, quoting=False)
    return sorted(first.values(), key=lambda p: (p.line, str(p.path)))


def _line(source: str, problem: Problem) -> str:
    where = f"{source}:{problem.line}: "
    path = f"{dotted(problem.path)}: " if problem.path else ""
    return f"{where}{path}{problem.what}; {problem.help}"
