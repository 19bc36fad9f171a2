"""The environment variables that source reads, and their defaults."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from trimtab.audit.facts import model as m
from trimtab.audit.facts import wrappers
from trimtab.audit.facts.pysettings import LITERAL, settings_class

NAME = r"([A-Za-z_][A-Za-z0-9_]*)"
_READS: dict[str, tuple[re.Pattern[str], ...]] = {
    "rust": (
        re.compile(
            rf"\benv::var(?:_os)?\(\s*\"{NAME}\"\s{{0,20}},?\s{{0,20}}\)|\bdotenvy?::var\(\s*\"{NAME}\"|\benv\s*=\s*\"{NAME}\""
        ),
    ),
    "python": (
        re.compile(
            rf"\benviron\[\s*[\"']{NAME}[\"']\s*\]|\benviron\.(?:get|setdefault|pop)\(\s*[\"']{NAME}[\"']|\bgetenv\(\s*[\"']{NAME}[\"']"
        ),
        re.compile(
            r"(?<![\w.])(?:env|config|decouple_config)(?:\.(?:str|int|bool|list|url|float|db|db_url|cache|cache_url|json|dict|path|get))?\(\s*[\"']([A-Z][A-Z0-9_]+)[\"']"
        ),
    ),
    "javascript": (
        re.compile(
            rf"\b(?:process|Bun)\??\.env\??\.{NAME}|\bprocess\.env\[\s*[\"'`]{NAME}[\"'`]\s*\]|\bimport\.meta\.env\.{NAME}|\bDeno\.env\.get\(\s*[\"']{NAME}[\"']"
        ),
        re.compile(
            r"\b(?:configService|config|configuration)\.(?:get|getOrThrow)(?:<[^<>]{0,100}>)?\(\s*[\"']([A-Z][A-Z0-9_]+)[\"']"
        ),
    ),
    "go": (
        re.compile(
            rf"\bos\.(?:Getenv|LookupEnv)\(\s*\"{NAME}\"|\benv(?:config)?:\"{NAME}|\bBindEnv\([^()]{{0,300}}\"([A-Z][A-Z0-9_]+)\"\s*\)"
        ),
        re.compile(r"\b(?i:\w{0,40}env\w{0,40})\(\s{0,20}(?:&?[\w.]{1,80}\s{0,20},\s{0,20})?\"([A-Z][A-Z0-9_]+)\""),
        re.compile(r"\bviper\.Get\w*\(\s*\"([A-Z][A-Z0-9_]+)\""),
    ),
    "java": (
        re.compile(
            rf"\bSystem\.getenv\(\s*\"{NAME}\"|\bgetProperty\(\s*\"([A-Z][A-Z0-9_]+)\"|@Value\(\s*\"\$\{{([A-Z][A-Z0-9_]+)"
        ),
    ),
    "csharp": (
        re.compile(rf"\bGetEnvironmentVariable\(\s*\"{NAME}\"|\b[Cc]onfiguration\[\s*\"([A-Z][A-Z0-9_]+)\"\s*\]"),
    ),
    "ruby": (re.compile(rf"\bENV\[\s*[\"']{NAME}[\"']\s*\]|\bENV\.fetch\(\s*[\"']{NAME}[\"']"),),
    "php": (re.compile(rf"(?<![\w>$])(?:env|getenv)\(\s*[\"']{NAME}[\"']|\$_(?:ENV|SERVER)\[\s*[\"']{NAME}[\"']"),),
    "elixir": (re.compile(rf"\bSystem\.(?:get_env|fetch_env!?)\(\s*\"{NAME}\""),),
}
# Of the first patterns above, the word that each match holds and how far before it the match may begin: looking for the
# word first takes a tenth of the time.
_READ_WORDS = {
    "javascript": (("env", 20), ("onfig", 20)),
    "python": (("env", 12),),
    "rust": (("env", 12),),
    "elixir": (("System.", 0),),
    "ruby": (("ENV", 0),),
}
MAX_MATCH = 300
_DEFAULT = re.compile(
    r"\s{0,30}[\])]{0,9}\s{0,9}\??\s{0,9}(?:\|\||\?\?|\?:|,\s{0,30}(?:default\s{0,9}=)?|"
    r"\.unwrap_or(?:_else|_default)?\(\s{0,30}(?:\|_?\w*\|)?|\{|\s{1,9}or\s|[^\n;]{0,80}?\.unwrap_or\()\s{0,9}\(?\s{0,9}"
    + LITERAL
)
# What stands right of a read that is none: the program sets the variable itself, for good or where it is missing.
_ASSIGNED = re.compile(r"\s{0,9}(?:\|\||\?\?)?=(?![=~>])")
_TAG_DEFAULT = re.compile(r"\b(?:default|envDefault|env-default):\"([^\"]*)\"")
_REQUIRED = re.compile(r"\s{0,30}\)?\s{0,9}(?:!|\.expect\(|\.unwrap\(\)|\?\s*[;,\n]|\)?\.map_err|\.context\()")
_DESTRUCTURED = re.compile(r"\{([^{}]{1,2000})\}\s*=\s*(?:process|import\.meta)\.env\b")
_SVELTE = re.compile(r"import\s*\{([^{}]*)\}\s*from\s*[\"']\$env/static/(?:private|public)[\"']")


def reads(  # noqa: C901
    code: str, family: str, path: str, line_of: Callable[[int], int]
) -> Iterator[m.EnvRead]:
    """Every read in `code`, with the default that stands beside it; `line_of` tells the line of an offset."""
    seen: set[tuple[str, int]] = set()
    words = _READ_WORDS.get(family, ())
    for index, pattern in enumerate(_READS.get(family, ())):
        for match in _near(pattern, words[index], code) if index < len(words) else pattern.finditer(code):
            name = next((group for group in match.groups() if group), "")
            line = line_of(match.start())
            if not name or (name, line) in seen:
                continue
            seen.add((name, line))
            rest = code[match.end() : match.end() + 200]
            default = _DEFAULT.match(rest) if _has_default(match[0], rest) else None
            value = next((group for group in default.groups() if group is not None), None) if default else None
            required = value is None and (bool(_REQUIRED.match(rest)) or match[0].startswith("environ["))
            if value is None and (_ASSIGNED.match(rest) or "setdefault(" in match[0]):
                value, required = "", False
            if family == "go":
                value = value if match[0].startswith(("os.Getenv", "os.LookupEnv")) is False else None
                if match[0].startswith("env"):
                    value, required = _of_tag(code, match)
            yield m.EnvRead(name, m.Place(path, line), value, required)
    yield from _through_others(code, family, path, line_of, seen)
    if family == "javascript" and "env" in code:
        for match in _DESTRUCTURED.finditer(code):
            yield from _destructured(match[1], match.start(1), path, line_of)
        for match in _SVELTE.finditer(code):
            for name in re.findall(r"[A-Z][A-Z0-9_]+", match[1]):
                yield m.EnvRead(name, m.Place(path, line_of(match.start())), None, required=True)
    elif family == "python" and "BaseSettings" in code:
        yield from settings_class(code, path, line_of)


def _through_others(
    code: str, family: str, path: str, line_of: Callable[[int], int], seen: set[tuple[str, int]]
) -> Iterator[m.EnvRead]:
    """What functions and schemas of the source's own read, besides `seen`."""
    names = {name for name, _ in seen}
    for name, start, value, required in wrappers.schema_names(code, family):
        if name not in names:
            yield m.EnvRead(name, m.Place(path, line_of(start)), value, required)
    for name, start, given in wrappers.read_names(code, family):
        if (name, line_of(start)) not in seen:
            yield m.EnvRead(name, m.Place(path, line_of(start)), given)


def _has_default(read: str, rest: str) -> bool:
    """Whether what follows a read can be its default: after a comma only within the call that reads."""
    if not rest.lstrip(" \t\n)]").startswith(","):
        return True
    return "(" in read and rest.lstrip().startswith(",")


def _of_tag(code: str, match: re.Match[str]) -> tuple[str | None, bool]:
    """The default that a Go struct's tag gives, and whether it must be set; its keys stand in any order."""
    tag = code[max(0, code.rfind("`", 0, match.start())) : max(0, code.find("`", match.end()))]
    stated = _TAG_DEFAULT.search(tag) if "\n" not in tag else None
    return (stated[1], False) if stated else (None, "required" in tag)


def _destructured(body: str, start: int, path: str, line_of: Callable[[int], int]) -> Iterator[m.EnvRead]:
    for match in re.finditer(rf"(?:^|,)\s*([A-Z][A-Z0-9_]+)\s*(?::\s*\w+)?\s*(?:=\s*{LITERAL})?", body):
        value = next((group for group in match.groups()[1:] if group is not None), None)
        yield m.EnvRead(match[1], m.Place(path, line_of(start + match.start(1))), value)


def _near(pattern: re.Pattern[str], anchor: tuple[str, int], code: str) -> Iterator[re.Match[str]]:
    """The matches of a pattern, each around a word that it must hold."""
    word, before = anchor
    position, done = code.find(word), 0
    while position >= 0:
        match = pattern.search(code, max(done, position - before), position + MAX_MATCH)
        if match is not None and match.start() <= position:
            yield match
            done = match.end()
        position = code.find(word, max(position + 1, done))
