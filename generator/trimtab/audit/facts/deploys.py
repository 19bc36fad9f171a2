"""Deploys over SSH and what guards a deploy, shared by the rules on deployment."""

from __future__ import annotations

import re
from dataclasses import dataclass

from trimtab.audit.facts.commands import is_remote_shell
from trimtab.audit.facts.model import Facts, Job, Place, Step, Workflow
from trimtab.audit.facts.query import commands_by_path

_GATE = re.compile(
    r"rollout\s+status|\becs\s+wait\b|kubectl\s+wait|--wait\b|--atomic\b|\bcurl\s.{0,500}(?:-f|--fail|--retry|http_code)|\bwget\s.{0,500}(?:--spider|-q)|health[-_]?check|wait-for|"
    r"docker\s+inspect.{0,500}[Hh]ealth|argocd\s+app\s+wait|(?:smoke|verify(?![-_]?(?:db|index|schema|migration))|health)\S{0,100}\.(?:sh|py|js)|\bcurl\b.{0,500}/(?:health|ready|live|status)|pm2\s.{0,500}wait-ready"
)
_COMPOSE = re.compile(
    r"\bdocker[ -]compose\b.{0,500}\b(?:up|pull|restart|down|start)\b|\bdocker\s+(?:run|pull|stack\s+deploy|service\s+update|restart)\b"  # noqa: E501
)


@dataclass(frozen=True, slots=True)
class SshDeploy:
    """A step or script line that deploys on another machine over SSH."""

    path: str
    job: str
    place: Place
    how: str
    compose: bool
    gated: bool


def ssh_deploys(facts: Facts) -> list[SshDeploy]:
    """Every step of a workflow, and every line of a script, that deploys over SSH."""
    return facts.once("deploys over SSH", lambda: _steps(facts) + _scripted(facts))


def _steps(facts: Facts) -> list[SshDeploy]:
    found = []
    for workflow in facts.workflows:
        for job in workflow.jobs:
            for index, step in enumerate(job.steps):
                text = step.options.get("script", "") or step.run
                by_action = "ssh-action" in step.uses or "ssh-deploy" in step.uses
                if not by_action and not any(is_remote_shell(line) for line in text.split("\n")):
                    continue
                if not by_action and not re.search(
                    r"docker|compose|systemctl|pm2|deploy|restart|git pull|supervisorctl|kubectl", text
                ):
                    continue
                later = "\n".join(
                    other.run + other.options.get("script", "") + other.uses
                    for other in job.steps[index + 1 :]
                    if not other.lenient
                )
                own = "" if step.lenient else text
                gated = bool(_GATE.search(own) or _GATE.search(later)) or _needed_gate(workflow, job)
                how = step.uses.partition("@")[0] or "ssh"
                found.append(SshDeploy(workflow.path, job.id, step.place, how, bool(_COMPOSE.search(text)), gated))
    return found


def _scripted(facts: Facts) -> list[SshDeploy]:
    """Scripts and make targets that log in to a machine and start containers there."""
    found = []
    for path, commands in sorted(commands_by_path(facts).items()):
        own = [command for command in commands if command.context in ("script", "makefile")]
        remote = [one for one in own if is_remote_shell(one.text) and _COMPOSE.search(one.text)]
        gated = bool(remote) and any(_GATE.search(command.text) for command in own)
        found += [SshDeploy(path, one.job, one.place, "ssh", compose=True, gated=gated) for one in remote]
    return found


def _needed_gate(workflow: Workflow, job: Job) -> bool:
    """Whether a later job, which needs this one, checks the deploy."""
    for other in workflow.jobs:
        if any(name == job.id for name, _ in other.needs) and any(_gates(step) for step in other.steps):
            return "deploy" not in other.kinds
    return False


def _waits(step: Step) -> bool:
    return bool(_GATE.search(step.run + step.options.get("script", "")))


def _gates(step: Step) -> bool:
    """Whether a step waits for the result, and fails with it."""
    return _waits(step) and not step.lenient


def has_gate(job: Job, workflow: Workflow) -> bool:
    """Whether a deploy job, or one that needs it, waits for the result and fails with it."""
    return any(_gates(step) for step in job.steps) or _needed_gate(workflow, job)


def idle_gates(job: Job) -> list[Step]:
    """The steps of a job that wait for the result and let the job go on when it is bad."""
    return [step for step in job.steps if _waits(step) and step.lenient]
