"""What GitLab does with a pipeline, as far as ours needs it: `extends`, `!reference`, `rules`, stages and `needs`.

After https://docs.gitlab.com/ci/yaml/. Path filters are Ruby's File.fnmatch with FNM_PATHNAME, FNM_DOTMATCH and
FNM_EXTGLOB.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, field
from typing import Any

import yaml

Job = dict[str, Any]
Pipeline = dict[str, Any]
NOT_JOBS = ("workflow", "stages", "default", "variables", "include", "image", "services", "cache")


class _Reference(list[Any]):
    """`!reference [job, keyword]`."""


class _Loader(yaml.CSafeLoader):
    """YAML with GitLab's own tag."""


_Loader.add_constructor("!reference", lambda loader, node: _Reference(loader.construct_sequence(node)))


def load(text: str) -> Pipeline:
    """The pipeline, with every job as GitLab sees it: merged with what it extends, references filled in."""
    raw: Pipeline = yaml.load(text, Loader=_Loader)  # a safe loader with one tag more
    return {name: _filled(_extended(raw, value), raw) if _is_job(name) else value for name, value in raw.items()}


def _is_job(name: str) -> bool:
    return name not in NOT_JOBS


def jobs(pipeline: Pipeline) -> dict[str, Job]:
    """The jobs that can run, without hidden ones."""
    return {n: j for n, j in pipeline.items() if _is_job(n) and not n.startswith(".")}


def _extended(raw: Pipeline, job: Job) -> Job:
    parents = job.get("extends", [])
    merged: Job = {}
    for parent in [parents] if isinstance(parents, str) else parents:
        merged = _merged(merged, _extended(raw, raw[parent]))
    return _merged(merged, {k: v for k, v in job.items() if k != "extends"})


def _merged(under: Job, over: Job) -> Job:
    """Mappings are merged, everything else is replaced."""
    result = dict(under)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = _merged(result[key], value) if both else value
    return result


def _filled(job: Job, raw: Pipeline) -> Job:
    def fill(value: Any) -> Any:
        if isinstance(value, list):
            found: list[Any] = []
            for item in value:
                if isinstance(item, _Reference):
                    name, key = item
                    found += fill(_extended(raw, raw[name])[key])
                else:
                    found.append(item)
            return found
        return value

    return {key: fill(value) for key, value in job.items()}


# --- rules ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Event:
    """What happened: the predefined variables, and the files of a merge request."""

    variables: dict[str, str]
    files: tuple[str, ...] = ()


def merge_request(*files: str) -> Event:
    return Event({"CI_PIPELINE_SOURCE": "merge_request_event", "CI_MERGE_REQUEST_IID": "7"}, files)


def branch(name: str, source: str = "push") -> Event:
    return Event({"CI_PIPELINE_SOURCE": source, "CI_COMMIT_BRANCH": name})


def tag(name: str) -> Event:
    return Event({"CI_PIPELINE_SOURCE": "push", "CI_COMMIT_TAG": name})


def holds(expression: str, variables: dict[str, str]) -> bool:
    """An `if` of a rule: `&&` binds closer than `||`; a variable that is not set is nothing."""
    return any(all(_term(t.strip(), variables) for t in part.split("&&")) for part in expression.split("||"))


def _term(text: str, variables: dict[str, str]) -> bool:
    match = re.fullmatch(r'\$(\w+)(?:\s*(==|!=|=~|!~)\s*("[^"]*"|/.*/))?', text)
    assert match, f"not an expression: {text}"
    value, operator, wanted = variables.get(match[1]), match[2], match[3]
    if operator is None:
        return bool(value)
    if operator in ("==", "!="):
        return (value == wanted[1:-1]) == (operator == "==")
    return bool(value is not None and re.search(wanted[1:-1], value)) == (operator == "=~")


def decision(rules: list[Job] | None, event: Event) -> Job | None:
    """The first rule that fits, or None where the job is left out."""
    if rules is None:
        return {}
    for rule in rules:
        if "if" in rule and not holds(rule["if"], event.variables):
            continue
        if "changes" in rule:
            assert len(rule["changes"]) <= 50, "GitLab takes 50 patterns at most"
            # Outside of merge requests and branch pushes `changes` always holds.
            if "CI_COMMIT_TAG" not in event.variables and not any(
                fnmatch(p, f) for p in rule["changes"] for f in event.files
            ):
                continue
        return None if rule.get("when") == "never" else rule
    return None


@functools.cache
def _pattern(glob: str) -> re.Pattern[str]:
    out, at, braces = "", 0, 0
    while at < len(glob):
        rest = glob[at:]
        if rest.startswith("**/"):
            out, at = out + "(?:[^/]+/)*", at + 3
            continue
        if rest.startswith("["):
            end = rest.index("]", 2)
            out, at = out + f"(?!/){rest[: end + 1]}", at + end + 1
            continue
        char = glob[at]
        braces += {"{": 1, "}": -1}.get(char, 0)
        special = {"*": "[^/]*", "?": "[^/]", "{": "(?:", "}": ")", ",": "|" if braces else ","}
        out, at = out + special.get(char, re.escape(char)), at + 1
    return re.compile(out)


def fnmatch(glob: str, path: str) -> bool:
    return bool(_pattern(glob).fullmatch(path))


# --- a run ------------------------------------------------------------------------------------------------------------


def starts(pipeline: Pipeline, event: Event) -> bool:
    return decision(pipeline["workflow"]["rules"], event) is not None


def needs(job: Job) -> list[str] | None:
    """The jobs that it waits for by name, or None where it waits for every stage before its own."""
    if "needs" not in job:
        return None
    return [n if isinstance(n, str) else n["job"] for n in job["needs"]]


@dataclass
class Run:
    """Which jobs of a pipeline run, when `fails` fail and somebody starts each manual job of `approved`."""

    pipeline: Pipeline
    event: Event
    fails: frozenset[str] = frozenset()
    approved: bool = True
    results: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.present: dict[str, tuple[Job, Job]] = {}
        for name, job in jobs(self.pipeline).items():
            rule = decision(job.get("rules"), self.event)
            if rule is not None:
                self.present[name] = (job, rule)
        for name, (job, _) in self.present.items():
            for needed in needs(job) or []:
                assert needed in self.present, (
                    f"{name} needs {needed}, which is not in this pipeline: GitLab refuses it"
                )
        for name in order(self.pipeline):
            if name in self.present:
                self.results[name] = self._result(name)

    @property
    def ran(self) -> list[str]:
        return [name for name, result in self.results.items() if result in ("success", "failure")]

    def _result(self, name: str) -> str:
        _, rule = self.present[name]
        waited = before(self.pipeline, name) & {*self.present}
        if any(self.results[n] != "success" for n in waited):
            return "skipped"
        if rule.get("when") == "manual" and not self.approved:
            return "manual"
        return "failure" if name in self.fails else "success"


def before(pipeline: Pipeline, name: str) -> set[str]:
    """What a job waits for: its needs, or every job of earlier stages."""
    everything = jobs(pipeline)
    named = needs(everything[name])
    if named is not None:
        return {*named}
    stages = pipeline["stages"]
    own = stages.index(everything[name]["stage"])
    return {n for n, j in everything.items() if stages.index(j["stage"]) < own}


def order(pipeline: Pipeline) -> list[str]:
    """Jobs after what they wait for. Raises ValueError on a cycle or on a job that does not exist."""
    waiting = {name: before(pipeline, name) for name in jobs(pipeline)}
    done: list[str] = []
    while waiting:
        ready = [name for name, wanted in waiting.items() if wanted <= {*done}]
        if not ready:
            raise ValueError(f"a cycle, or a need that does not exist: {waiting}")
        done += ready
        waiting = {name: wanted for name, wanted in waiting.items() if name not in ready}
    return done


def ancestors(pipeline: Pipeline, name: str) -> set[str]:
    found: set[str] = set()
    for parent in before(pipeline, name):
        found |= {parent} | ancestors(pipeline, parent)
    return found
