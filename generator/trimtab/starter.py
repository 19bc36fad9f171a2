"""Settings for a repository that has none: from the questions of `copier.yml`, or their defaults."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trimtab.engine import Template
from trimtab.settings.messages import closest, shown
from trimtab.sources import template_root
from trimtab.tree import SETTINGS_FILE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def starter_settings(destination: Path, ask: Callable[[str, str], str] | None) -> bytes:
    """The text of a new `trimtab.yml`. `ask` gets a question and a default; None takes the defaults."""
    template = Template(template_root())
    answers: dict[str, Any] = {}
    for name, question in template.questions.items():
        if question.get("when") is False or question.get("ask") is False:
            continue
        default = template.text(str(question.get("default", "")), answers)
        if name == "platform":
            default = _folder_name(destination) or default
        answers[name] = default if ask is None else _answer(ask, template, question, {**answers, name: default}, name)
    settings = template.computed("settings", answers)
    return template.render(settings, {})[SETTINGS_FILE].content


def _answer(
    ask: Callable[[str, str], str], template: Template, question: dict[str, Any], answers: dict[str, Any], name: str
) -> str:
    """Ask until the answer is one; `answers` holds the default of this question, and the answers to earlier ones."""
    choices = question.get("choices") or []
    text = f"{question['help']} ({', '.join(choices)})" if choices else str(question["help"])
    complaint = ""
    while True:
        answer = ask(f"{complaint}\n{text}".lstrip(), answers[name]).strip()
        complaint = template.text(str(question.get("validator", "")), {**answers, name: answer})
        if choices and answer not in choices:
            close = closest(answer, choices)
            complaint = f"Did you mean '{close}'?" if close else f"{shown(answer)} is none of them."
        if not complaint:
            return answer


def _folder_name(destination: Path) -> str:
    """The folder's name, if it can be a platform's name."""
    import re

    from trimtab.settings.checks import RESERVED
    from trimtab.settings.schema import NAME

    name = destination.resolve().name.lower().replace("_", "-")
    return name if re.fullmatch(NAME, name) and name not in RESERVED else ""
