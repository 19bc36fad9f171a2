"""The emitted GitLab pipeline as a document, and the path through its jobs that GitLab would take for each event."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given
from hypothesis import settings as profile

from tests.conftest import ROOT
from tests.strategies import settings
from tests.unit.outputs import github, gitlab
from tests.unit.outputs import workflow_platforms as platforms
from tests.unit.outputs.runner import REAL, Runner
from tests.unit.outputs.test_workflow_paths import documented
from trimtab.engine import Template

PIPELINE = ".gitlab-ci.yml"
MAIN = gitlab.branch("main")
EVENTS = {
    "merge request": gitlab.merge_request("trimtab.yml"),
    "push to main": MAIN,
    "tag `v1.2.3`": gitlab.tag("v1.2.3"),
    "tag `v0.4.0`": gitlab.tag("v0.4.0"),
    "tag `v1.3.0-rc.1`": gitlab.tag("v1.3.0-rc.1"),
}
BIN = Path(sys.executable).parent


@pytest.fixture(params=platforms.GITLAB)
def platform(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def pipeline(name: str) -> gitlab.Pipeline:
    return gitlab.load(platforms.text(name, PIPELINE))


def lines(job: gitlab.Job) -> list[str]:
    return [line for key in ("before_script", "script", "after_script") for line in job.get(key, [])]


# --- the document -----------------------------------------------------------------------------------------------------


def test_there_is_one_pipeline_and_no_workflow(platform: str) -> None:
    found = [p for p in platforms.tree(platform) if p.startswith((".github", ".gitlab"))]
    assert found == [PIPELINE]
    assert "infrastructure/ci/changes.sh" not in platforms.tree(platform)
    for name in platforms.GITHUB:
        assert PIPELINE not in platforms.tree(name)
        assert not {p for p in platforms.tree(name) if p.rsplit("/", 1)[-1] in ("docker.sh", "programs.sh", "scan.sh")}


def test_it_is_valid_and_tidy(platform: str, tmp_path: Path) -> None:
    (tmp_path / PIPELINE).write_text(platforms.text(platform, PIPELINE))
    (tmp_path / ".yamllint.yml").write_text(platforms.text(platform, ".yamllint.yml"))
    schema = ["--builtin-schema", "vendor.gitlab-ci", "--data-transform", "gitlab-ci"]
    for command in (["check-jsonschema", *schema], ["yamllint", "--strict", "-c", ".yamllint.yml"]):
        done = subprocess.run(
            [BIN / command[0], *command[1:], PIPELINE], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_lines_of_scripts_are_clean(platform: str, tmp_path: Path) -> None:
    for name, job in gitlab.jobs(pipeline(platform)).items():
        for key in ("before_script", "script", "after_script"):
            if job.get(key):
                (tmp_path / f"{name}.{key}.sh").write_text("#!/bin/sh\n" + "\n".join(job[key]) + "\n")
    done = subprocess.run(
        [BIN / "shellcheck", *sorted(tmp_path.glob("*.sh"))], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_every_script_that_a_job_calls_is_emitted_and_executable(platform: str) -> None:
    called = set()
    for job in gitlab.jobs(pipeline(platform)).values():
        called |= set(re.findall(r"infrastructure/\S+\.sh", "\n".join(lines(job))))
    tree = platforms.tree(platform)
    for path in called:
        assert tree[path].executable, path
    ours = {p for p in tree if p.startswith("infrastructure/ci/") and p.endswith(".sh")}
    used = {p for script in ours for p in ours if p.rsplit("/", 1)[1] in tree[script].content.decode() and p != script}
    assert ours - called - used == {"infrastructure/ci/protect.sh"}


def test_the_graph_is_acyclic_and_nothing_runs_before_the_drift_gate(platform: str) -> None:
    parsed = pipeline(platform)
    everything = gitlab.order(parsed)
    assert [n for n in everything if "drift" not in gitlab.ancestors(parsed, n)] == ["drift"]
    assert "rules" not in parsed["drift"]


def test_images_have_an_exact_version(platform: str) -> None:
    parsed = pipeline(platform)
    stores = {d["image"] for d in platforms.project(platform)["datastores"]}
    for name, job in gitlab.jobs(parsed).items():
        images = [job["image"] if isinstance(job["image"], str) else job["image"]["name"]]
        images += [s["name"] for s in job.get("services", [])]
        for image in set(images) - stores:  # whose version trimtab.yml chooses
            assert re.search(r":v?\d+\.\d+[\w.+-]*$", image), f"{name}: {image}"


def test_an_identity_is_only_for_who_signs_and_deploys(platform: str) -> None:
    parsed = gitlab.jobs(pipeline(platform))
    identified = {n: {t["aud"] for t in j["id_tokens"].values()} for n, j in parsed.items() if "id_tokens" in j}
    deploys = {n: {"kubernetes"} for n in parsed if n.startswith("deploy-")}
    assert identified == {"sign": {"sigstore"}, **deploys}


def test_only_what_builds_or_migrates_has_a_docker_engine(platform: str) -> None:
    parsed = gitlab.jobs(pipeline(platform))
    engine = {n for n, j in parsed.items() if any(s["alias"] == "docker" for s in j.get("services", []))}
    migrated = platforms.project(platform)["migrated"]
    wanted = {n for n in parsed if n.startswith(("build-", "migrations-"))} | {"sign", "release"}
    assert engine == wanted | {f"test-{name}" for name in migrated}


def test_a_failure_of_the_runner_is_tried_again_and_no_other(platform: str) -> None:
    parsed = pipeline(platform)
    assert parsed["default"]["retry"]["max"] == 2
    assert all(w.endswith("_failure") and w != "script_failure" for w in parsed["default"]["retry"]["when"])
    for name, job in gitlab.jobs(parsed).items():
        assert job.get("retry") == (0 if name.startswith("deploy-") else None), name


def test_reports_are_kept(platform: str) -> None:
    """Findings 3.5 and 5.2."""
    for name, job in gitlab.jobs(pipeline(platform)).items():
        if name == "drift":
            continue
        if name.startswith(("lint-", "test-", "migrations-", "scan-", "deploy-", "manifests")):
            assert job["artifacts"]["when"] == "always", name
            assert job["artifacts"]["expire_in"] == "30 days", name
        assert job["artifacts"]["paths"], name
        if name.startswith("test-"):
            assert "reports/junit.xml" in job["artifacts"]["reports"]["junit"]
        if name.startswith("scan-"):
            assert job["artifacts"]["reports"]["container_scanning"] in job["artifacts"]["paths"]


def test_migrations_run_against_postgres_by_the_one_runner(platform: str) -> None:
    """Findings 3.2 and 5.2."""
    parsed = gitlab.jobs(pipeline(platform))
    for service in platforms.project(platform)["services"]:
        name = f"migrations-{service['name']}"
        assert (name in parsed) == bool(service["migrations"])
        if service["migrations"]:
            job = parsed[name]
            [postgres] = [s for s in job["services"] if s["alias"] == "postgres"]
            assert postgres["name"].startswith("postgres:")
            assert job["script"][-1] == "infrastructure/ci/migrations.sh up up status verify"
            assert re.search(r"@postgres:5432/", job["variables"]["DATABASE_URL"])


def test_a_deployment_proves_itself_or_is_undone(platform: str) -> None:
    """Findings 3.4, 6.1, 6.3."""
    parsed = gitlab.jobs(pipeline(platform))
    project = platforms.project(platform)
    for environment in project["environments"]:
        job = parsed[f"deploy-{environment['name']}"]
        deploy, undo = {"kubectl": ("deploy.sh", "rollback.sh"), "gitops": ("gitops.sh release", "gitops.sh undo")}[
            project["delivery"]["mode"]
        ]
        calls = [line.removeprefix("infrastructure/ci/") for line in job["script"]]
        hooks = project["delivery"]["hooks"]
        assert calls == [
            *(f".gitlab/hooks/{h}.sh" for h in hooks if h == "before-deploy"),
            "cluster.sh",
            deploy,
            "smoke.sh",
            *(["verify.sh"] if project["migrated"] else []),
            *(f".gitlab/hooks/{h}.sh" for h in hooks if h == "after-deploy"),
        ]
        assert job["after_script"] == [f'[ "$CI_JOB_STATUS" = success ] || infrastructure/ci/{undo}']
        assert job["environment"] == {"name": environment["name"], "url": f"https://{environment['host']}"}
        assert job["resource_group"] == f"deploy-{environment['name']}"
        assert job["interruptible"] is False
        limits = [int(job["variables"][f"RUNNER_{k}_TIMEOUT"].removesuffix("m")) for k in ("SCRIPT", "AFTER_SCRIPT")]
        assert sum(limits) < int(job["timeout"].split()[0])


def test_both_systems_have_the_same_jobs_with_the_same_limits() -> None:
    """No second source of truth: what differs is only how each system spells it."""
    for name in ("platform", "flux-six", "backend-only"):
        workflow = yaml.safe_load(platforms.text(name, ".github/workflows/ci-cd.yml"))["jobs"]
        parsed = gitlab.jobs(pipeline(f"{name}-gitlab"))
        services = platforms.project(name)["services"]
        kinds = {"drift", "manifests", "sign", "release"} | {n for n in workflow if n.startswith("deploy-")}
        for kind in kinds:
            extra = 5 if kind.startswith("deploy-") else 0  # for the runner itself
            assert int(parsed[kind]["timeout"].split()[0]) == workflow[kind]["timeout-minutes"] + extra, kind
        for kind in ("lint", "test", "build", "scan"):
            [minutes] = {j["timeout-minutes"] for n, j in workflow.items() if n.split("-")[0] == kind}
            assert {parsed[f"{kind}-{s['name']}"]["timeout"] for s in services} == {f"{minutes} minutes"}
        versions = {
            k: v for _, s in github.steps({"jobs": workflow}) for k, v in s.get("env", {}).items() if "VERSION" in k
        }
        there = {k: v for j in parsed.values() for k, v in j.get("variables", {}).items() if k.endswith("_VERSION")}
        assert versions == there
        text = platforms.text(f"{name}-gitlab", PIPELINE)
        for tool in re.findall(
            r"(?:version|cosign-release): (v[\d.]+)", platforms.text(name, ".github/workflows/ci-cd.yml")
        ):
            scripts = platforms.text(f"{name}-gitlab", "infrastructure/ci/docker.sh")
            assert tool[1:] in text + scripts


def test_the_ports_stand_in_the_variables_only() -> None:
    parsed = pipeline("platform-gitlab")
    assert parsed.pop("variables") == {"BACKEND_PORT": "2000", "FRONTEND_PORT": "8080"}
    assert not re.search(r"\b2000\b", json.dumps(parsed))


# --- a simulated release ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("event", EVENTS)
def test_the_path_through_the_jobs_is_as_documented(platform: str, event: str) -> None:
    parsed = pipeline(platform)
    assert gitlab.starts(parsed, EVENTS[event])
    run = gitlab.Run(parsed, EVENTS[event])
    wanted: set[str] = set()
    for word in documented(platform)[event][0]:
        for job in word.split(", "):
            each = job in ("lint", "test", "migrations", "build", "scan")
            found = github.matches([*gitlab.jobs(parsed)], f"{job}-*" if each else job)
            assert found, job
            wanted |= {*found}
    assert {*run.ran} - {"manifests"} == wanted
    assert {*run.results.values()} == {"success"}


def test_no_job_is_unreachable(platform: str) -> None:
    parsed = pipeline(platform)
    reached = set().union(*(gitlab.Run(parsed, event).ran for event in EVENTS.values()))
    assert reached == {*gitlab.jobs(parsed)}


def test_one_change_starts_one_pipeline(platform: str) -> None:
    parsed = pipeline(platform)
    for event in (
        gitlab.branch("feature"),
        gitlab.branch("main", "schedule"),
        gitlab.branch("main", "web"),
        gitlab.tag("nightly"),
        gitlab.branch("main", "merge_request"),
    ):
        assert not gitlab.starts(parsed, event), event


def test_only_pipelines_of_merge_requests_are_cancelled(platform: str) -> None:
    parsed = pipeline(platform)
    for name, event in EVENTS.items():
        rule = gitlab.decision(parsed["workflow"]["rules"], event)
        assert rule is not None
        assert rule.get("auto_cancel") == (None if name == "merge request" else {"on_new_commit": "none"})


def test_nothing_is_published_or_deployed_after_a_failure(platform: str) -> None:
    parsed = pipeline(platform)
    for broken in gitlab.jobs(parsed):
        for event in EVENTS.values():
            run = gitlab.Run(parsed, event, frozenset({broken}))
            if broken not in run.ran:
                continue
            after = {n for n in run.ran if broken in gitlab.ancestors(parsed, n)}
            assert not after, broken
            if broken.startswith(("lint-", "test-", "migrations-", "build-", "scan-", "manifests", "drift")):
                assert not {n for n in run.ran if n.startswith(("sign", "deploy-", "release"))}, broken


def test_a_person_starts_what_needs_approval() -> None:
    parsed = pipeline("flux-six-gitlab")
    waiting = gitlab.Run(parsed, gitlab.tag("v1.0.0"), approved=False)
    assert waiting.results["deploy-canary"] == "manual"
    assert waiting.results["deploy-production"] == "skipped"
    rule = gitlab.decision(parsed["deploy-production"]["rules"], gitlab.tag("v1.0.0"))
    assert rule and rule["allow_failure"] is False
    assert gitlab.Run(parsed, MAIN, approved=False).ran[-2:] == ["deploy-dev", "deploy-staging"]


@pytest.mark.parametrize(
    ("files", "services"),
    [
        (["api/src/x.py"], {"api"}),
        (["api/README.md"], {"api"}),
        (["apps/tracker/main.go"], {"tracker"}),
        (["infrastructure/docker/Dockerfile.web"], {"web"}),
        (["infrastructure/docker/Dockerfile.web.dockerignore", "apps/tracker/go.mod"], {"web", "tracker"}),
        (["README.md", "docs/x.md", "k8s/base/kustomization.yaml", "env/x", "notes/a.md"], set()),
        (["apiary/main.py"], {"api", "tracker", "web"}),
        (["ap/main.py"], {"api", "tracker", "web"}),
        (["apps/shared/x.ts"], {"api", "tracker", "web"}),
        (["apps/package.json"], {"api", "tracker", "web"}),
        (["apps/trackers/x.go"], {"api", "tracker", "web"}),
        (["trimtab.yml"], {"api", "tracker", "web"}),
        ([".gitlab-ci.yml"], {"api", "tracker", "web"}),
        ([".gitlab/hooks/before-deploy.sh"], {"api", "tracker", "web"}),
        (["infrastructure/ci/lib.sh"], {"api", "tracker", "web"}),
        (["infrastructure/docker/node/packages.sh"], {"api", "tracker", "web"}),
        (["docs"], {"api", "tracker", "web"}),
        (["cmd"], {"api", "tracker", "web"}),
        (["libs/d"], {"api", "tracker", "web"}),
    ],
)
def test_a_merge_request_concerns_the_services_whose_files_changed(
    tmp_path: Path, files: list[str], services: set[str]
) -> None:
    run = gitlab.Run(pipeline("gitlab"), gitlab.merge_request(*files))
    for kind in ("lint-", "test-", "build-", "scan-"):
        found = {n.removeprefix(kind).removesuffix("-migrate") for n in run.ran if n.startswith(kind)}
        assert found == services, kind
    assert {n for n in run.ran if n.startswith("migrations-")} == {f"migrations-{s}" for s in services & {"api"}}


@pytest.mark.skipif(not REAL["jq"], reason="jq is not installed")
def test_both_systems_divide_files_alike(tmp_path: Path) -> None:
    """The globs for GitLab against the script that finds the services for GitHub."""
    changed = platforms.settings("gitlab") | {"delivery": {"ci": "github"}}
    runner = Runner(tmp_path, "mixed")
    for path, file in Template(ROOT).render(changed, {}).items():
        (runner.root / path).parent.mkdir(parents=True, exist_ok=True)
        (runner.root / path).write_bytes(file.content)
    paths = [
        "a",
        "d",
        "md",
        "x.md",
        "cmd",
        "ap/i",
        "api/x",
        "apis/x",
        "docs/a/b",
        "doc/a",
        "docsy/a.md",
        "k8s/x",
        "k8/x",
    ]
    paths += ["apps/x.md", "apps/x", "apps/web/x.md", "apps/we/b", "apps/webs/b", ".env.example", ".x/y/z", "env/a"]
    paths += ["infrastructure/a", "infrastructure/gateway/nginx.conf", "infrastructure/dock/x", "infra/a", "é/ü"]
    parsed = pipeline("gitlab")
    for path in paths:
        runner.commit()
        target = runner.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(path)
        runner.commit()
        (runner.home / "output").unlink(missing_ok=True)
        runner.run("changes.sh", EVENT="pull_request")
        images = {i["name"] for i in json.loads(runner.outputs()["images"])}
        run = gitlab.Run(parsed, gitlab.merge_request(path))
        assert {n.removeprefix("build-") for n in run.ran if n.startswith("build-")} == images, path


def test_a_service_at_the_root_is_concerned_by_every_file() -> None:
    changed: dict[str, Any] = platforms.settings("backend-only-gitlab")
    changed = changed | {"services": {"api": changed["services"]["api"] | {"path": "."}}}
    parsed = gitlab.load(Template(ROOT).render(changed, {})[PIPELINE].content.decode())
    for path in ("README.md", "docs/x", "src/main.rs"):
        assert "test-api" in gitlab.Run(parsed, gitlab.merge_request(path)).ran


@profile(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=settings(ci="gitlab"))
def test_any_settings_give_a_sound_pipeline(data: dict[str, Any]) -> None:
    parsed = gitlab.load(Template(ROOT).render(data, {})[PIPELINE].content.decode())
    reached: set[str] = set()
    for event in EVENTS.values():
        run = gitlab.Run(parsed, event)
        assert {*run.results.values()} == {"success"}
        reached |= {*run.ran}
    assert reached == {*gitlab.jobs(parsed)}
    environments = {n for n in data["environments"] if n != "local"}
    assert {n.removeprefix("deploy-") for n in reached if n.startswith("deploy-")} == environments
    for job in gitlab.jobs(parsed).values():
        assert len(job.get("needs", [])) <= 50, "the limit of GitLab.com"
