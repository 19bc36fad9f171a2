"""A simulated release: for each event the jobs that GitHub would run, and the tags of the images, are as documented."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from tests.unit.outputs import github
from tests.unit.outputs import workflow_platforms as platforms
from tests.unit.outputs.runner import REAL, SHA, Runner

WORKFLOW = ".github/workflows/ci-cd.yml"
EVENTS = {
    "pull request": github.PULL_REQUEST,
    "push to main": github.MAIN,
    "tag `v1.2.3`": github.tag("v1.2.3"),
    "tag `v0.4.0`": github.tag("v0.4.0"),
    "tag `v1.3.0-rc.1`": github.tag("v1.3.0-rc.1"),
}
pytestmark = pytest.mark.skipif(not REAL["jq"], reason="jq is not installed")


def workflow(name: str) -> github.Workflow:
    parsed: github.Workflow = yaml.safe_load(platforms.text(name, WORKFLOW))
    return parsed


def documented(name: str) -> dict[str, tuple[list[str], list[str]]]:
    """Event -> the jobs in order (`lint, test` still together), and the tags."""
    section = platforms.text(name, "docs/deployment.md").split("## What a push does")[1]
    rows = [line.strip("|").split(" | ") for line in section.splitlines() if line.startswith("| ")][1:]
    return {row[0].strip(): (re.findall(r"`([^`]+)`", row[1]), re.findall(r"`([^`]+)`", row[2])) for row in rows}


def changed(tmp_path: Path, name: str, event: github.Event, *files: str) -> dict[str, dict[str, str]]:
    """The outputs of the job `changes`, by its real script in a real checkout."""
    if event.ref.startswith("refs/tags/"):
        return {}
    runner = Runner(tmp_path / "runner", name)
    runner.commit()
    for path in files:
        target = runner.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text("changed")
    runner.commit()
    runner.run("changes.sh", EVENT=event.name)
    return {"changes": runner.outputs()}


@pytest.mark.parametrize("transitive", [True, False], ids=["all-ancestors", "direct-needs"])
@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("name", platforms.GITHUB)
def test_the_path_through_the_jobs_is_as_documented(tmp_path: Path, name: str, event: str, transitive: bool) -> None:
    parsed = workflow(name)
    happened = EVENTS[event]
    assert github.starts(parsed, happened)
    outputs = changed(tmp_path, name, happened, "trimtab.yml")
    run = github.Run(parsed, happened, outputs, transitive=transitive)
    wanted: set[str] = set()
    for word in documented(name)[event][0]:
        for job in word.split(", "):
            found = github.matches([*parsed["jobs"]], f"{job}-*" if job in ("lint", "test") else job)
            assert found, job
            wanted |= {*found}
    helpers = {"changes"} | ({"manifests"} if "manifests" in parsed["jobs"] else set())
    assert {*run.ran} - helpers == wanted
    assert {*run.results.values()} <= {"success", "skipped"}


@pytest.mark.parametrize("name", platforms.GITHUB)
def test_no_job_is_unreachable(tmp_path: Path, name: str) -> None:
    parsed = workflow(name)
    reached: set[str] = set()
    for number, event in enumerate(EVENTS.values()):
        run = github.Run(parsed, event, changed(tmp_path / str(number), name, event, "trimtab.yml"))
        reached |= {*run.ran}
    assert reached == {*parsed["jobs"]}


@pytest.mark.parametrize(
    "broken", ["drift", "changes", "lint-*", "test-*", "migrations", "manifests", "build", "scan", "sign"]
)
def test_nothing_is_published_or_deployed_after_a_failure(tmp_path: Path, broken: str) -> None:
    parsed = workflow("mixed")
    outputs = changed(tmp_path, "mixed", github.MAIN)
    for job in github.matches([*parsed["jobs"]], broken):
        for transitive in (True, False):
            run = github.Run(parsed, github.MAIN, outputs, frozenset({job}), transitive)
            after = [n for n in run.ran if job in github.ancestors(parsed, n)]
            assert after == ["ci-ok"], job


def test_a_release_that_fails_deploys_nothing() -> None:
    parsed = workflow("mixed")
    for job in ("drift", "release"):
        run = github.Run(parsed, github.tag("v1.2.3"), {}, frozenset({job}))
        assert "deploy-production" not in run.ran


def test_environments_deploy_one_after_the_other() -> None:
    parsed = workflow("flux-six")
    jobs = parsed["jobs"]
    assert jobs["deploy-dev"]["needs"] == ["sign"]
    assert jobs["deploy-staging"]["needs"] == ["deploy-dev"]
    assert jobs["deploy-canary"]["needs"] == ["release"]
    assert jobs["deploy-production"]["needs"] == ["deploy-canary"]
    run = github.Run(parsed, github.tag("v2.0.0"), {}, frozenset({"deploy-canary"}))
    assert "deploy-production" not in run.ran


@pytest.mark.parametrize(
    ("files", "services"),
    [
        (["jobs/src/index.js"], {"jobs"}),
        (["api/README.md"], {"api"}),
        (["infrastructure/docker/Dockerfile.site"], {"site"}),
        (["infrastructure/docker/Dockerfile.site.dockerignore", "admin/x.ts"], {"site", "admin"}),
        (["README.md", "docs/x.md", "k8s/base/kustomization.yaml"], set()),
        (["apiary/main.py"], {"api", "jobs", "rust-edge", "site", "admin"}),
        (["trimtab.yml"], {"api", "jobs", "rust-edge", "site", "admin"}),
        (['api/with space/é "q".py'], {"api"}),
    ],
)
def test_a_pull_request_concerns_the_services_whose_files_changed(
    tmp_path: Path, files: list[str], services: set[str]
) -> None:
    outputs = changed(tmp_path, "mixed", github.PULL_REQUEST, *files)
    run = github.Run(workflow("mixed"), github.PULL_REQUEST, outputs)
    of = {n: {i["name"] for i in found} for n, found in run.instances.items()}
    assert set().union(*(found for n, found in of.items() if n.startswith("test-"))) == services
    assert set().union(*(found for n, found in of.items() if n.startswith("lint-"))) == services
    assert {n.removesuffix("-migrate") for n in of.get("build", set())} == services
    assert of.get("migrations", set()) == services & {"api", "jobs"}
    assert of.get("scan", set()) == of.get("build", set())
    assert run.results["ci-ok"] == "success"


def test_main_concerns_every_service_whatever_changed(tmp_path: Path) -> None:
    outputs = changed(tmp_path, "mixed", github.MAIN, "README.md")
    assert {i["service"] for i in json.loads(outputs["changes"]["images"])} == {
        "api", "jobs", "rust-edge", "site", "admin",
    }  # fmt: skip


@pytest.mark.parametrize("event", [e for e in EVENTS if e.startswith("tag")])
def test_tags_are_as_documented(tmp_path: Path, event: str) -> None:
    runner = Runner(tmp_path, "platform")
    runner.commit()
    for older in ("v0.3.9", "v1.2.2") if "v0" not in event else ("v0.3.9",):
        runner.git("tag", older)
    name = EVENTS[event].github["ref_name"]
    runner.git("tag", name)
    assert runner.run("tags.sh", name).stdout.split() == documented("platform")[event][1]


@pytest.mark.parametrize(
    ("existing", "name", "tags"),
    [
        (["v1.2.3"], "v1.1.9", ["1.1.9", "1.1"]),
        (["v2.0.0"], "v1.2.4", ["1.2.4", "1.2", "1"]),
        (["v1.2.10"], "v1.2.9", ["1.2.9"]),
        (["v1.9.0"], "v1.10.0", ["1.10.0", "1.10", "1", "latest"]),
        (["v2.0.0-rc.1"], "v1.5.0", ["1.5.0", "1.5", "1", "latest"]),
        (["v10.0.0"], "v1.0.0", ["1.0.0", "1.0", "1"]),
        ([], "v0.1.0", ["0.1.0", "0.1", "latest"]),
        ([], "v1.0.0-beta.2", ["1.0.0-beta.2"]),
    ],
)
def test_moving_tags_go_to_the_newest_version_they_fit(
    tmp_path: Path, existing: list[str], name: str, tags: list[str]
) -> None:
    runner = Runner(tmp_path, "only-frontend")
    runner.commit()
    for tag in existing:
        runner.git("tag", tag)
    assert runner.run("tags.sh", name).stdout.split() == tags


@pytest.mark.parametrize("name", ["v1.2", "1.2.3", "v01.2.3", "v1.2.3+build", "v1.2.3-", "v1.2.3; id", "latest", ""])
def test_what_is_no_version_is_refused(tmp_path: Path, name: str) -> None:
    runner = Runner(tmp_path, "only-frontend")
    runner.commit()
    done = runner.run("tags.sh", name, check=False)
    assert done.returncode == 1
    assert done.stdout.startswith("::error::")


def test_the_commit_is_a_tag_after_the_signature(tmp_path: Path) -> None:
    runner = Runner(tmp_path, "platform")
    digests = runner.digests()
    runner.fake("cosign")
    runner.fake("docker")
    runner.run("sign.sh")
    assert sorted(c[-1] for c in runner.calls("cosign")) == sorted(f"{i}@{d}" for i, d in digests.items())
    tagged = {c[c.index("--tag") + 1]: c[-1] for c in runner.calls("docker")}
    assert tagged == {f"{i}:{SHA}": f"{i}@{d}" for i, d in digests.items()}
    lines = (runner.home / "calls.jsonl").read_text().splitlines()
    assert [json.loads(line)["name"] for line in lines] == ["cosign", "docker"] * len(digests)
