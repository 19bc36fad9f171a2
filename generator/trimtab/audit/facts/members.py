"""The parts that a workspace lists: Go modules, npm packages, crates, Maven modules, .NET projects, and the file that a
task runner reads.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator

from trimtab.audit.facts import model as m
from trimtab.audit.facts.draft import Draft
from trimtab.audit.facts.text import directory_of, join

_USE_ONE = re.compile(r"^[ \t]*use[ \t]+\"?([\w./-]+)\"?[ \t]*(?://.*)?$")
_USE_MANY = re.compile(r"^[ \t]*use[ \t]*\([ \t]*(?://.*)?$")
_LISTED = re.compile(r"^[ \t]*\"?([\w./-]+)\"?[ \t]*(?://.*)?$")
_REPLACED = re.compile(r"=>[ \t]*(\.{1,2}/[\w./-]+)[ \t]*(?://.*)?$")
_MODULE = re.compile(r"<module>\s{0,20}([\w./-]{1,200})\s{0,20}</module>")
_PROJECT = re.compile(r"^Project\(\"[^\"\n]{1,80}\"\) = \"[^\"\n]{1,200}\", \"([^\"\n]{1,300}\.(?:cs|fs|vb)proj)\"")
_RUNNERS = tuple(
    (re.compile(rf"(?:^|[\s&;|]){word}\s"), file)
    for word, file in ((r"(?:npx\s+)?turbo\s+run", "turbo.json"), (r"(?:npx\s+)?lerna", "lerna.json"))
)


def named(basename: str) -> bool:
    """Whether a file name is that of a workspace which no other reader reads."""
    return basename == "go.work" or basename.endswith(".sln")


def read(draft: Draft, path: str, text: str) -> None:
    """Add the members that a manifest or a workspace file lists."""
    name = path.rsplit("/", 1)[-1].lower()
    home = directory_of(path)
    if name == "go.work":
        found = [(item, "go.mod", line) for item, line in _go_work(text)]
    elif name == "go.mod":
        found = [(match[1], "go.mod", number) for number, match in _lines(text, _REPLACED)]
    elif name == "package.json":
        found = list(_npm(text))
        draft.members.extend(_runners(draft, path, text))
    elif name == "cargo.toml":
        found = [(item, "Cargo.toml", line) for item, line in _cargo(text)]
    elif name == "pom.xml":
        plain = _without_comments(text)
        found = [
            (match[1], "" if match[1].endswith(".xml") else "pom.xml", number)
            for number, match in _lines(plain, _MODULE)
        ]
    elif name.endswith(".sln"):
        found = [(match[1].replace("\\", "/"), "", number) for number, match in _lines(text, _PROJECT)]
    else:
        return
    for item, manifest, line in found:
        directory = join(home, item)
        if directory is not None:
            where = f"{directory}/{manifest}".strip("/") if manifest else directory
            draft.members.append(m.Reference(where, name, m.Place(path, line)))


def _lines(text: str, pattern: re.Pattern[str]) -> Iterator[tuple[int, re.Match[str]]]:
    for number, line in enumerate(text.split("\n"), start=1):
        match = pattern.search(line[:2000].rstrip("\r"))
        if match:
            yield number, match


def _without_comments(text: str) -> str:
    """An XML text with the lines of its comments left empty."""
    parts = text.split("<!--")
    kept = parts[:1]
    for part in parts[1:]:
        comment, _, rest = part.partition("-->")
        kept.append("\n" * comment.count("\n") + rest)
    return "".join(kept)


def _go_work(text: str) -> Iterator[tuple[str, int]]:
    inside = False
    for number, line in enumerate(text.split("\n"), start=1):
        one = _USE_ONE.match(line[:500].rstrip("\r"))
        many = _LISTED.match(line[:500].rstrip("\r")) if inside else None
        if one or many:
            yield str((one or many)[1]), number  # type: ignore[index]
        elif _USE_MANY.match(line[:500].rstrip("\r")):
            inside = True
        elif line.lstrip().startswith(")"):
            inside = False


def _npm(text: str) -> Iterator[tuple[str, str, int]]:
    body = _json(text)
    listed = body.get("workspaces")
    listed = listed.get("packages") if isinstance(listed, dict) else listed
    for item in listed if isinstance(listed, list) else ():
        if isinstance(item, str) and re.fullmatch(r"[\w.@/-]+", item):
            yield item, "package.json", _line_with(text, f'"{item}"')
    for key in ("dependencies", "devDependencies"):
        wanted = body.get(key)
        for value in wanted.values() if isinstance(wanted, dict) else ():
            if isinstance(value, str) and re.fullmatch(r"(?:file|link):\.{1,2}/[\w./-]+(?<!\.tgz)", value):
                yield value.partition(":")[2], "package.json", _line_with(text, f'"{value}"')


def _runners(draft: Draft, path: str, text: str) -> Iterator[m.Reference]:
    """The file of a task runner that scripts call, where no folder above has it either."""
    scripts = _json(text).get("scripts")
    for value in scripts.values() if isinstance(scripts, dict) else ():
        for pattern, file in _RUNNERS if isinstance(value, str) else ():
            if pattern.search(value):
                home = directory_of(path)
                above = [home, *(home[:at] for at in range(len(home)) if home[at] == "/"), ""]
                if not any(draft.repo.exists(f"{one}/{file}".strip("/")) for one in above):
                    place = m.Place(path, _line_with(text, json.dumps(value)))
                    yield m.Reference(f"{home}/{file}".strip("/"), file, place)
                    return


def _cargo(text: str) -> Iterator[tuple[str, int]]:
    try:
        body = tomllib.loads(text)
    except (ValueError, RecursionError):
        return
    workspace = body.get("workspace")
    members = workspace.get("members") if isinstance(workspace, dict) else None
    for item in members if isinstance(members, list) else ():
        if isinstance(item, str) and re.fullmatch(r"[\w./-]+", item):
            yield item, _line_with(text, f'"{item}"')
    for key in ("dependencies", "dev-dependencies", "build-dependencies"):
        wanted = body.get(key)
        for value in wanted.values() if isinstance(wanted, dict) else ():
            where = value.get("path") if isinstance(value, dict) else None
            if isinstance(where, str) and not value.get("optional"):
                yield where, _line_with(text, f'"{where}"')


def _json(text: str) -> dict[str, object]:
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def _line_with(text: str, needle: str) -> int:
    at = text.find(needle)
    return text.count("\n", 0, at) + 1 if at >= 0 else 1
