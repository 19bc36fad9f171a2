"""GitHub's side of a workflow: which jobs run, in which order, with which contexts. Their steps run on a Machine."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.live.workflow.machine import Machine
from tests.unit.outputs.github import Event, Expression, ancestors, needs, order

_EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
# What the scripts let their caller choose: they look more often and give up earlier than with GitHub.
PATIENCE = {"POLL_SECONDS": "1", "ROLLOUT_SECONDS": "240", "SMOKE_SECONDS": "60"}
Context = dict[str, Any]
Step = dict[str, Any]


@dataclass
class Job:
    """One instance of a job while it runs: what an action may read and write."""

    run: Run
    name: str
    folder: Path
    temp: Path
    matrix: Context
    environment: dict[str, str] = field(default_factory=dict)
    steps: dict[str, Context] = field(default_factory=dict)
    failed: bool = False
    summary: str = ""
    log: str = ""


@dataclass
class Run:
    """A run of a workflow. `actions` do what `uses:` names; `skip` names jobs that count as passed without running."""

    workflow: Context
    machine: Machine
    folder: Path
    event: Event
    sha: str
    origin: Path
    actions: Callable[[Job, str, Context], dict[str, str]]
    services: Callable[[Job, Context], Callable[[], None]]
    variables: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    skip: frozenset[str] = frozenset()
    outputs: dict[str, Context] = field(default_factory=dict)
    results: dict[str, str] = field(default_factory=dict)
    artifacts: dict[str, Path] = field(default_factory=dict)
    executed: list[tuple[str, str]] = field(default_factory=list)
    jobs: list[Job] = field(default_factory=list)
    after: Callable[[str, str], None] = lambda _job, _result: None

    def go(self) -> Run:
        for name in order(self.workflow):
            self.results[name] = self._job(name, self.workflow["jobs"][name])
            self.after(name, self.results[name])
        return self

    def job(self, name: str) -> Job:
        (found,) = [job for job in self.jobs if job.name == name]
        return found

    # --- jobs ---------------------------------------------------------------------------------------------------------

    def _job(self, name: str, job: Context) -> str:
        if name in self.skip:
            return "success"
        results = [self.results[n] for n in ancestors(self.workflow, name)]
        context = self._context(name, results)
        if not self._passes(job.get("if"), context):
            return "skipped"
        include = job.get("strategy", {}).get("matrix", {}).get("include")
        instances = evaluate(include, context) if include else [{}]
        assert instances, f"{name}: GitHub refuses an empty matrix"
        outcomes = [self._instance(name, job, matrix) for matrix in instances]
        return "failure" if any(outcomes) else "success"

    def _instance(self, name: str, job: Context, matrix: Context) -> bool:
        place = self.folder / (f"{name}-{matrix['name']}" if matrix else name)
        instance = Job(self, name, place / "checkout", place / "temp", matrix)
        self.jobs.append(instance)
        for folder in (instance.folder, instance.temp):
            folder.mkdir(parents=True)
        context = self._context(name, [], instance)
        instance.environment = texts({**(self.workflow.get("env") or {}), **(job.get("env") or {})}, context)
        stop = self.services(instance, evaluate(job.get("services") or {}, context))
        try:
            for step in job["steps"]:
                self._step(instance, step)
        finally:
            stop()
        outputs = evaluate(job.get("outputs") or {}, self._context(name, [], instance))
        self.outputs.setdefault(name, {}).update(outputs)
        return instance.failed

    # --- steps --------------------------------------------------------------------------------------------------------

    def _step(self, job: Job, step: Step) -> None:
        context = self._context(job.name, [], job)
        identity = step.get("id", step["name"])
        if not self._passes(step.get("if"), context):
            job.steps[identity] = {"outcome": "skipped", "outputs": {}}
            return
        try:
            if "run" in step:
                outputs = self._script(job, step, context)
            else:
                outputs = self.actions(job, step["uses"], evaluate(step.get("with") or {}, context))
            job.steps[identity] = {"outcome": "success", "outputs": outputs}
        except AssertionError as error:
            job.failed = True
            job.log += f"--- {step['name']} failed\n{error}\n"
            job.steps[identity] = {"outcome": "failure", "outputs": {}}

    def _script(self, job: Job, step: Step, context: Context) -> dict[str, str]:
        files = {name: job.temp / name.lower() for name in ("GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_STEP_SUMMARY")}
        for file in files.values():
            file.write_text("")
        github = context["github"]
        environment = {
            **PATIENCE,
            **job.environment,
            **texts(step.get("env") or {}, context),
            **{name: str(file) for name, file in files.items()},
            **{
                f"GITHUB_{n.upper()}": str(github[n])
                for n in ("sha", "repository", "run_id", "ref_name", "ref", "event_name")
            },
            **{"RUNNER_TEMP": str(job.temp), "GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": str(job.folder)},
        }
        environment |= self._identity(job)
        self.executed.append((job.name, step["run"]))
        assert "${{" not in step["run"], "a value inside a script"
        done: subprocess.CompletedProcess[str] = self.machine.run(step["run"], job.folder, environment)
        job.log += f"--- {step['name']}: {done.returncode}\n{done.stdout}{done.stderr}"
        job.summary += files["GITHUB_STEP_SUMMARY"].read_text()
        job.environment |= pairs(files["GITHUB_ENV"])
        assert done.returncode == 0, f"exit code {done.returncode}"
        return pairs(files["GITHUB_OUTPUT"])

    def _identity(self, job: Job) -> dict[str, str]:
        """The variables of a job that may ask for a token of its own."""
        wanted = self.workflow["jobs"][job.name]
        if wanted.get("permissions", {}).get("id-token") != "write" or "environment" not in wanted:
            return {}
        subject = f"repo:acme/live:environment:{wanted['environment']['name']}"
        url = f"{self.variables['TOKENS']}?sub={subject}"
        return {"ACTIONS_ID_TOKEN_REQUEST_URL": url, "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "request"}

    # --- contexts -----------------------------------------------------------------------------------------------------

    def _passes(self, condition: str | None, context: Context) -> bool:
        if condition is None:
            return bool(context["functions"]["success"]())
        expression = Expression(str(condition))
        go = expression.value(context) not in (None, False, 0, "")
        return go and (expression.asks_status or context["functions"]["success"]())

    def _context(self, name: str, results: list[str], job: Job | None = None) -> Context:
        failed = job.failed if job else "failure" in results
        passed = not failed and all(r == "success" for r in results)
        here = job.folder if job else self.folder
        return {
            "github": self.event.github
            | {
                "sha": self.sha,
                "repository": "acme/live",
                "actor": "dev",
                "token": "token",
                "server_url": "https://github.com",
            },
            "needs": {
                n: {"result": self.results[n], "outputs": self.outputs.get(n, {})}
                for n in needs(self.workflow["jobs"][name])
            },
            "matrix": job.matrix if job else {},
            "steps": job.steps if job else {},
            "runner": {"temp": str(job.temp)} if job else {},
            "vars": self.variables,
            "secrets": self.secrets,
            "functions": {
                "success": lambda: passed,
                "failure": lambda: failed,
                "cancelled": lambda: False,
                "always": lambda: True,
                "startsWith": lambda text, start: text.casefold().startswith(start.casefold()),
                "contains": lambda text, part: part.casefold() in text.casefold(),
                "format": lambda text, *values: re.sub(r"\{(\d)\}", lambda m: str(values[int(m[1])]), text),
                "fromJSON": json.loads,
                "toJSON": json.dumps,
                "hashFiles": lambda *patterns: "x" if any(f for p in patterns for f in here.glob(p)) else "",
            },
        }


def evaluate(value: Any, context: Context) -> Any:
    """A value of the workflow with its expressions evaluated; one that is a single expression keeps its type."""
    if isinstance(value, dict):
        return {name: evaluate(inner, context) for name, inner in value.items()}
    if isinstance(value, list):
        return [evaluate(inner, context) for inner in value]
    if not isinstance(value, str):
        return value
    whole = _EXPRESSION.fullmatch(value.strip())
    if whole and value.count("${{") == 1:
        return Expression(whole[1]).value(context)
    return _EXPRESSION.sub(lambda m: as_text(Expression(m[1]).value(context)), value)


def as_text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def texts(values: Context, context: Context) -> dict[str, str]:
    return {name: as_text(evaluate(value, context)) for name, value in values.items()}


def pairs(file: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in file.read_text().splitlines())
