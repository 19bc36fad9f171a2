"""Dockerfiles: stages, ports, variables, health check, command, what is copied, and the framework that
the text builds.
"""

from __future__ import annotations

import io
import json
import re
import shlex
from collections.abc import Mapping

from trimtab.audit.facts import imagefiles, working
from trimtab.audit.facts import model as m
from trimtab.audit.facts.dockerargs import out_of_scope
from trimtab.audit.facts.draft import Draft
from trimtab.audit.facts.frameworks import DOCKERFILE_HINTS, DOCKERFILE_WORDS
from trimtab.audit.facts.interpolation import interpolate
from trimtab.audit.facts.naming import environment_of
from trimtab.audit.facts.text import directory_of, http_check, parse_image, to_port

_NAME = re.compile(r"^(docker|container)file([._-].*)?$|\.(docker|container)file$", re.IGNORECASE)
_NOT = re.compile(
    r"\.(dockerignore|md|j2|jinja2?|tmpl|template|erb|in|py|sh|txt|ya?ml|json|ts|js|go|rs)$", re.IGNORECASE
)
_ENDED = re.compile(r"(?:docker|container)file\.(?:j2|tmpl|template|erb|in|py|sh|ts|js|go|rs)", re.IGNORECASE)
_FROM = re.compile(r"(?mi)^FROM[ \t]+\S")
_PAIR = re.compile(r"""(?<![\w.])([A-Za-z_][\w.]*)=("(?:[^"\\]|\\.)*"|'[^']*'|(?:[^\s\\]|\\.)*)""")
_FRAMEWORKS = tuple((re.compile(pattern), name) for pattern, name in DOCKERFILE_WORDS)
_HINTS = tuple((re.compile(pattern), name) for pattern, name in DOCKERFILE_HINTS)
_OTHER_OUTPUT = re.compile(r"^\s*COPY\s+(?:--\S+\s+)*\S*/(?:dist|build|out)(?:/\S*)?\s", re.IGNORECASE)


def named_dockerfile(basename: str) -> bool:
    """Whether a file name is one that Dockerfiles have."""
    return bool(_NAME.search(basename)) and not _NOT.search(basename)


def ambiguous(basename: str) -> bool:
    """Whether only its text tells what a file is: `Dockerfile.go` of a service named go, or a Go file of that name."""
    return bool(_ENDED.fullmatch(basename))


def reads_as_one(text: str) -> bool:
    """Whether a text is a Dockerfile, and no template of one."""
    return bool(_FROM.search(text)) and "{{" not in text and "{%" not in text and "<%" not in text


def instructions(text: str) -> list[tuple[str, str, int, int]]:
    """(instruction, value, first line, last line) of each instruction; heredocs are part of the one that
    opens them.
    """
    from dockerfile_parse import DockerfileParser

    plain = _without_heredocs(text)
    parser = DockerfileParser(fileobj=io.BytesIO(plain.encode("utf-8", "surrogatepass")))
    return [
        (
            str(item["instruction"]).upper(),
            str(item["value"]),
            int(item["startline"]) + 1,
            int(item["endline"]) + 1,
        )
        for item in parser.structure
        if item["instruction"] != "COMMENT"
    ]


def _without_heredocs(text: str) -> str:
    """Bodies of heredocs as continuation lines of their RUN, and as blank lines after any other
    instruction.
    """
    if "<<" not in text:
        return text
    out: list[str] = []
    ends: list[str] = []
    keep = False
    for line in text.split("\n"):
        if ends:
            if line.strip() == ends[0]:
                ends.pop(0)
                out.append("" if ends or not keep else ":")
            else:
                body = line.rstrip().removesuffix("\\").strip()
                out.append(f"{body or ':'} ; \\" if keep and not body.startswith("#") else (": ; \\" if keep else ""))
            continue
        ends = (
            re.findall(r"<<-?\s*[\"']?([A-Za-z_]\w*)[\"']?", line)
            if re.match(r"\s*(RUN|COPY|ADD)\b", line, re.IGNORECASE)
            else []
        )
        keep = bool(ends) and line.lstrip()[:3].upper() == "RUN"
        if ends:
            line = re.sub(r"<<-?\s*[\"']?[A-Za-z_]\w*[\"']?", "", line)  # noqa: PLW2901 - the marker is no part of the command
            line = line.rstrip() + " : ; \\" if keep else line  # noqa: PLW2901
        out.append(line)
    return "\n".join(out) + ("\n:" if ends and keep else "")


def exec_form(value: str) -> str:
    """A CMD's or ENTRYPOINT's words as one line, from either form."""
    if value.lstrip().startswith("["):
        try:
            words = json.loads(value)
        except ValueError:
            return value
        if isinstance(words, list):
            return " ".join(str(word) for word in words)
    return value


def _words(text: str) -> list[str]:
    """The words of an instruction, unquoted as a shell would; on a quote without its end, split at blanks."""
    lexer = shlex.shlex(text, posix=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        return list(lexer)
    except ValueError:
        return [word.strip("\"'") for word in text.split()]


class _Reader:
    """One Dockerfile, read from top to bottom; what a stage sets is dropped when another, unrelated stage
    begins.
    """

    def __init__(self, draft: Draft, path: str) -> None:
        self.draft = draft
        self.path = path
        self.environment = environment_of(path)
        self.stages: list[m.Stage] = []
        self.inherited: dict[str, tuple[list[m.Port], list[m.EnvVar], list[m.Probe], str, m.Place | None]] = {}
        self.ports: list[m.Port] = []
        self.env: list[m.EnvVar] = []
        self.args: list[m.EnvVar] = []
        self.probes: list[m.Probe] = []
        self.copies: list[tuple[str, m.Place]] = []
        self.taken: list[tuple[str, m.Place]] = []
        self.command = ""
        self.entrypoint = ""
        self.command_place: m.Place | None = None
        self.globals: dict[str, str] = {}

    def values(self) -> Mapping[str, str]:
        given = {**self.globals, **{arg.name: arg.value for arg in self.args if arg.value is not None}}
        return {**given, **{item.name: item.value for item in self.env if item.value is not None}}

    def take(self, instruction: str, value: str, line: int, end: int) -> None:
        method = getattr(self, f"_{instruction.lower()}", None)
        if method is not None:
            method(value, m.Place(self.path, line), end)

    def _from(self, value: str, place: m.Place, _end: int) -> None:
        words = [word for word in value.split() if not word.startswith("--")]
        if not words:
            return
        if self.stages:
            previous = self.stages[-1]
            self.inherited[previous.name or str(len(self.stages) - 1)] = (
                self.ports,
                self.env,
                self.probes,
                self.command,
                self.command_place,
            )
        name = words[2] if len(words) > 2 and words[1].lower() == "as" else ""
        image = parse_image(words[0], place, self.globals)
        known = interpolate(words[0], self.globals)[0]
        if known is not None and known != words[0] and image.repository:
            image = parse_image(known, place)
        base = self.inherited.get(image.repository)
        self.ports, self.env, self.probes, self.command, self.command_place = (
            (list(base[0]), list(base[1]), list(base[2]), base[3], base[4]) if base else ([], [], [], "", None)
        )
        self.entrypoint = ""
        self.stages.append(m.Stage(name, image, place))
        if base is None:
            self.draft.versions_from(image, directory_of(self.path), self.environment)

    def _arg(self, value: str, place: m.Place, _end: int) -> None:
        for word in _words(value):
            name, sign, default = word.partition("=")
            if not re.fullmatch(r"[A-Za-z_]\w*", name):
                continue
            if not self.stages:
                if sign:
                    self.globals[name] = default
            else:
                known = default if sign else self.globals.get(name)
                self.args.append(m.EnvVar(name, known, place, "dockerfile", self.environment, build_time=True))

    def _env(self, value: str, place: m.Place, end: int) -> None:
        pairs = _PAIR.findall(value)
        if not pairs:
            name, _, rest = value.strip().partition(" ")
            pairs = [(name, rest.strip())] if rest else []
        for index, (name, written) in enumerate(pairs):
            text = written[1:-1] if written[:1] in ("'", '"') and len(written) > 1 else written
            filled, refs = interpolate(text, self.values())
            line = min(place.line + index, end) if end > place.line else place.line
            self.env.append(m.EnvVar(name, filled, m.Place(self.path, line), "dockerfile", self.environment, refs))

    def _expose(self, value: str, place: m.Place, _end: int) -> None:
        filled = interpolate(value, self.values())[0] or ""
        for word in filled.split():
            number, _, protocol = word.partition("/")
            self.ports.append(m.Port(to_port(number), place, protocol=protocol or "tcp"))

    def _healthcheck(self, value: str, place: m.Place, end: int) -> None:
        if value.strip().upper() == "NONE":
            self.probes = []
            return
        _, sign, command = value.partition("CMD")
        command = exec_form(command.strip() if sign else value)
        asked = http_check(command, self.values())
        path, port = asked if asked else (None, None)
        self.probes = [m.Probe("healthcheck", m.Place(self.path, end if sign else place.line), path, port, command)]

    def _cmd(self, value: str, place: m.Place, _end: int) -> None:
        words = exec_form(value)
        self.command = f"{self.entrypoint} {words}".strip()
        self.command_place = place
        self.draft.commands.append(m.Command(words, place, "dockerfile"))
        working.note(self.draft, [(words, place.line)], self.path, None, "dockerfile")

    def _entrypoint(self, value: str, place: m.Place, _end: int) -> None:
        self.entrypoint = exec_form(value)
        self.command = self.entrypoint
        self.command_place = place
        self.draft.commands.append(m.Command(self.entrypoint, place, "dockerfile"))

    def _run(self, value: str, place: m.Place, _end: int) -> None:
        self.draft.commands.append(m.Command(value[:10_000], place, "dockerfile"))
        if not re.search(r"\b(?:cd|pushd)\s", value):
            working.note(self.draft, [(value[:10_000], place.line)], self.path, None, "dockerfile")

    def _copy(self, value: str, place: m.Place, _end: int) -> None:
        words = exec_form(value).split()
        options = [word for word in words if word.startswith("--")]
        sources = [word for word in words if not word.startswith("--")][:-1]
        found = self.taken if any(word.startswith("--from") for word in options) else self.copies
        found.extend((source, place) for source in sources)

    _add = _copy


def read(draft: Draft, path: str, text: str) -> None:
    """Add one Dockerfile to the draft."""
    reader = _Reader(draft, path)
    written = instructions(text)
    for instruction, value, line, end in written:
        reader.take(instruction, value, line, end)
    if not reader.stages:
        draft.repo.note(path, "no FROM: not read as a Dockerfile")
        return
    draft.dockerfiles.append(
        m.Dockerfile(
            path=path,
            directory=directory_of(path),
            environment=reader.environment,
            stages=tuple(reader.stages),
            ports=tuple(reader.ports),
            env=tuple(reader.env),
            args=tuple(reader.args),
            probes=tuple(reader.probes),
            copies=tuple(reader.copies),
            taken=tuple(reader.taken),
            command=reader.command,
            command_place=reader.command_place,
            frameworks=tuple(_frameworks(path, text)),
            unscoped=tuple(out_of_scope(path, written)),
            carried=tuple(imagefiles.carried(written)),
        )
    )


def _frameworks(path: str, text: str) -> list[tuple[str, m.Place]]:
    """Each framework that the text names outright, at the first line that does. What only hints at one counts in a
    Dockerfile that names none and copies the output of no other.
    """
    found: dict[str, m.Place] = {}
    hinted: dict[str, m.Place] = {}
    other = False
    for number, line in enumerate(text.split("\n"), start=1):
        if line.lstrip().startswith("#"):
            continue
        other = other or bool(_OTHER_OUTPUT.match(line[:5000]))
        for patterns, into in ((_FRAMEWORKS, found), (_HINTS, hinted)):
            for pattern, name in patterns:
                if name not in into and pattern.search(line[:5000]):
                    into[name] = m.Place(path, number)
    if found:  # a hint is often the first word of what is named
        return [(name, min(place, hinted.get(name, place), key=_line)) for name, place in found.items()]
    return [] if other else list(hinted.items())


def _line(place: m.Place) -> int:
    return place.line
