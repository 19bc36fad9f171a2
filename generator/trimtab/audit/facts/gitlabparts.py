"""The files that a GitLab pipeline is made of, and what a job of one inherits from another.
Source: GitLab's CI/CD YAML syntax reference, `include` and `extends`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from trimtab.audit.facts.draft import Draft
from trimtab.yamlpos import Map, Scalar, Seq, Value, load_all

ROOT = ".gitlab-ci.yml"
DEFAULTS = ("before_script", "after_script", "artifacts")
_MAX_FILES = 60
_MAX_PARENTS = 12  # GitLab allows eleven levels of `extends`


@dataclass(frozen=True, slots=True)
class Part:
    """One file of a pipeline."""

    path: str
    body: Map


@dataclass(frozen=True, slots=True)
class Inherited:
    """A job with all that it extends: which file each of its keys comes from, the variables that other files give it,
    and the parents that no file here defines, each with the line that asks for it.
    """

    body: Map
    paths: dict[str, str]
    variables: dict[str, str]
    missing: tuple[tuple[str, int], ...]


def included_paths(body: Map) -> Iterator[str]:
    """The files that a pipeline includes, by their paths: those of other projects, too, since a repository may name
    itself there.
    """
    for entry, _ in entries(body.get("include"), body.line_of("include")):
        local = entry if isinstance(entry, Scalar) else entry.text("local") if isinstance(entry, Map) else None
        files = entries(entry.get("file"), 0) if isinstance(entry, Map) else []
        for one in (local, *(file for file, _ in files)):
            if isinstance(one, Scalar) and "://" not in one and not {"*", "$"} & set(one):
                yield str(one).lstrip("/")


def parts_of(draft: Draft, path: str, body: Map) -> list[Part]:
    """The other files of the pipeline that a file is a part of: those that it includes, the nearest first; and where
    the pipeline at the root includes the file, that one with all of its own.
    """
    found = _closure(draft, path, body)
    root = _load(draft, ROOT) if path != ROOT else None
    if root is not None:
        whole = [Part(ROOT, root), *_closure(draft, ROOT, root)]
        if any(part.path == path for part in whole):
            known = {path, *(part.path for part in found)}
            found += [part for part in whole if part.path not in known]
    return found


def _closure(draft: Draft, path: str, body: Map) -> list[Part]:
    found: dict[str, Part] = {}
    wanted = list(included_paths(body))
    while wanted and len(found) < _MAX_FILES:
        one = wanted.pop(0)
        loaded = _load(draft, one) if one != path and one not in found else None
        if loaded is not None:
            found[one] = Part(one, loaded)
            wanted += included_paths(loaded)
    return list(found.values())


def _load(draft: Draft, path: str) -> Map | None:
    """The mapping in a file of a pipeline, read once; None where there is no such file."""
    if path not in draft.pipelines:
        text = draft.repo.read(path) if draft.repo.is_file(path) and path.endswith((".yml", ".yaml")) else None
        bodies = [body for body, _ in load_all(text).maps()] if text else []
        draft.pipelines[path] = bodies[-1] if bodies else None  # a document before it is the file's own header
    return draft.pipelines[path]


def inherit(name: str, own: Part, others: list[Part]) -> Inherited:
    """A job with the keys of what it extends, the nearest first, and of the defaults."""
    merged, paths, variables = Map(own.body.map(name).line), dict[str, str](), dict[str, str]()
    missing: list[tuple[str, int]] = []
    met = {name}
    chain = [(own, own.body.map(name))]
    wanted = _parents(own, name)
    while wanted and len(chain) < _MAX_PARENTS:
        asking, parent, line = wanted.pop()
        if parent in met:
            continue
        met.add(parent)
        holder = next((part for part in (asking, own, *others) if part.body.map(parent)), None)
        if holder is not None:
            chain.append((holder, holder.body.map(parent)))
            wanted += _parents(holder, parent)
        elif asking is own:
            missing.append((parent, line))
    chain += [(part, part.body.map("default")) for part in (own, *others)]
    for part, body in chain:
        keys = [key for key in body if key != "extends"]
        if part is not own:
            given = {key: str(value) for key, value in body.map("variables").items() if isinstance(value, Scalar)}
            variables |= {key: value for key, value in given.items() if key not in variables}
            keys.remove("variables") if "variables" in keys else None
        elif "variables" in merged:
            _complete(merged.map("variables"), body.map("variables"), list(body.map("variables")))
        _take(merged, paths, part, body, keys)
    for part in (own, *others):
        _take(merged, paths, part, part.body, [key for key in DEFAULTS if key in part.body])
    return Inherited(merged, paths, variables, tuple(missing))


def _parents(part: Part, name: str) -> list[tuple[Part, str, int]]:
    """What a job or a template extends, with the file and the line that say so; the last one wins."""
    body = part.body.map(name)
    listed = entries(body.get("extends"), body.line_of("extends"))
    return [(part, str(entry), line) for entry, line in listed if isinstance(entry, Scalar)]


def _take(into: Map, paths: dict[str, str], part: Part, source: Map, keys: list[str]) -> None:
    """Add the keys that `into` has not, with the file that they come from."""
    paths.update({key: part.path for key in keys if key not in into})
    _complete(into, source, keys)


def entries(value: Value, line: int) -> list[tuple[Value, int]]:
    """What a key holds that may be one value or a list, with lines."""
    if isinstance(value, Seq):
        return list(value.lined())
    return [] if value is None else [(value, line)]


def _complete(into: Map, source: Map, keys: list[str]) -> None:
    """Add the keys that `into` has not, with their lines."""
    for key in keys:
        if key not in into:
            into[key] = source[key]
            into.key_lines[key] = source.line_of(key)
