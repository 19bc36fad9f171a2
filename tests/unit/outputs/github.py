"""What GitHub does with a workflow, as far as ours needs it: triggers, `if`, `needs`, and which jobs then run.

Expressions follow https://docs.github.com/actions/reference/evaluate-expressions-in-workflows-and-actions.
"""

from __future__ import annotations

import fnmatch
import json
import re
from dataclasses import dataclass, field
from typing import Any

Job = dict[str, Any]
Workflow = dict[str, Any]

_TOKEN = re.compile(r"\s*(?:('(?:[^']|'')*')|(&&|\|\||==|!=|[!().,])|([A-Za-z_][\w-]*)|(\d+))")
STATUS = ("success", "failure", "cancelled", "always")


class Expression:
    """One `${{ … }}`, or the bare text of an `if`."""

    def __init__(self, text: str) -> None:
        stripped = text.strip()
        self.text = stripped[3:-2].strip() if stripped.startswith("${{") else stripped
        self._tokens = self._tokenize(self.text)
        self._at = 0

    @staticmethod
    def _tokenize(text: str) -> list[str]:
        tokens, at = [], 0
        while at < len(text.rstrip()):
            match = _TOKEN.match(text, at)
            assert match, f"unexpected {text[at:]!r}"
            tokens.append(next(g for g in match.groups() if g))
            at = match.end()
        return tokens

    @property
    def asks_status(self) -> bool:
        return any(t in STATUS and u == "(" for t, u in zip(self._tokens, self._tokens[1:], strict=False))

    def value(self, context: dict[str, Any]) -> Any:
        self._at = 0
        result = self._or(context)
        assert self._at == len(self._tokens), f"{self.text}: more than one expression"
        return result

    def _next(self) -> str | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _take(self, *wanted: str) -> str | None:
        if (token := self._next()) in wanted:
            self._at += 1
            return token
        return None

    def _or(self, context: dict[str, Any]) -> Any:
        left = self._and(context)
        while self._take("||"):
            right = self._and(context)
            left = left if _true(left) else right
        return left

    def _and(self, context: dict[str, Any]) -> Any:
        left = self._comparison(context)
        while self._take("&&"):
            right = self._comparison(context)
            left = right if _true(left) else left
        return left

    def _comparison(self, context: dict[str, Any]) -> Any:
        left = self._unary(context)
        if operator := self._take("==", "!="):
            right = self._unary(context)
            return _equal(left, right) == (operator == "==")
        return left

    def _unary(self, context: dict[str, Any]) -> Any:
        if self._take("!"):
            return not _true(self._unary(context))
        if self._take("("):
            inner = self._or(context)
            assert self._take(")")
            return inner
        token = self._next()
        assert token
        self._at += 1
        if token.startswith("'"):
            return token[1:-1].replace("''", "'")
        if token.isdigit():
            return int(token)
        if token in ("true", "false", "null"):
            return {"true": True, "false": False, "null": None}[token]
        return self._call(token, context) if self._take("(") else self._path(token, context)

    def _call(self, name: str, context: dict[str, Any]) -> Any:
        arguments = []
        while not self._take(")"):
            arguments.append(self._or(context))
            self._take(",")
        return context["functions"][name](*arguments)

    def _path(self, name: str, context: dict[str, Any]) -> Any:
        value = context.get(name)
        while self._take("."):
            key = self._next()
            assert key
            self._at += 1
            value = value.get(key) if isinstance(value, dict) else None
        return value


def _true(value: Any) -> bool:
    return value not in (None, False, 0, "")


def _equal(left: Any, right: Any) -> bool:
    if isinstance(left, str) and isinstance(right, str):
        return left.casefold() == right.casefold()
    return ("" if left is None else left) == ("" if right is None else right)


@dataclass(frozen=True)
class Event:
    """What happened: `name` and `ref` as GitHub puts them into the github context."""

    name: str
    ref: str

    @property
    def github(self) -> dict[str, Any]:
        return {
            "event_name": self.name,
            "ref": self.ref,
            "ref_name": self.ref.removeprefix("refs/heads/").removeprefix("refs/tags/").removeprefix("refs/pull/"),
            "workflow": "CI/CD",
            "run_id": "1",
            "event": {},
        }


MAIN = Event("push", "refs/heads/main")
PULL_REQUEST = Event("pull_request", "refs/pull/7/merge")


def tag(name: str) -> Event:
    return Event("push", f"refs/tags/{name}")


def triggers(workflow: Workflow) -> dict[str, Any]:
    """`on:`, which YAML 1.1 reads as true."""
    found: dict[str, Any] = workflow.get("on") or workflow[True]  # type: ignore[index]
    return found


def starts(workflow: Workflow, event: Event) -> bool:
    on = triggers(workflow)
    if event.name not in on:
        return False
    filters = on[event.name] or {}
    for prefix, key in (("refs/heads/", "branches"), ("refs/tags/", "tags")):
        if event.ref.startswith(prefix):
            patterns = filters.get(key)
            if patterns is None:
                return not filters
            name = event.ref.removeprefix(prefix)
            return any(re.fullmatch(_filter(p), name) for p in patterns)
    return True


def _filter(pattern: str) -> str:
    """GitHub's filter patterns: `*`, and `+` and `?` that repeat what stands before them."""
    return "".join("[^/]*" if c == "*" else re.escape(c) if c in "./" else c for c in pattern)


@dataclass
class Run:
    """The result of each job, and in which order they ran."""

    workflow: Workflow
    event: Event
    outputs: dict[str, dict[str, str]] = field(default_factory=dict)
    fails: frozenset[str] = frozenset()
    transitive: bool = True
    results: dict[str, str] = field(default_factory=dict)
    instances: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in order(self.workflow):
            self.results[name] = self._result(name, self.workflow["jobs"][name])

    @property
    def ran(self) -> list[str]:
        return [name for name, result in self.results.items() if result != "skipped"]

    def _result(self, name: str, job: Job) -> str:
        context = self._context(name, job)
        condition = Expression(str(job["if"])) if "if" in job else None
        go = True if condition is None else _true(condition.value(context))
        if (condition is None or not condition.asks_status) and not context["functions"]["success"]():
            go = False
        if not go:
            return "skipped"
        include = job.get("strategy", {}).get("matrix", {}).get("include")
        if include is not None:
            self.instances[name] = Expression(include).value(context)
            assert self.instances[name], f"{name}: GitHub refuses an empty matrix"
        return "failure" if name in self.fails else "success"

    def _context(self, name: str, job: Job) -> dict[str, Any]:
        seen = ancestors(self.workflow, name) if self.transitive else needs(job)
        results = [self.results[n] for n in seen]
        return {
            "github": self.event.github,
            "needs": {n: {"result": self.results[n], "outputs": self.outputs.get(n, {})} for n in needs(job)},
            "functions": {
                "success": lambda: all(r == "success" for r in results),
                "failure": lambda: "failure" in results,
                "cancelled": lambda: False,
                "always": lambda: True,
                "startsWith": lambda text, start: text.casefold().startswith(start.casefold()),
                "contains": lambda text, part: part.casefold() in text.casefold(),
                "fromJSON": json.loads,
                "toJSON": json.dumps,
            },
        }


def needs(job: Job) -> list[str]:
    wanted = job.get("needs", [])
    return [wanted] if isinstance(wanted, str) else list(wanted)


def ancestors(workflow: Workflow, name: str) -> set[str]:
    found: set[str] = set()
    for parent in needs(workflow["jobs"][name]):
        found |= {parent} | ancestors(workflow, parent)
    return found


def order(workflow: Workflow) -> list[str]:
    """Jobs after what they need. Raises ValueError on a cycle or on a job that does not exist."""
    waiting = {name: set(needs(job)) for name, job in workflow["jobs"].items()}
    done: list[str] = []
    while waiting:
        ready = [name for name, wanted in waiting.items() if wanted <= {*done}]
        if not ready:
            raise ValueError(f"a cycle, or a need that does not exist: {waiting}")
        done += ready
        waiting = {name: wanted for name, wanted in waiting.items() if name not in ready}
    return done


def steps(workflow: Workflow) -> list[tuple[str, dict[str, Any]]]:
    return [(name, step) for name, job in workflow["jobs"].items() for step in job.get("steps", [])]


def matches(names: list[str], pattern: str) -> list[str]:
    return [n for n in names if fnmatch.fnmatch(n, pattern)]
