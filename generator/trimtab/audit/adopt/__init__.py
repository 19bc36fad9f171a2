"""Adopt a repository: read its deployment files as facts, and propose the settings that would replace them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def proposed_settings(root: Path) -> bytes | None:
    """The text of a `trimtab.yml` for the repository at `root`; None where it holds nothing that can be adopted."""
    from trimtab.audit.adopt.propose import NothingFoundError, propose
    from trimtab.frameworks import Frameworks
    from trimtab.sources import template_root

    if not root.is_dir():
        return None
    try:
        return propose(root, Frameworks(template_root())).raw
    except NothingFoundError:
        return None
