"""Scripts that make tables from the models, and the commands that run them."""

from __future__ import annotations

import re

from trimtab.audit.facts.model import Command, Facts, SchemaCall
from trimtab.audit.facts.text import directory_of

_BY_HAND = re.compile(r"(?:^|/)(?:scripts?|tools?)/|(?:^|/)(?:init|create|setup|reset)[^/]{0,100}$")
_ASIDE = re.compile(r"(?:^|/)(?:tests?|seeds?|examples?|fixtures?|conftest)(?:/|[^/]{0,60}$)")


def is_aside(call: SchemaCall) -> bool:
    """Whether the tables are a test's or an example's."""
    return bool(_ASIDE.search(call.place.path))


def is_script(call: SchemaCall) -> bool:
    """Whether the tables are made when somebody runs the file, and not when the service starts."""
    return bool(_BY_HAND.search(call.place.path))


def runs_of(call: SchemaCall, facts: Facts) -> list[Command]:
    """The commands of other files that run the script of a call."""
    path = call.place.path
    base = path.rsplit("/", 1)[-1]
    module = f"{directory_of(path).rsplit('/', 1)[-1]}.{base.rsplit('.', 1)[0]}".strip(".")
    return [
        command
        for command in facts.commands
        if (base in command.text or f"-m {module}" in command.text)
        and command.place.path != path
        and not command.text.lstrip().startswith(("echo ", "printf "))
    ]
