"""Settings for a repository that has none: from the questions of `copier.yml`, or their defaults."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trimtab.engine import Template
from trimtab.sources import template_root
from trimtab.tree import SETTINGS_FILE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def starter_settings(destination: Path, ask: Callable[[str, str, list[str] | None], str] | None) -> bytes:
    """The text of a new `trimtab.yml`. `ask` gets a help text, a default and the choices; None takes the defaults."""
    template = Template(template_root())
    answers: dict[str, Any] = {}
    for name, question in template.questions.items():
        if question.get("when") is False or question.get("ask") is False:
            continue
        default = template.text(str(question.get("default", "")), answers)
        if name == "platform":
            default = _folder_name(destination) or default
        while True:
            answers[name] = ask(question["help"], default, question.get("choices")) if ask else default
            complaint = template.text(str(question.get("validator", "")), answers)
            if not complaint or ask is None:
                break
            ask(f"{complaint} Press enter", "", None)
    settings = template.computed("settings", answers)
    return template.render(settings, {})[SETTINGS_FILE].content


def _folder_name(destination: Path) -> str:
    """The folder's name, if it can be a platform's name."""
    import re

    from trimtab.settings.schema import NAME

    name = destination.resolve().name.lower().replace("_", "-")
    return name if re.fullmatch(NAME, name) else ""
