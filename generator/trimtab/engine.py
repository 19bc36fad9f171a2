"""Render a template in process: `copier.yml` + `template/` + settings -> {path: file}. Writes nothing to disk.

Does what `copier copy` does with our own template, to the byte, without the cost of importing Copier. What Copier
offers and our template does not use (prompts, tasks, migrations, symlinks, secrets) is not here.
"""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from functools import cached_property
from typing import TYPE_CHECKING, Any

import yaml
from jinja2 import FileSystemBytecodeCache, FileSystemLoader, StrictUndefined, TemplateError, nodes
from jinja2.ext import Extension
from jinja2.sandbox import SandboxedEnvironment

from trimtab import safe_yaml
from trimtab.bounds import BoundError, bounded
from trimtab.cache import folder as cache_folder
from trimtab.errors import TrimtabError
from trimtab.tree import SETTINGS_FILE, File, Tree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from jinja2 import Environment
    from jinja2.environment import Template as JinjaTemplate
    from jinja2.parser import Parser

SUFFIX = ".jinja"
# Keys of copier.yml that have programs run. Copier asks for --trust then; here nothing is ever run.
PROGRAMS = ("_tasks", "_migrations", "_jinja_extensions")
_TEXT = "text:"  # begins the name of a template that is its own source


class EngineError(TrimtabError):
    """The template itself is broken, or does not fit these settings."""


class _Yield(Extension):
    """Copier's `{% yield x from xs %}…{% endyield %}`, which loops over a part of a path."""

    tags = {"yield"}  # noqa: RUF012 - the form that Jinja prescribes

    def parse(self, parser: Parser) -> nodes.Node:
        line = next(parser.stream).lineno
        name = parser.parse_assign_target(name_only=True)
        parser.stream.expect("name:from")
        items = parser.parse_expression()
        body = parser.parse_statements(("name:endyield",), drop_needle=True)
        call = self.call_method("_loop", [nodes.Const(name.name), items])
        return nodes.CallBlock(call, [], [], body, lineno=line)

    def _loop(self, name: str, items: Iterable[Any], caller: Callable[[], str]) -> str:
        loops: list[tuple[str, list[Any]]] = self.environment.__dict__.setdefault("yielded", [])
        loops.append((name, list(items)))
        del caller
        return ""


class _Loader(FileSystemLoader):
    """Files of the template, and texts of paths and of `copier.yml`, so that both are compiled once and cached."""

    def get_source(self, environment: Environment, template: str) -> tuple[str, str, Callable[[], bool]]:
        if template.startswith(_TEXT):
            return template.removeprefix(_TEXT), "", lambda: True
        return super().get_source(environment, template)


class _Cache(FileSystemBytecodeCache):
    """Compiled templates, kept between runs. A cache that cannot be written is no error."""

    def dump_bytecode(self, bucket: Any) -> None:
        try:
            super().dump_bytecode(bucket)
        except OSError:
            return

    def load_bytecode(self, bucket: Any) -> None:
        try:
            super().load_bytecode(bucket)
        except (OSError, EOFError, ValueError, TypeError):
            bucket.reset()


def _from_yaml(text: str) -> Any:
    return safe_yaml.load(text)


def _to_nice_yaml(value: Any, indent: int = 4, **options: Any) -> str:
    text: str = yaml.dump(value, indent=indent, allow_unicode=True, default_flow_style=False, **options)
    return text


def _regex_search(text: str, pattern: str) -> str | None:
    import re

    match = re.search(pattern, text)
    return match.group() if match else None


class Template:
    """The template in the folder `root`: `copier.yml` beside `template/`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @cached_property
    def config(self) -> dict[str, Any]:
        """`copier.yml`, parsed."""
        try:
            data = safe_yaml.load((self.root / "copier.yml").read_bytes())
        except (OSError, yaml.YAMLError) as error:
            raise EngineError(f"{self.root / 'copier.yml'}: cannot be read: {error}", "is this a template?") from None
        if not isinstance(data, dict):
            raise EngineError(f"{self.root / 'copier.yml'}: is not a mapping", "is this a template?")
        if wanted := [key for key in PROGRAMS if data.get(key)]:
            raise EngineError(
                f"copier.yml: the template wants to run programs ({', '.join(wanted)})", "Trimtab runs none: refused"
            )
        return data

    @cached_property
    def _environment(self) -> SandboxedEnvironment:
        folder = cache_folder("templates")
        options = {k: v for k, v in (self.config.get("_envops") or {}).items() if k != "undefined"}
        env = SandboxedEnvironment(
            loader=_Loader(self.root),
            extensions=[_Yield],
            bytecode_cache=_Cache(str(folder)) if folder else None,
            undefined=StrictUndefined,
            auto_reload=False,
            cache_size=-1,
            **options,
        )
        # The filters of jinja2-ansible-filters that the template uses, with the C loader behind from_yaml.
        env.filters.update(
            to_json=json.dumps, from_yaml=_from_yaml, to_nice_yaml=_to_nice_yaml, regex_search=_regex_search
        )
        return env

    @property
    def questions(self) -> dict[str, dict[str, Any]]:
        """The questions of `copier.yml`, in order."""
        return {k: v for k, v in self.config.items() if not k.startswith("_") and isinstance(v, dict)}

    def context(self, settings: dict[str, Any], answers: dict[str, Any]) -> dict[str, Any]:
        """What templates see: the settings and everything computed from them.

        `answers` is what Copier would put into the answers file (`_commit`, `_src_path`).
        Raises EngineError if the template does not fit the settings.
        """
        context: dict[str, Any] = {"settings": settings, "_copier_answers": answers}
        for name, question in self.questions.items():
            if question.get("when") is not False:
                continue  # asked, not computed
            with _explained(f"copier.yml: {name}"):
                text = self._text(str(question["default"])).render(context)
                context[name] = json.loads(text) if question.get("type") == "json" else _from_yaml(text)
        return context

    def text(self, source: str, context: dict[str, Any]) -> str:
        """A text of `copier.yml`, such as a default or a validator, with what is known so far."""
        with _explained("copier.yml"):
            return self._environment.from_string(source).render(
                {"_external_data": {"trimtab": None}, "applied": None, **context}
            )

    def computed(self, name: str, context: dict[str, Any]) -> Any:
        """The default of a question of type json, as data."""
        return json.loads(self.text(str(self.questions[name]["default"]), context))

    def render(self, settings: dict[str, Any], answers: dict[str, Any], settings_file: bytes | None = None) -> Tree:
        """Every generated file, by POSIX path, sorted.

        `settings_file` is the user's own `trimtab.yml`, which is kept as it is; without it the template writes one.
        """
        try:
            with bounded():
                return self._render(settings, answers, settings_file)
        except BoundError as error:
            raise EngineError(
                f"the template was stopped: {error}", "is it the right one, and are the settings?"
            ) from None

    def _render(self, settings: dict[str, Any], answers: dict[str, Any], settings_file: bytes | None) -> Tree:
        context = self.context(settings, answers)
        base = str(self.config.get("_subdirectory", ""))
        skipped = self.config.get("_skip_if_exists") or []
        tree: Tree = {}
        for source in self._sources(self.root / base):
            relative = source.relative_to(self.root).as_posix()
            parts = source.relative_to(self.root / base).as_posix().removesuffix(SUFFIX).split("/")
            for path, extra in self._paths(parts, context):
                once = any(fnmatchcase(path, pattern) for pattern in skipped)
                if path == SETTINGS_FILE and settings_file is not None:
                    tree[path] = File(settings_file, once=True)
                    continue
                if relative.endswith(SUFFIX):
                    with _explained(relative):
                        content = self._environment.get_template(relative).render({**context, **extra}).encode()
                else:
                    content = source.read_bytes()
                tree[path] = File(content, bool(source.stat().st_mode & 0o100), once)
        return dict(sorted(tree.items()))

    def _sources(self, folder: Path) -> list[Path]:
        return sorted(p for p in folder.rglob("*") if p.is_file())

    def _paths(self, parts: list[str], context: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
        done: list[tuple[list[str], dict[str, Any]]] = [([], {})]
        for part in parts:
            done = [([*p, text], e) for p, extra in done for text, e in self._part(part, {**context, **extra}, extra)]
        for names, extra in done:
            yield "/".join(names), extra

    def _part(self, part: str, context: dict[str, Any], extra: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
        if "{" not in part:
            return [(part, extra)]
        with _explained(f"the path {part}"):
            template = self._path_template(part)
            loops: list[tuple[str, list[Any]]] = self._environment.__dict__.setdefault("yielded", [])
            loops.clear()
            text = template.render(context)
            if not loops:
                return [(text, extra)] if text else []
            name, items = loops.pop()
            plain = self._path_template(part, unrolled=True)
            rendered = [(plain.render({**context, name: item}), {**extra, name: item}) for item in items]
            return [(text, more) for text, more in rendered if text]

    def _text(self, source: str) -> JinjaTemplate:
        return self._environment.get_template(_TEXT + source)

    def _path_template(self, part: str, unrolled: bool = False) -> JinjaTemplate:
        if unrolled:
            import re

            part = re.sub(r"\{%\s*(yield\b.*?|endyield\s*)%\}", "", part)
        return self._text(part)


# What a template can raise: RecursionError is one of its RuntimeErrors, and a `range` too long an OverflowError.
_FAULTS = (TemplateError, TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RuntimeError, OSError)


class _explained:  # noqa: N801 - reads as a statement
    """Turn what a template raises into an EngineError that names the template."""

    def __init__(self, what: str) -> None:
        self.what = what

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, _FAULTS):
            message = str(error).splitlines()[0] if str(error) else type(error).__name__
            line = getattr(error, "lineno", None)
            where = f"{self.what}:{line}" if line else self.what
            raise EngineError(
                f"{where}: the template fails: {message}", "this is a fault of the template; please report it"
            ) from error
