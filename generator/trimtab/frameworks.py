"""The frameworks that a template knows: one folder each, read when asked for."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import yaml

from trimtab import safe_yaml
from trimtab.errors import TrimtabError

if TYPE_CHECKING:
    from pathlib import Path


class Frameworks:
    """`template/frameworks/<name>/framework.yml` of the template at `root`, each parsed at most once."""

    def __init__(self, root: Path) -> None:
        self._folder = root / "template" / "frameworks"
        self._read: dict[str, dict[str, Any]] = {}

    @cached_property
    def names(self) -> list[str]:
        """Every framework's name, sorted."""
        return sorted(p.parent.name for p in self._folder.glob("*/framework.yml"))

    def __contains__(self, name: str) -> bool:
        """Whether the template has this framework."""
        return name in self.names

    def __getitem__(self, name: str) -> dict[str, Any]:
        """The data of one framework, as its `framework.yml` says. Raises TrimtabError if the template is broken."""
        if name not in self._read:
            try:
                data = safe_yaml.load((self._folder / name / "framework.yml").read_bytes())
            except (OSError, yaml.YAMLError) as error:
                raise TrimtabError(
                    f"template/frameworks/{name}/framework.yml: cannot be read: {error}",
                    "repair the template",
                ) from None
            self._read[name] = data
        return self._read[name]
