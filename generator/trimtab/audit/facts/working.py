"""Where the commands of a script run, and what they call there: folders that they enter, files that they give to an
interpreter, scripts of package.json.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from trimtab.audit.facts import model as m
from trimtab.audit.facts.draft import Draft
from trimtab.audit.facts.text import join

MAX_LINE = 2_000
_SPLIT = re.compile(r"&&|\|\||[;&|\n]")
_ENTER = re.compile(r"^\(?\s{0,20}(?:cd|pushd)\s+(?:--\s+)?[\"']?(?!-)([^\s\"'`$<>*?~]+)[\"']?\s{0,20}\)?$")
_MOVE = re.compile(r"^\(?\s{0,20}(?:cd|pushd|popd)\b")
_BEFORE = (
    r"^\(?\s{0,20}(?:(?:if|then|else|do|!|exec|time|(?:/bin/)?(?:ba|a)?sh\s{1,9}-l?c)\s{1,9}){0,3}[\"']?"
    r"(?:[A-Z_][A-Z0-9_]{0,50}=\S{0,200}\s{1,9}){0,5}(?:sudo\s{1,9})?"
)
_RUN = re.compile(_BEFORE + r"(npm|pnpm|yarn|bun)\s{1,9}(.{0,300}?)\brun(?:-script)?\s{1,9}(.{1,300})")
_TEST = re.compile(
    _BEFORE + r"(npm|pnpm)\s{1,9}((?:-\S{1,60}\s{1,9}(?:[\w./@-]{1,60}\s{1,9})?){0,3})(test(?=[\s)]|$).{0,300})"
)
_WORKSPACE = re.compile(
    r"(?:^|\s)(?:--workspace|-w|--filter|-F)(?:[ =])[\"']?([@\w][\w./@-]*)[\"']?(?=\s|$)|^workspace\s+(\S+)"
)
_PREFIX = re.compile(r"(?:^|\s)(?:--prefix|--cwd|--dir|-C)[ =][\"']?([\w./-]+)[\"']?(?=\s|$)")
_ALL = re.compile(r"(?:^|\s)(?:--workspaces|-ws|--if-present|-r|--recursive|foreach)(?=\s|$)")
_NAME = re.compile(r"(?:^|\s)[\"']?(?!-)([A-Za-z0-9][\w:.@/-]{0,80})[\"']?(?=\s|\)|$)")
_PROGRAM = re.compile(  # a file of the repository that an interpreter is given
    r"^\(?\s{0,20}(?:[A-Z_][A-Z0-9_]{0,50}=\S{0,200}\s+){0,5}(?:sudo\s+|npx\s+|cross-env\s+(?:\w{1,60}=\S{0,200}\s+){1,9})?"
    r"(?:node|nodemon|ts-node|tsx|python3?|bash|sh|php|ruby)\s+(?:-[\w=.-]{1,80}\s+){0,9}"
    r"((?:\./|\w)[\w./-]{0,200}\.(?:m?js|cjs|m?ts|tsx|py|sh|rb|php))(?=\s|$)"
)
# Lines that look whether package.json has a script: those that they name are called only where it has.
_LOOKS_UP = re.compile(
    r"\b(?:npm|pnpm|yarn|bun)\s{1,9}run(?:-script)?\s{0,9}(?:(?:-[\w-]{1,40}|\d?>&?[\w/]{1,40})\s{1,9}){0,3}\|"
    r"|\b(?:grep|jq|node|bun)\s.{0,300}\bpackage\.json|\bpackage\.json\b.{0,100}\|\s{0,9}(?:grep|jq)\b"
    r"|\bnpm\s{1,9}pkg\s{1,9}get\s"
)
_GUARD = re.compile(r"\|\||\[|\btest\s+-|\bif\b")
_MAKES = re.compile(r"\b(?:mkdir|clone|unzip|tar|degit|init|create|checkout|worktree|mktemp)\b")


def note(  # noqa: PLR0913 - where a script starts has several sides
    draft: Draft,
    lines: Sequence[tuple[str, int]],
    path: str,
    directory: str | None,
    context: m.Context,
    *,
    onward: bool = True,
) -> None:
    """Note what a script's lines enter and call, from the directory that it starts in; `onward` is whether a line is
    left where the one before it went.
    """
    made = {word for line, _ in lines if _MAKES.search(line) for word in re.split(r"[\s/]+", line[:MAX_LINE])}
    looked_up = "\n".join(line[:MAX_LINE] for line, _ in lines if _LOOKS_UP.search(line[:MAX_LINE]))
    start = directory
    for line, number in lines:
        here = start
        place = m.Place(path, number)
        for segment, inside in _segments(line, here):
            entered = _ENTER.match(segment)
            if entered and inside is not None and not made & set(entered[1].split("/")):
                draft.refer(join(inside, entered[1]), "working directory", place)
            program = _PROGRAM.match(segment)
            if program and inside is not None and not _GUARD.search(line) and not made & set(program[1].split("/")):
                draft.refer(join(inside, program[1]), "script", place)
            call = _call(segment, inside, place, context) if "||" not in line else None  # else one of several will do
            if call is not None and not _names(looked_up, call.script):
                draft.calls.append(call)
        start = _left(line, here) if onward else directory


def _names(text: str, script: str) -> bool:
    """Whether a text holds a script's name as a word of its own."""
    return script in text and bool(re.search(rf"(?<![\w:/-]){re.escape(script)}(?![\w:/-])", text))


def _segments(line: str, directory: str | None) -> Iterator[tuple[str, str | None]]:
    """Each command of a line, and the directory that it runs in; None where that cannot be told."""
    if "<<" in line or line.startswith(("echo ", "printf ", "cat ")):
        return
    here = directory
    outside: list[str | None] = []  # where a subshell was begun
    for part in _SPLIT.split(line[:MAX_LINE]):
        segment = part.strip()
        if segment.startswith("("):
            outside.append(here)
        yield segment, here
        here = _moved(segment, here)
        if segment.endswith(")") and outside:
            here = outside.pop()


def _moved(segment: str, here: str | None) -> str | None:
    entered = _ENTER.match(segment)
    if entered:
        return join(here, entered[1]) if here is not None else None
    return None if _MOVE.match(segment) else here


def _left(line: str, here: str | None) -> str | None:
    """The directory after a line; a subshell leaves it as it was."""
    for segment, inside in [] if "(" in line else _segments(line, here):
        here = _moved(segment, inside)
    return here


def _call(segment: str, directory: str | None, place: m.Place, context: m.Context) -> m.ScriptCall | None:
    match = _RUN.match(segment) or _TEST.match(segment)
    if match is None:
        return None
    before, after = match[2], match[3].partition(" -- ")[0]
    options = f"{before} {after}"
    if "$" in options or "{{" in options:
        return None
    workspace, prefix = _WORKSPACE.search(options), _PREFIX.search(options)
    before, after = (_PREFIX.sub(" ", _WORKSPACE.sub(" ", text)) for text in (before, after))
    name = _NAME.search(after)
    if name is None or _ALL.search(options) or re.search(r"(?:^|\s)(?!-)\S", before):
        return None  # of another tool: `pnpm turbo run build`
    if prefix and directory is not None:
        directory = join(directory, prefix[1])
    named = (workspace[1] or workspace[2]) if workspace else ""
    return m.ScriptCall(name[1], directory, named, place, context, match[1] in ("yarn", "bun"))
