"""What a pipeline says, whichever CI system it is for: the part that findings are about."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import yaml

from tests.unit.outputs import gitlab
from trimtab.tree import Tree


@dataclass(frozen=True)
class Job:
    """One job: what it waits for, all that it says, and for how many days it keeps files even when it fails."""

    needs: tuple[str, ...]
    text: str
    keeps_days: int


@dataclass(frozen=True)
class Pipeline:
    """The one pipeline of a platform."""

    path: str
    env: dict[str, str]
    jobs: dict[str, Job]
    takes_tags: bool


def pipeline(tree: Tree, system: str) -> Pipeline:
    """The pipeline of a rendered tree, for `github` or `gitlab`."""
    return {"github": _github, "gitlab": _gitlab}[system](tree)


def _github(tree: Tree) -> Pipeline:
    path = ".github/workflows/ci-cd.yml"
    data = yaml.load(tree[path].content, Loader=yaml.CSafeLoader)
    jobs = {}
    for name, job in data["jobs"].items():
        needs = job.get("needs", [])
        kept = [
            s["with"]["retention-days"]
            for s in job["steps"]
            if "upload-artifact" in s.get("uses", "") and s.get("if") == "always()"
        ]
        jobs[name] = Job((needs,) if isinstance(needs, str) else tuple(needs), json.dumps(job), max(kept, default=0))
    return Pipeline(path, data["env"], jobs, "tags" in data[True]["push"])


def _gitlab(tree: Tree) -> Pipeline:
    path = ".gitlab-ci.yml"
    data = gitlab.load(tree[path].content.decode())
    jobs = {}
    for name, job in gitlab.jobs(data).items():
        jobs[name] = Job(tuple(sorted(gitlab.before(data, name))), json.dumps(job), _days(job.get("artifacts", {})))
    return Pipeline(path, data["variables"], jobs, gitlab.starts(data, gitlab.tag("v1.2.3")))


def _days(artifacts: dict[str, Any]) -> int:
    number, unit = str(artifacts.get("expire_in", "0 days")).split()
    return int(number) if artifacts.get("when") == "always" and unit == "days" else 0
