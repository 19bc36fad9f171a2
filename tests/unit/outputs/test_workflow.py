"""The emitted workflow as a document: one file, an acyclic graph, pinned actions, least permissions, kept reports."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml

from tests.unit.outputs import github
from tests.unit.outputs import workflow_platforms as platforms

WORKFLOW = ".github/workflows/ci-cd.yml"
PINNED = re.compile(r"uses: [\w./-]+@[0-9a-f]{40} # v?\d+\.\d+\.\d+( # zizmor: ignore\[[a-z-]+\] \S.*)?$")


@pytest.fixture(params=platforms.GITHUB)
def platform(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def workflow(name: str) -> github.Workflow:
    parsed: github.Workflow = yaml.safe_load(platforms.text(name, WORKFLOW))
    return parsed


def test_there_is_one_workflow(platform: str) -> None:
    assert [p for p in platforms.tree(platform) if p.startswith(".github/workflows/")] == [WORKFLOW]


def test_the_graph_is_acyclic_and_ends_in_the_one_required_check(platform: str) -> None:
    parsed = workflow(platform)
    everything = github.order(parsed)
    assert github.ancestors(parsed, "ci-ok") == {*everything} - {"ci-ok"}
    assert parsed["jobs"]["ci-ok"]["if"] == "always()"


def test_nothing_builds_or_deploys_before_the_drift_gate(platform: str) -> None:
    parsed = workflow(platform)
    free = [n for n in parsed["jobs"] if "drift" not in github.ancestors(parsed, n)]
    assert free == ["drift", "changes"]


def test_a_third_party_is_pinned_to_a_commit_with_its_version(platform: str) -> None:
    lines = [line.strip() for line in platforms.text(platform, WORKFLOW).splitlines() if "uses:" in line]
    assert lines
    for line in lines:
        assert PINNED.search(line) or line.startswith("uses: ./.github/actions/"), line


def test_permissions_are_least(platform: str) -> None:
    parsed = workflow(platform)
    gitops = platforms.project(platform)["delivery"]["mode"] == "gitops"
    assert parsed["permissions"] == {}
    writers: dict[str, set[str]] = {}
    for name, job in parsed["jobs"].items():
        assert "permissions" in job, name
        for scope, access in job["permissions"].items():
            if access == "write":
                writers.setdefault(scope, set()).add(name)
    deploys = {n for n in parsed["jobs"] if n.startswith("deploy-")}
    assert writers.pop("contents", set()) == (deploys if gitops else set())
    assert writers.pop("id-token") == deploys | {"sign"}
    assert writers.pop("packages", set()) <= {"build", "sign", "release"}
    assert writers.pop("security-events") == {"scan"}
    assert not writers


def test_only_ghcr_gets_the_token_of_the_job() -> None:
    for name in platforms.GITHUB:
        ghcr = platforms.settings(name)["registry"].startswith("ghcr.io/")
        assert ("secrets.GITHUB_TOKEN" in platforms.text(name, WORKFLOW)) == ghcr
        assert ("secrets.REGISTRY_PASSWORD" in platforms.text(name, WORKFLOW)) != ghcr


def test_no_expression_enters_a_script(platform: str) -> None:
    for job, step in github.steps(workflow(platform)):
        assert "${{" not in step.get("run", ""), f"{job}: {step}"


def test_every_script_that_a_step_calls_is_emitted_and_executable(platform: str) -> None:
    tree = platforms.tree(platform)
    called = set()
    for _, step in github.steps(workflow(platform)):
        called |= {*re.findall(r"infrastructure/\S+\.sh", step.get("run", ""))}
    for path in called:
        assert tree[path].executable, path
    ours = {p for p in tree if p.startswith("infrastructure/ci/") and p.endswith(".sh")}
    used = {p for script in ours for p in ours if p.rsplit("/", 1)[1] in tree[script].content.decode() and p != script}
    for path in ours - called - used:
        assert path == "infrastructure/ci/protect.sh", f"{path} is called by nobody"


def test_test_jobs_keep_their_reports(platform: str) -> None:
    """Finding 3.5, and 5.2 for the migration status."""
    parsed = workflow(platform)
    for name, job in parsed["jobs"].items():
        if not name.startswith(("lint-", "test-", "migrations", "scan", "deploy-", "manifests")):
            continue
        kept = [s for s in job["steps"] if "upload-artifact" in s.get("uses", "")]
        assert kept, name
        assert kept[-1]["if"] == "always()"
        assert kept[-1]["with"]["retention-days"] == 30


def test_an_image_says_of_which_commit_it_is(platform: str) -> None:
    """A release puts its version on the digest of a commit, and builds nothing that could say it."""
    (build,) = [s for s in workflow(platform)["jobs"]["build"]["steps"] if "build-push-action" in s.get("uses", "")]
    labels = dict(line.split("=", 1) for line in build["with"]["labels"].splitlines())
    for name in ("version", "revision"):
        assert labels[f"org.opencontainers.image.{name}"] == "${{ github.sha }}"


def test_a_repository_without_code_scanning_is_deployed_too(platform: str) -> None:
    scan = workflow(platform)["jobs"]["scan"]
    (report,) = [s for s in scan["steps"] if "upload-sarif" in s.get("uses", "")]
    assert report["continue-on-error"] is True
    assert scan["permissions"]["actions"] == "read"


def test_migrations_run_against_postgres_by_the_one_runner(platform: str) -> None:
    """Findings 3.2, 5.2."""
    parsed = workflow(platform)
    migrated = platforms.project(platform)["migrated"]
    assert ("migrations" in parsed["jobs"]) == bool(migrated)
    if not migrated:
        return
    job = parsed["jobs"]["migrations"]
    version = next(d["version"] for d in platforms.project(platform)["datastores"] if d["kind"] == "postgres")
    assert job["services"]["postgres"]["image"] == f"postgres:{version}"
    assert [s["run"] for s in job["steps"] if "run" in s] == ["infrastructure/ci/migrations.sh up up status verify"]
    for word in ("psql", "diesel ", "alembic ", "prisma "):
        assert word not in platforms.text(platform, WORKFLOW)


def test_a_deployment_proves_itself_or_is_undone(platform: str) -> None:
    """Findings 3.4, 6.1, 6.3."""
    parsed = workflow(platform)
    project = platforms.project(platform)
    jobs = {n: j for n, j in parsed["jobs"].items() if n.startswith("deploy-")}
    assert [n.removeprefix("deploy-") for n in jobs] == [
        *(e["name"] for e in project["environments"] if not e["approval"]),
        *(e["name"] for e in project["environments"] if e["approval"]),
    ]
    for environment in project["environments"]:
        job = jobs[f"deploy-{environment['name']}"]
        runs = [s.get("run", "").removeprefix("infrastructure/ci/") for s in job["steps"]]
        proof = ["smoke.sh"] + (["verify.sh"] if project["migrated"] else [])
        deploy, undo = {"kubectl": ("deploy.sh", "rollback.sh"), "gitops": ("gitops.sh release", "gitops.sh undo")}[
            project["delivery"]["mode"]
        ]
        assert [r for r in runs if r in (deploy, undo, *proof)] == [deploy, *proof, undo]
        [last] = [s for s in job["steps"] if s.get("run", "").endswith(undo)]
        assert last["if"] == "(failure() || cancelled()) && steps.deploy.outcome != 'skipped'"
        assert job["environment"] == {"name": environment["name"], "url": f"https://{environment['host']}"}
        group = {"group": f"deploy-{environment['name']}", "cancel-in-progress": False, "queue": "max"}
        assert job["concurrency"] == group
    assert "ssh-action" not in platforms.text(platform, WORKFLOW)


def test_hooks_run_around_a_deployment() -> None:
    [job] = [j for n, j in workflow("backend-only")["jobs"].items() if n.startswith("deploy-")]
    used = [s["uses"].split(" ")[0] for s in job["steps"] if s.get("uses", "").startswith("./")]
    assert used == ["./.github/actions/before-deploy"]
    for name, job in workflow("flux-six")["jobs"].items():
        if name.startswith("deploy-"):
            names = [s["name"] for s in job["steps"]]
            assert names.index("Your own steps (before-deploy)") < names.index("Smoke test")
            assert names.index("Your own steps (after-deploy)") > names.index("Undo")


def test_frameworks_with_the_same_steps_share_a_matrix() -> None:
    groups = {n.removeprefix("lint-") for n in workflow("flux-six")["jobs"] if n.startswith("lint-")}
    assert groups == {"python", "node", "rust"}
    facts = json.loads(platforms.text("flux-six", "infrastructure/ci/platform.json"))
    assert {s["name"]: s["checks"] for s in facts["services"]} == {
        "a": "python", "b": "node", "c": "rust", "d": "node", "e": "node", "f": "python",
    }  # fmt: skip


def test_every_image_is_built_and_named_as_the_manifests_name_it(platform: str) -> None:
    facts = json.loads(platforms.text(platform, "infrastructure/ci/platform.json"))
    project = platforms.project(platform)
    wanted = {s["image"] for s in project["services"]}
    wanted |= {s["migrations"]["image"] for s in project["services"] if s["migrations"]}
    assert {i["image"] for i in facts["images"]} == wanted
    for image in facts["images"]:
        assert image["dockerfile"] in platforms.tree(platform)
        assert image["target"] == ("migrate" if image["image"].endswith("-migrate") else "")
        stage = re.search(r"^FROM \S+ AS migrate$", platforms.text(platform, image["dockerfile"]), re.MULTILINE)
        assert stage or not image["target"]


def test_smoke_tests_ask_every_route_of_every_environment(platform: str) -> None:
    facts = json.loads(platforms.text(platform, "infrastructure/ci/platform.json"))
    for environment in platforms.project(platform)["environments"]:
        asked = {s["url"] for s in facts["environments"][environment["name"]]["smoke"]}
        wanted = {f"https://{environment['host']}{r}" for s in environment["services"] for r in s["routes"]}
        assert wanted <= asked


def _strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [t for v in value.values() for t in _strings(v)]
    return [t for v in value for t in _strings(v)] if isinstance(value, list) else [str(value)]


def test_ports_stand_in_one_place_and_in_no_script() -> None:
    """Scripts go through the gateway and the migrations only; tests get the ports from the workflow's `env`."""
    parsed = workflow("platform")
    assert parsed.pop("env") == {"BACKEND_PORT": "2000", "FRONTEND_PORT": "8080"}
    assert not [text for text in _strings(parsed) if re.search(r"\b2000\b", text)]
    for path in platforms.tree("platform"):
        if path.startswith("infrastructure/ci/"):
            assert not re.search(r"\b2000\b", platforms.text("platform", path)), path
