"""Read `trimtab.yml`: bytes to validated settings, or every problem at once with its line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any

from trimtab.errors import TrimtabError
from trimtab.settings.yaml_text import MAX_BYTES, Document, Path, Problem, YamlProblem, dotted, read_yaml

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trimtab.frameworks import Frameworks
    from trimtab.settings.schema import Settings

FILE_NAME = "trimtab.yml"
# In place of what is wrong or missing, so that the rest can be checked.
_STAND_INS = {"version": 1, "name": "name", "registry": "registry"}


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
        if file.stat().st_size > MAX_BYTES:
            limit = MAX_BYTES // 1024
            raise SettingsError([f"{file.name}:1: the file is larger than {limit} KiB; is this the right file?"])
        return file.read_bytes()
    except FileNotFoundError:
        raise TrimtabError(
            f"{file}: no such file", "write one with `trimtab init`, or name it with --settings"
        ) from None
    except OSError as error:
        raise TrimtabError(f"{file}: cannot be read: {error.strerror}", "check its permissions") from None


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
        unique = {(p.line, p.path): p for p in reversed(problems)}  # the first problem of a place explains the others
        raise SettingsError([_line(source, p) for p in sorted(unique.values(), key=lambda p: (p.line, str(p.path)))])
    return Loaded(settings, document.value, document, source)


def _validate(document: Document, frameworks: Frameworks) -> tuple[Settings | None, list[Problem]]:
    from pydantic import ValidationError

    from trimtab.settings.checks import check_settings
    from trimtab.settings.schema import Settings

    problems = list(document.problems)
    settings: Settings | None = None
    try:
        settings = Settings.model_validate(document.value)
    except ValidationError as error:
        from trimtab.settings.messages import problems_of

        found = problems_of(error, document)
        problems += found
        # The rest of the file is still worth checking: leave out what is wrong, and look at what remains.
        try:
            wrong = [p.path if p.path in document.lines else p.path[:-1] for p in found]
            settings = Settings.model_validate({**_STAND_INS, **_without(document.value, wrong)})
        except ValidationError:
            return None, problems
    problems += check_settings(settings, document, frameworks)
    return settings, problems


def _without(value: Any, paths: Sequence[Path], here: Path = ()) -> Any:
    if isinstance(value, dict):
        return {k: _without(v, paths, (*here, k)) for k, v in value.items() if (*here, k) not in paths}
    if isinstance(value, list):
        return [_without(v, paths, (*here, i)) for i, v in enumerate(value) if (*here, i) not in paths]
    return value


def _line(source: str, problem: Problem) -> str:
    where = f"{source}:{problem.line}: "
    path = f"{dotted(problem.path)}: " if problem.path else ""
    return f"{where}{path}{problem.what}; {problem.help}"
