"""Which images a workflow pushes, where names are computed: from a matrix, variables or a metadata step."""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from trimtab.audit.facts import model as m
from trimtab.audit.facts.commands import logical_lines
from trimtab.audit.facts.draft import Draft
from trimtab.audit.facts.text import join
from trimtab.yamlpos import Map, Scalar

MAX_FORMS = 50
_STEP = re.compile(r"\$\{\{\s*steps\.([\w-]+)\.outputs\.([\w-]+)\s*\}\}")
_MATRIX = re.compile(r"\$\{\{\s*matrix\.([\w-]+)\s*\}\}")

_WORD = r"((?:\$\{\{[^{}]*\}\}|[^\s;&|])+)"
_PUSH = re.compile(rf"\bdocker\s+(?:image\s+)?push\s+(?:-\S+\s+)*{_WORD}")
_BUILD = re.compile(r"\b(?:docker|podman|buildah)\s+(?:buildx\s+|image\s+)?build\b([^;&|]{0,2000})")
_TAG = re.compile(rf"(?:\s-t|--tag)[ =]+{_WORD}")
_LAST = re.compile(r"\s([\w.][\w./-]*)\s*$")
_ARG = re.compile(r"--build-arg[ =]+[\"']?([A-Za-z_]\w*)")
_FILE = re.compile(r"\s(?:-f|--file)[ =]+([\w./-]+)")
_NAME = r"([A-Za-z_]\w{0,99})=([^\n]{1,299})"
_ASSIGNED = re.compile(rf"^(?:export\s+|local\s+|readonly\s+)?{_NAME}$")
_EXPORTED = re.compile(rf"^echo\s+[\"']?{_NAME}>>\s*[\"']?\$\{{?GITHUB_(ENV|OUTPUT)\b")


def with_env(text: str, values: Mapping[str, str]) -> str:
    """`text` with the workflow's own env values filled in, in both spellings."""
    text = re.sub(r"\$\{\{\s*env\.(\w+)\s*\}\}", lambda match: values.get(match[1], match[0]), text)
    text = re.sub(
        r"\$\{\{\s*(steps\.[\w-]+\.outputs\.[\w-]+)\s*\}\}", lambda match: values.get(match[1], match[0]), text
    )
    return re.sub(r"\$\{?([A-Z_][A-Z0-9_]*)\}?", lambda match: values.get(match[1], match[0]), text)


def in_matrix(text: str, job: Map) -> Iterator[str]:
    """`text` for each value that the job's matrix gives the names in it; itself where it names none, or none known."""
    names = list(dict.fromkeys(_MATRIX.findall(text)))
    matrix = job.map("strategy", "matrix")
    given: dict[str, list[str]] = {}
    for name in names:
        listed = [str(one) for one in matrix.seq(name).texts()]
        listed += [str(one.text(name)) for one in matrix.maps("include") if one.text(name)]
        if listed:
            given[name] = listed
    rows = [row for row in matrix.maps("include") if all(row.text(name) for name in names)]
    if names and rows and not any(matrix.get(name) for name in names):
        forms = [{name: str(row.text(name)) for name in names} for row in rows]
    else:
        forms = [dict(zip(given, one, strict=True)) for one in itertools.product(*given.values())]
    for form in forms[:MAX_FORMS]:
        yield _MATRIX.sub(lambda match, form=form: form.get(match[1], match[0]), text)  # type: ignore[misc]


def images_of(tags: list[str], job: Map, values: Mapping[str, str]) -> Iterator[str]:
    """The repositories that tags name, by the step that computes them where there is one."""
    for tag in tags:
        step = _STEP.search(tag)
        written = [tag] if step is None else _of_step(step[1], step[2], job)
        for one in written:
            yield with_env(one, values).strip()


def _of_step(name: str, output: str, job: Map) -> list[str]:
    """The images that a metadata step is given, or what the commands of any other step write to its output."""
    for step in job.maps("steps"):
        if step.text("id") == name:
            images = step.map("with").get("images")
            text = str(images) if isinstance(images, Scalar) else ""
            if not text:
                written = re.findall(
                    rf"(?m)(?:^|[\s\"'])(?:{re.escape(output)}=|::set-output name={re.escape(output)}::)([^\n]*)",
                    str(step.text("run") or ""),
                )
                text = ",".join(re.split(r"[\"']|>>", line, maxsplit=1)[0] for line in written)
            return [one.strip().removeprefix("name=") for one in re.split(r"[\n,]", text) if one.strip()]
    return []


@dataclass(frozen=True, slots=True)
class _Built:
    """What a command builds: its tags, context, Dockerfile, the names of the build arguments, and its place."""

    tags: list[str]
    context: str = ""
    dockerfile: str = ""
    args: frozenset[str] | None = None
    place: m.Place | None = None


class PushReader:
    """The pushes of one workflow. What a command builds is kept until a command pushes it."""

    def __init__(self, draft: Draft, path: str) -> None:
        """Take where facts go and the file's path."""
        self.draft = draft
        self.path = path
        self.built: dict[tuple[str, str], _Built] = {}  # by job and repository
        self.assigned: dict[str, dict[str, str]] = defaultdict(dict)  # by job, what its commands assign

    def step(self, step: m.Step, job: str, values: Mapping[str, str], job_body: Map, identity: str = "") -> None:
        """Add the images that a step of a GitHub workflow pushes; `identity` names its outputs."""
        values = {**self.assigned[job], **values}
        if step.uses.startswith("docker/build-push-action"):
            self._action(step, job, values, job_body)
        for line, number in logical_lines(step.run, step.run_line):
            self.assign(line, job, identity)
            for form in in_matrix(line, job_body):
                self.shell(form, number, job, values, step.directory)

    def assign(self, line: str, job: str, identity: str = "") -> None:
        """Remember the variable that a command assigns, in the shell or for later steps; one with two values
        is not known.
        """
        match = _ASSIGNED.match(line) or _EXPORTED.match(line)
        if match is None:
            return
        output = match.re is _EXPORTED and match[3] == "OUTPUT"
        name = f"steps.{identity}.outputs.{match[1]}" if output else match[1]
        value = with_env(_plain(match[2]), self.assigned[job])
        unknown = f"${{{{ {name} }}}}" if output else f"${name}"
        self.assigned[job][name] = value if self.assigned[job].get(name, value) == value else unknown

    def _action(self, step: m.Step, job: str, values: Mapping[str, str], job_body: Map) -> None:
        context, dockerfile = step.options.get("context", "."), step.options.get("file", "")
        at = m.Place(self.path, step.option_lines.get("file", step.option_lines.get("context", step.place.line)))
        resolved = _dockerfile(context, dockerfile)
        if resolved and "{{" not in context + dockerfile and "$" not in resolved:
            self.draft.refer(resolved, "Dockerfile", at)
            if "://" not in context and step.options.get("file"):
                context_at = m.Place(self.path, step.option_lines.get("context", step.place.line))
                self.draft.refer(join("", context) or None, "build context", context_at)
        if step.options.get("push", "") in ("", "false"):
            return
        listed = step.options.get("tags", "")
        at_line = step.option_lines.get("tags", step.place.line)
        first = at_line + 1 if "\n" in listed.strip() else at_line
        written = [
            (tag.strip(), first + index)
            for index, line in enumerate(listed.split("\n"))
            for tag in line.split(",")
            if tag.strip()
        ]
        filled = [(one.strip(), at) for tag, at in written for one in with_env(tag, values).split(",") if one.strip()]
        tags = [tag for tag, _ in filled]
        computed = not tags or any(re.search(r"\$\{\{\s*(steps|needs|inputs|fromJSON|join)\b", tag) for tag in tags)
        place = m.Place(self.path, step.option_lines.get("tags", step.place.line))
        images = "\t".join(images_of(tags, job_body, values))
        for form in in_matrix("\n".join((context, dockerfile, images)), job_body):
            home, file, names = form.split("\n")
            self.draft.pushes.append(
                m.Push(
                    tuple(tags),
                    place,
                    job,
                    join("", home) or "",
                    _dockerfile(home, file),
                    tuple(names.split("\t")) if names else (),
                    computed,
                    tuple(line for _, line in filled),
                    _listed_args(step.options.get("build-args", "")),
                    context_place=m.Place(self.path, step.option_lines.get("context", step.place.line)),
                )
            )

    def shell(self, line: str, at: int, job: str, values: Mapping[str, str], directory: str = "") -> None:
        """Add the images that a command line pushes, with the tags that one before it gave them."""
        place = m.Place(self.path, at)
        values = {**self.assigned[job], **values}
        for match in _BUILD.finditer(line):
            self._build(match[1], place, job, values, directory)
        for match in _PUSH.finditer(line):
            tag = with_env(match[1].strip("\"'"), values)
            built = self.built.get((job, _repository(tag))) or _Built([tag])
            tags = built.tags if "--all-tags" in match[0] or " -a " in match[0] else [tag]
            computed = any(re.search(r"\$\{?[a-z]", one) for one in tags)
            self.draft.pushes.append(
                m.Push(
                    tuple(tags),
                    place,
                    job,
                    built.context,
                    built.dockerfile,
                    computed=computed,
                    args=built.args,
                    built=built.place,
                )
            )
        if "kaniko" in line or "--destination" in line:
            found = re.findall(rf"--destination[ =]+{_WORD}", line)
            tags = [with_env(tag.strip("\"'"), values) for tag in found]
            if tags:
                self.draft.pushes.append(m.Push(tuple(tags), place, job))

    def _build(self, text: str, place: m.Place, job: str, values: Mapping[str, str], directory: str) -> None:
        tags = [with_env(tag.strip("\"'"), values) for tag in _TAG.findall(text)]
        written = with_env(text, values).replace('"', "").replace("'", "")
        last, file = _LAST.search(written), _FILE.search(written)
        home = join(directory if "$" not in directory else "", last[1]) if last else None
        context = home if home is not None and home != "." else ""
        dockerfile = (join("", file[1]) or "") if file else _dockerfile(context, "") if home is not None else ""
        given = _ARG.findall(text)
        args = frozenset(given) if text.count("--build-arg") == len(given) else None
        if "--push" in text:
            push = m.Push(tuple(tags), place, job, context, dockerfile, computed=not tags, args=args)
            self.draft.pushes.append(push)
            return
        for tag in tags:
            known = self.built.setdefault((job, _repository(tag)), _Built([], context, dockerfile, args, place))
            known.tags.append(tag)


def _listed_args(text: str) -> frozenset[str] | None:
    """The names in an action's list of build arguments; None where one is computed."""
    names = [line.partition("=")[0].strip() for line in text.split("\n") if line.strip()]
    return frozenset(names) if all(re.fullmatch(r"\w+", name) for name in names) else None


def _plain(value: str) -> str:
    """A value of the shell as a tag can hold it: `${GITHUB_SHA::7}` is `$GITHUB_SHA`, `$(git rev-parse HEAD)` has no
    spaces.
    """
    value = re.sub(r"\$\{(\w++)[^{}]{0,200}\}", r"$\1", value.strip().strip("\"' "))
    return re.sub(
        r"\$\(([^()]*)\)|`([^`]*)`", lambda match: re.sub(r"[\s/:|]+", "-", match[1] or match[2] or ""), value
    )


def _repository(tag: str) -> str:
    head, sign, last = tag.rpartition("/")
    return f"{head}{sign}{last.partition(':')[0]}"


def _dockerfile(context: str, file: str) -> str:
    """The Dockerfile of a build, relative to the root; "" where it is remote or not known."""
    if "://" in context or "{{" in context + file or "$" in context + file:
        return ""
    home = join("", context) or ""
    return (join("", file) or "") if file else (f"{home}/Dockerfile" if home else "Dockerfile")
