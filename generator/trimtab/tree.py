"""What is generated: files by path."""

from __future__ import annotations

from dataclasses import dataclass

SETTINGS_FILE = "trimtab.yml"
ANSWERS_FILE = ".copier-answers.yml"


@dataclass(frozen=True)
class File:
    """A generated file: its bytes, whether it may be executed, and whether it is written only once.

    A file that is written `once` belongs to the user or to the workflow from then on. A `private` one is readable by
    its owner only.
    """

    content: bytes
    executable: bool = False
    once: bool = False
    private: bool = False


Tree = dict[str, File]
