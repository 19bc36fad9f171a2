"""The ports that source listens on, and what the variables are called that hold one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from trimtab.audit.facts import model as m
from trimtab.audit.facts.text import to_port

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


def binds(code: str, family: str, path: str, line_of: Callable[[int], int], reads: list[m.EnvRead]) -> Iterator[m.Bind]:
    """Every port that `code` binds: that of a variable among its `reads`, else those that it writes itself."""
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
