"""Files that commands name: scripts, compose files, Dockerfiles, charts, manifests, migration directories."""

from __future__ import annotations

import re
from collections.abc import Sequence

from trimtab.audit.facts import model as m
from trimtab.audit.facts.draft import Draft
from trimtab.audit.facts.text import join
from trimtab.repo import Repo

MIGRATION_FOLDER = re.compile(
    r"(?:--migration-dir|--migrations?-path|\s-path|\s--source)[ =](?:file://)?[\"']?([\w./-]+)(?=$|[\s;&|)\"'])"
)
# (what a command has to be, how it names a file, what that file is)
_NAMED: tuple[tuple[re.Pattern[str], re.Pattern[str], str], ...] = tuple(
    (re.compile(command), pattern if isinstance(pattern, re.Pattern) else re.compile(pattern), what)
    for command, pattern, what in (
        (
            "",
            r"(?:^|[\s;&|(])(?:(?:bash|sh|source|python3?|node)\s+)?(\./[\w./-]+\.(?:sh|py|bash|js|rb))(?=$|[\s;&|)])",
            "script",
        ),
        # a script of the repository as the command itself: `scripts/deploy.sh production`
        (
            "",
            r"(?:^|&&|\|\||[;|(])\s*(?:(?:sudo|exec|time)\s+)?(\w[\w.-]*/[\w./-]+\.(?:sh|bash|py|js|rb))(?=$|[\s;&|)])",
            "script",
        ),
        ("", r"\b(?:bash|sh)\s+([\w][\w./-]*\.(?:sh|bash))(?=$|[\s;&|)])", "script"),
        (r"\bdocker[ -]compose\b", r"\s(?:-f|--file)[ =]([\w./-]+\.ya?ml)\b", "compose file"),
        ("", MIGRATION_FOLDER, "migration directory"),
        (r"\bdocker\s+(?:buildx\s+)?build\b", r"\s(?:-f|--file)[ =]([\w./-]+)(?=$|\s)", "Dockerfile"),
        (
            r"\bhelm\s+(?:\S+\s+){0,9}?(?:upgrade|install|template|lint)\b",
            r"\s(\./[\w./-]+|[\w.-]+/[\w.-]+/[\w./-]+)(?=$|\s)(?<!\.yaml)(?<!\.yml)(?<!\.tgz)",
            "chart",
        ),
        (r"\bpip3?\s+install\b", r"\s(?:-r|--requirement)[ =]?([\w./-]+\.txt)(?=$|[\s;&|])", "requirements file"),
        (r"\bhelm\s", r"\s(?:-f|--values)[ =]([\w./-]+\.ya?ml)(?=$|\s)", "values file"),
        (
            r"\A(?s:(?>.*kubectl)(?!.*(?:\bcat\b|<<)))",  # nothing that is piped in after the last kubectl
            r"\bapply\b.{0,500}?\s(?:-f|-k|--filename|--kustomize)[ =](?!-(?:$|\s))([\w./-]+)(?=$|[\s;&|])",
            "manifest",
        ),
    )
)

_INSIDE = ("script", "requirements file")  # what a container may have of its own
# What a script may name from wherever it runs, as the end of a path.
_LOOSE = ("compose file", "Dockerfile", "manifest", "values file", "chart")
_IN_CONTAINER = re.compile(r"\b(?:docker|podman|docker-compose|kubectl)\b.{0,300}?\s(?:run|exec)\s")
_LOOKS = re.compile(r"\[\s|(?:^|[;&|(!]\s{0,9}|\bif\s{1,9})test\s")
_MAKES = re.compile(rf"{_LOOKS.pattern}|>|\b(?:curl|wget|cp|mv|tee|install|touch|mkdir|git|unzip|tar|envsubst)\b")
_ASKED = re.compile(r"(?:\[|\btest)\s+-[efdrsx]\s+[\"']?([\w./-]+)")
_FORGIVEN = re.compile(r"\|\|\s{0,9}(?:true\b|:|echo\b)")
# Compose without a file's name takes the one of the folder; `compose.yaml` stands for the four names that it looks for.
_COMPOSES = re.compile(
    r"(?:^|[\s;&|(])docker[ -]compose\s+(?:up|down|build|pull|run|exec|logs|ps|restart|config|push)\b"
)
_MOVES = re.compile(r"(?:^|[\s;&|])(cd|pushd|popd)(?:\s+([\w./-]+))?(?=$|[\s;&|])")


def moved(directory: str, line: str) -> str:
    """Where the commands after `line` run, when it runs in `directory`; "$" for a folder that is not known."""
    found = list(_MOVES.finditer(line)) if not line.startswith("(") else []
    if not found:
        return directory
    if len(found) > 1 or found[0][1] == "popd" or not found[0][2] or found[0][2].startswith(("/", "-")):
        return "$"
    return join(directory, found[0][2]) or ("" if "$" not in directory else "$")


def asked_for(text: str) -> frozenset[str]:
    """The paths of which a script asks first whether they are there."""
    return frozenset(_ASKED.findall(text))


def script_references(  # noqa: PLR0913 - where a command runs has several sides
    draft: Draft,
    line: str,
    place: m.Place,
    directory: str,
    *,
    here: bool = True,
    asked: frozenset[str] = frozenset(),
) -> None:
    """Note the scripts, compose files and Dockerfiles that a command names by a path of their own. `here` is whether
    it runs in a checkout, rather than on a machine whose folders are not known; `asked` are paths of which the script
    asks first whether they are there.
    """
    if (
        "$" in directory
        or "{{" in directory
        or re.search(r"(?:^|[\s;&])cd\s", line)
        or line.startswith(("echo ", "cat ", "ssh "))
        or _FORGIVEN.search(line)
    ):
        return
    for command, pattern, what in _NAMED:
        if (what == "requirements file" and not here) or not command.search(line):
            continue
        for match in pattern.finditer(line):
            inside = what in _INSIDE and _IN_CONTAINER.search(line, 0, match.start(1))
            if match[1] not in asked and not inside:
                draft.refer(join(directory, match[1]), what, place)
    if here and _COMPOSES.search(line) and "COMPOSE_FILE" not in line:
        draft.refer(join(directory, "docker-compose.yml"), "default compose file", place)


def loose_references(draft: Draft, commands: Sequence[m.Command]) -> None:
    """Note the compose files, Dockerfiles and manifests that a script names and that no directory of the repository
    has: a script may run anywhere, so a path is looked for as the end of another. What the script looks for or writes
    itself is left out.
    """
    for command in commands:
        line = command.text
        if "\n" in line or line.startswith(("echo ", "printf ", "ssh ", "log", "#")) or _IN_CONTAINER.search(line):
            continue
        if _LOOKS.search(line):
            continue
        for needed, pattern, what in _NAMED:
            if what not in _LOOSE or not needed.search(line):
                continue
            for match in pattern.finditer(line):
                tail = re.sub(r"^(?:\.{0,2}/)+", "", match[1])
                if match[1].startswith("/") or not re.match(r"\w|\.\w", tail) or _held(draft.repo, tail):
                    continue
                if not any(tail in other.text and _MAKES.search(other.text) for other in commands if other != command):
                    draft.refer(join("", tail), what, command.place)


def _held(repo: Repo, tail: str) -> bool:
    """Whether the path of a file or directory is `tail`, or ends with it."""
    end = "/" + tail.rstrip("/")
    return repo.exists(tail) or any(path.endswith(end) for path in repo.by_base.get(end.rsplit("/", 1)[-1], ()))
