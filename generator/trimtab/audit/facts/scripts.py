"""Shell scripts and makefiles: their commands, and the files, images and secrets that these name."""

from __future__ import annotations

import re

from trimtab.audit.facts import model as m
from trimtab.audit.facts import references, run_images, working, written
from trimtab.audit.facts.commands import logical_lines, makefile_lines, migration_of, with_assignments
from trimtab.audit.facts.draft import Draft
from trimtab.audit.facts.naming import environment_of
from trimtab.audit.facts.text import directory_of, join


def read_script(draft: Draft, path: str, text: str) -> None:
    """Add the commands of a shell script and what they name."""
    base = path.rsplit("/", 1)[-1]
    written.in_commands(draft, path, text.split("\n"), 1, environment_of(path))
    run_images.note(draft, path, text.split("\n"), 1, environment_of(path))
    lines = with_assignments(logical_lines(text))
    commands = [m.Command(line, m.Place(path, number), "script", base) for line, number in lines]
    draft.extend_commands(commands)
    references.loose_references(draft, commands)
    working.note(draft, lines, path, None, "script")
    if re.search(r"(?m)(?:^|[\s;&(])(?:cd|pushd)\s", text):
        return
    for command in commands:  # it starts in the root or in the script's own folder: nobody says which
        for match in references.MIGRATION_FOLDER.finditer(command.text) if migration_of(command) else ():
            if not draft.repo.exists(join(directory_of(path), match[1]) or "."):
                draft.refer(join("", match[1]), "migration directory", command.place)


def read_makefile(draft: Draft, path: str, text: str) -> None:
    """Add the commands of a makefile, each under its target, and what they name."""
    lines = makefile_lines(text)
    directory = directory_of(path)
    for line, number, target in lines:
        place = m.Place(path, number)
        draft.commands.append(m.Command(line, place, "makefile", target))
        references.script_references(draft, line, place, directory)
    working.note(draft, [(line, number) for line, number, _ in lines], path, directory, "makefile", onward=False)
