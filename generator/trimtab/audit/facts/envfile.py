"""Env files of every naming, read as compose and dotenv read them: KEY=VALUE, quotes, `export`, comments."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping

from trimtab.audit.facts import model as m
from trimtab.audit.facts.draft import Draft
from trimtab.audit.facts.naming import environment_of
from trimtab.audit.facts.text import directory_of

_NAME = re.compile(
    r"^\.?env$|^\.?env[._-][\w.-]+$|^[\w.-]+\.env$|^[\w-]+\.env[._-](example|sample|template|dist)$|^\.envrc$",
    re.IGNORECASE,
)
_NOT_ENV = re.compile(
    r"\.(d\.ts|[cm]?[jt]sx?|py|rs|go|java|rb|php|cs|html?|ya?ml|json|md|toml|sh|vue|svelte|in|lock|kt|ex|exs|h|c|cpp|enc|age|gpg|bak|"
    r"txt|erb|j2|jinja2?|properties|nix|cfg|ini|css|ps1|bat|xml|vault|tf|tfvars|hcl|lua|swift|scala|dart|conf|log|plist|service|sql|csv|sum|map|css|scss|svg|png|pem|crt|key)$",
    re.IGNORECASE,
)
_LINE = re.compile(r"^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_.]*)\s*=\s*(.*)$")
_EXAMPLES = (".example", ".sample", ".template", ".dist")  # how the example of a file that git ignores ends
_REF = re.compile(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)")


def named_env(basename: str) -> bool:
    """Whether a file name is one that env files have, such as `.env.production`, `env.example` or
    `api.env`.
    """
    return bool(_NAME.match(basename)) and not _NOT_ENV.search(basename)


def parse(text: str) -> list[tuple[str, str, int]]:
    """(name, value, line) of each assignment. Lines that are none are passed over, as every dotenv reader
    does.
    """
    found: list[tuple[str, str, int]] = []
    lines = text.split("\n")
    index = 0
    while index < len(lines):
        match = _LINE.match(lines[index][:20_000])
        start = index
        index += 1
        if match is None:
            continue
        value = match[2].strip()
        quote = value[:1]
        if quote in ("'", '"'):
            end = value.find(quote, 1)
            while end < 0 and index < len(lines) and index - start < 200:
                value += "\n" + lines[index]
                index += 1
                end = value.find(quote, 1)
            value = value[1:end] if end > 0 else value[1:]
        else:
            value = re.split(r"\s#", value, maxsplit=1)[0].strip()
            if value.startswith("#"):
                value = ""
        found.append((match[1], value, start + 1))
    return found


def read(draft: Draft, path: str, text: str) -> None:
    """Add one env file to the draft."""
    environment = environment_of(path)
    variables = tuple(
        m.EnvVar(name, value, m.Place(path, line), "envfile", environment, tuple(_REF.findall(value)))
        for name, value, line in parse(text)
    )
    draft.env_files.append(m.EnvFile(path, directory_of(path), environment, variables))


def example_of(path: str, files: Mapping[str, m.EnvFile]) -> m.EnvFile | None:
    """The example beside an env file that git ignores, if there is one."""
    return next((files[path + end] for end in _EXAMPLES if path + end in files), None)


def with_env_files(container: m.Container, files: Mapping[str, m.EnvFile]) -> m.Container:
    """A compose service with the variables of its env files; of one that git ignores, those of its example."""
    env = list(container.env)
    own = {item.name for item in env}
    for path, _ in reversed(container.env_files):
        file = files.get(path)
        given = file.variables if file else _exampled(path, files)
        env.extend(item for item in given if item.name not in own)
        own |= {item.name for item in given}
    return dataclasses.replace(container, env=tuple(env))


def _exampled(path: str, files: Mapping[str, m.EnvFile]) -> tuple[m.EnvVar, ...]:
    """The variables of the example beside an env file; an empty one there is to be filled in."""
    example = example_of(path, files)
    return tuple(dataclasses.replace(item, value=item.value or None) for item in example.variables) if example else ()
