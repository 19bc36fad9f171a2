"""Application source: the port it listens on, the health routes it serves, the variables it reads.

Only files of interest (see `interest`) get here. They lose their comments (by tree-sitter, through ast-grep), so that
what stands in a comment is never taken for code.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from trimtab.audit.facts import inlinesql, namedsql, schemacode, sourcekeys, wrappers
from trimtab.audit.facts import model as m
from trimtab.audit.facts.draft import Draft
from trimtab.audit.facts.pysettings import LITERAL, settings_class
from trimtab.audit.facts.text import to_port

LANGUAGES = {
    "rs": "rust",
    "py": "python",
    "js": "javascript",
    "mjs": "javascript",
    "cjs": "javascript",
    "jsx": "javascript",
    "ts": "typescript",
    "mts": "typescript",
    "cts": "typescript",
    "tsx": "tsx",
    "go": "go",
    "java": "java",
    "kt": "kotlin",
    "cs": "csharp",
    "rb": "ruby",
    "php": "php",
    "vue": "html",
    "svelte": "html",
    "ex": "elixir",
    "exs": "elixir",
    "ru": "ruby",
}
MAX_SOURCE = 400_000
# Spoilt or hostile text takes the parsers time in the square of its length; few files that anybody wrote are longer.
MAX_PARSED = 60_000
_TEST = re.compile(
    r"(^|/)(test_[^/]*|conftest)\.py$|[._-](test|spec|tests|cy|stories|bench)\.[cm]?[jt]sx?$|_test\.(go|py|exs?)$|Tests?\.(java|cs|kt)$|_spec\.rb$|Test\.php$|\.d\.ts$|\.min\.js$"
)

_WHOLE_LINES = re.compile(r"(?m)^[ \t]*(?://|\*|#(?!\[))[^\n]*")
_COMMENTS = {
    "rust": ("line_comment", "block_comment"),
    "java": ("line_comment", "block_comment"),
    "kotlin": ("line_comment", "multiline_comment", "block_comment"),
}

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

_BINDS: dict[str, tuple[re.Pattern[str], ...]] = {
    "rust": (
        re.compile(r"\bbind\(\s{0,20}\([^,()]{1,200}(?:\(\))?\s{0,20},\s*(\d{2,5})(?:_?u16)?\s*\)\s*\)"),
        re.compile(r"\bbind\(\s*&?\"[\w.:\[\]]*:(\d{2,5})\""),
        re.compile(r"SocketAddr::from\(\(\s*\[[\d,\s]+\]\s*,\s*(\d{2,5})\s*\)\)"),
    ),
    "python": (
        re.compile(
            r"\b(?:uvicorn|app|application|web|serve|hypercorn|server|socketio)\.?(?:run|run_app|serve)\w*\([^()]*(?:\([^()]*\)[^()]*)*\bport\s*=\s*(\d{2,5})"
        ),
        re.compile(r"(?m)^bind\s*=\s*[\"'][\w.]*:(\d{2,5})[\"']"),
        re.compile(r"\badd_insecure_port\(\s*f?[\"'][^\"']*:(\d{2,5})[\"']"),
    ),
    "javascript": (
        re.compile(r"\.listen\(\s*(\d{2,5})\b|\.listen\(\s*\{[^{}]*\bport\s*:\s*(\d{2,5})"),
        re.compile(r"\b(?:const|let|var)\s+(?:port|PORT)\s{0,20}(?::\s{0,20}\w{1,40})?\s{0,20}=\s{0,20}(\d{2,5})\b"),
    ),
    "go": (
        re.compile(r"\b(?:ListenAndServe(?:TLS)?|Run|Start|Listen)\(\s*(?:\"tcp\"\s*,\s*)?\"[\w.]*:(\d{2,5})\""),
        re.compile(r"\bAddr:\s*\"[\w.]*:(\d{2,5})\""),
    ),
    "csharp": (
        re.compile(r"\b(?:UseUrls|Run)\(\s*\"https?://[^\":]+:(\d{2,5})|\bListen(?:AnyIP|Localhost)\(\s*(\d{2,5})"),
    ),
    "ruby": (re.compile(r"(?m)^[ \t]*port[ \t]+(\d{2,5})\b|\bset\s+:port,\s*(\d{2,5})"),),
    "java": (re.compile(r"\bnew\s+ServerSocket\(\s*(\d{2,5})|\bsetPort\(\s*(\d{2,5})"),),
}
_BUNDLER = re.compile(
    r"(?:vite|vitest|webpack|rsbuild|rspack|playwright|cypress|craco|vue|quasar|svelte|astro|next|nuxt|wxt)\.config\.[cm]?[jt]s$"
)
_PORT_WORD = " port"
PORT_NAME = re.compile(
    r"^(?:(?:APP|SERVER|HTTP|API|BACKEND|LISTEN|WEB|ROCKET|BIND|SERVICE|NODE|FASTAPI|FLASK|DJANGO|UVICORN|GIN|FRONTEND|LISTENING|HTTP_SERVER|APP_SERVER)_?)?PORT$"
)
_HEALTH_WORDS = ("health", "live", "ready", "ping", "heartbeat", "status", "/up")
_METHOD = re.compile(r"^[A-Z]{3,7} (?=/)")  # as patterns of Go's own multiplexer begin
_PATH = re.compile(r"/?[\w{}:.<>*~/-]+")


def language_of(path: str) -> str:
    """The language of a source file by its ending, "" for none that is read."""
    return "" if _TEST.search(path) else LANGUAGES.get(path.rsplit(".", 1)[-1].lower(), "")


def without_comments(text: str, language: str) -> str:
    """`text` with every comment blanked, character for character, so that lines and columns stay. In a text that is too
    long for the parsers, only the comments that have a line of their own are.
    """
    if language not in (
        "rust",
        "python",
        "javascript",
        "typescript",
        "tsx",
        "go",
        "java",
        "kotlin",
        "csharp",
        "ruby",
        "php",
    ):
        return text
    if not re.search(r"//|/\*|#", text):
        return text
    if len(text) > MAX_PARSED:
        return _WHOLE_LINES.sub("", text)
    from ast_grep_py import SgRoot

    root = SgRoot(text, language).root()
    spans: list[tuple[int, int]] = []
    for kind in _COMMENTS.get(language, ("comment",)):
        try:
            spans.extend((node.range().start.index, node.range().end.index) for node in root.find_all(kind=kind))
        except RuntimeError:  # a kind that this grammar does not have
            continue
    if not spans:
        return text
    parts: list[str] = []
    position = 0
    for start, end in sorted(spans):
        if start < position:
            continue
        parts.append(text[position:start])
        parts.append(re.sub(r"[^\n]", " ", text[start:end]))
        position = end
    parts.append(text[position:])
    return "".join(parts)


def read(draft: Draft, path: str, text: str, language: str) -> None:
    """Add what one source file shows."""
    if len(text) > MAX_SOURCE:
        draft.repo.note(path, f"source larger than {MAX_SOURCE // 1000} kB")
        return
    if max((len(line) for line in text.split("\n", 50)[:50]), default=0) > 5000:
        return  # minified: generated, and nobody's deployment depends on what it says
    found = _found(text, language, path)
    if found.any() and _commented(text, found):
        found = _found(without_comments(text, language), language, path)
    draft.reads.extend(found.reads)
    draft.binds.extend(found.binds)
    draft.routes.extend(found.routes)
    draft.schema_calls.extend(found.schema_calls)
    draft.named_sql.extend(found.named_sql)
    draft.inline_tables.extend(found.inline_tables)
    draft.source_keys.extend(found.source_keys)
    draft.read_folders.extend(found.read_folders)


@dataclass(slots=True)
class _Found:
    """What one text shows, read as it stands."""

    reads: list[m.EnvRead]
    binds: list[m.Bind]
    routes: list[m.Route]
    schema_calls: list[m.SchemaCall]
    named_sql: list[m.Reference]
    inline_tables: list[tuple[str, m.Place]]
    source_keys: list[tuple[str, m.Place]]
    read_folders: list[m.Reference]

    def any(self) -> bool:
        """Whether there is anything."""
        return bool(
            self.reads
            or self.binds
            or self.routes
            or self.schema_calls
            or self.named_sql
            or self.inline_tables
            or self.source_keys
            or self.read_folders
        )


def _found(code: str, language: str, path: str) -> _Found:
    if language == "rust" and "#[cfg(test)]" in code:
        code = code[: code.index("#[cfg(test)]")]  # by custom the tests are a file's last module
    family = {"typescript": "javascript", "tsx": "javascript", "html": "javascript", "kotlin": "java"}.get(
        language, language
    )
    line_of = _line_finder(code)
    reads = list(_env_reads(code, family, path, line_of))
    binds = list(_binds(code, family, path, line_of, reads))
    routes = [m.Route(literal, m.Place(path, line_of(start))) for literal, start in _health_literals(code)]
    return _Found(
        reads,
        binds,
        routes,
        list(schemacode.calls(code, family, path, line_of)),
        list(namedsql.references(code, path, line_of)),
        list(inlinesql.tables(code, path, line_of)),
        list(sourcekeys.keys(code, path, line_of)),
        list(inlinesql.folders(code, family, path, line_of)),
    )


def _commented(text: str, found: _Found) -> bool:
    """Whether any of what was found can stand in a comment, or have one beside it: most files need no parser."""
    lines = text.split("\n")
    opened = _open_comments(lines)
    numbers = {one.place.line for one in found.reads} | {one.place.line for one in found.binds}
    numbers |= {one.place.line for one in found.routes} | {one.place.line for one in found.schema_calls}
    numbers |= {one.place.line for one in found.named_sql}
    numbers |= {place.line for _, place in (*found.inline_tables, *found.source_keys)}
    numbers |= {one.place.line for one in found.read_folders}
    return any(
        opened[number - 1] or any("//" in line or "#" in line or "*" in line for line in lines[number - 1 : number + 2])
        for number in numbers
    )


def _open_comments(lines: list[str]) -> list[bool]:
    """For each line, whether a comment that began on a line before it may still be open."""
    state, found = False, []
    for line in lines:
        found.append(state)
        begin, end = line.rfind("/*"), line.rfind("*/")
        if begin >= 0 or end >= 0:
            state = begin > end
    return found


def _word_positions(code: str) -> list[int]:
    """Where a word of health checks stands; plain searches, since an expression for all of them takes ten
    times as long.
    """
    low = code.lower()
    if len(low) != len(code):  # a few letters grow when lower-cased, which would shift every position after them
        low = code
    found: set[int] = set()
    for word in _HEALTH_WORDS:
        position = low.find(word)
        while position >= 0:
            found.add(position)
            position = low.find(word, position + len(word))
    return sorted(found)


def _health_literals(code: str) -> Iterator[tuple[str, int]]:
    """Each string literal with a word of health checks, and where it begins. Words are found first:
    literals are far more.
    """
    done = 0
    for start in _word_positions(code):
        if start < done:
            continue
        first = max(code.rfind(quote, max(0, start - 120), start) for quote in "\"'`")
        ends = [end for quote in "\"'`" if (end := code.find(quote, start, start + 120)) >= 0]
        if first < 0 or not ends:
            continue
        literal = code[first + 1 : min(ends)]
        done = min(ends)
        literal = _METHOD.sub("", literal)
        if _PATH.fullmatch(literal):
            yield literal, first + 1


def _line_finder(text: str) -> Callable[[int], int]:
    """A function from an offset to its line; most texts are never asked for one."""
    starts: list[int] = []

    def line_of(offset: int) -> int:
        if not starts:
            starts.append(0)
            position = text.find("\n")
            while position >= 0:
                starts.append(position + 1)
                position = text.find("\n", position + 1)
        return bisect.bisect_right(starts, offset)

    return line_of


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


def _env_reads(  # noqa: C901
    code: str, family: str, path: str, line_of: Callable[[int], int]
) -> Iterator[m.EnvRead]:
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


def _binds(
    code: str, family: str, path: str, line_of: Callable[[int], int], reads: list[m.EnvRead]
) -> Iterator[m.Bind]:
    if _BUNDLER.match(path.rsplit("/", 1)[-1]):
        return  # the port of a development server
    for read_ in reads:
        if PORT_NAME.match(read_.name):
            yield m.Bind(to_port((read_.default or "").rsplit(":", 1)[-1]), read_.name, read_.place)
    if any(PORT_NAME.match(read_.name) for read_ in reads):
        return
    if "config" in path.rsplit("/", 1)[-1] and family == "javascript":
        return  # the port of a development server's configuration is not the one that production listens on
    for pattern in (
        _BINDS.get(family, ()) if family != "javascript" or "listen(" in code or _PORT_WORD in code.lower() else ()
    ):
        for match in pattern.finditer(code):
            number = to_port(next((group for group in match.groups() if group), ""))
            if number:
                yield m.Bind(number, "", m.Place(path, line_of(match.start())))
