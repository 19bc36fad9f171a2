"""The emitted workflow, from a push to production: its scripts unchanged, on real engines where there are any."""

from __future__ import annotations

import json
import urllib.request
import xml.etree.ElementTree as ET

import pytest

from tests.live.workflow.conftest import Followed, Site, host
from tests.live.workflow.simulated import Run

pytestmark = [pytest.mark.live, pytest.mark.long]
IMAGES = ["api", "api-migrate", "board", "board-migrate", "edge", "web"]


def logs(run: Run) -> str:
    return "\n".join(
        f"===== {job.name} {job.matrix.get('name', '')}\n{job.log[-4000:]}" for job in run.jobs if job.failed
    )


def digests(run: Run, pattern: str = "digest-") -> dict[str, str]:
    files = [f for name, folder in run.artifacts.items() if name.startswith(pattern) for f in folder.glob("*.json")]
    return {entry["image"]: entry["digest"] for entry in (json.loads(f.read_text()) for f in files)}


def digest_of(image: str, reference: str) -> str:
    """What the registry has under a tag."""
    place, name = image.split("/", 1)
    request = urllib.request.Request(f"http://{place}/v2/{name}/manifests/{reference}", method="HEAD")
    for kind in ("manifest.v2+json", "manifest.list.v2+json"):
        request.add_header("Accept", f"application/vnd.docker.distribution.{kind}")
    with urllib.request.urlopen(request) as answer:
        found: str = answer.headers["Docker-Content-Digest"]
        return found


def tags(image: str) -> set[str]:
    place, name = image.split("/", 1)
    with urllib.request.urlopen(f"http://{place}/v2/{name}/tags/list") as answer:
        return {*json.load(answer)["tags"]}


# --- a push to main ---------------------------------------------------------------------------------------------------


def test_a_push_passes_every_job_and_reaches_staging(site: Site, pushed: Run) -> None:
    assert {n for n, r in pushed.results.items() if r == "failure"} == set(), logs(pushed)
    assert {n for n, r in pushed.results.items() if r == "skipped"} == {"release", "deploy-production"}
    assert site.ask("staging", "/api/notes") == (200, "[]")
    assert site.ask("staging", "/api/edge") == (200, '"edge answers /edge/from-api redis=true"')
    assert site.ask("staging", "/board/columns") == (200, '["doing","done"]')
    assert site.ask("staging", "/")[1].startswith("<!doctype html>")
    assert site.cluster.controllers.faults == []


def test_tests_leave_their_reports(pushed: Run) -> None:
    """Real pytest, node --test and cargo test ran against a real PostgreSQL and Redis."""
    tests = ET.parse(pushed.artifacts["test-api"] / "junit.xml").getroot()
    assert [case.get("name") for case in tests.iter("testcase")] == [
        "test_a_note_is_kept",
        "test_redis_wants_a_password",
    ]
    assert not [*tests.iter("failure")]
    assert "line-rate" in (pushed.artifacts["test-api"] / "coverage.xml").read_text()
    assert "the columns are those of the migrations" in (pushed.artifacts["test-board"] / "junit.xml").read_text()
    assert "test result: ok. 1 passed" in (pushed.artifacts["test-edge"] / "test.log").read_text()


def test_migrations_leave_their_status(pushed: Run) -> None:
    for service, applied in (("api", 1), ("board", 2)):
        folder = pushed.artifacts[f"migrations-{service}"]
        assert {f.name for f in folder.glob("*.json")} == {"status.json", "verify.json"}
        report = json.loads((folder / "verify.json").read_text())
        assert len(report["applied"]) == applied
        assert report["pending"] == []
    summaries = [job.summary for job in pushed.jobs if job.name == "migrations"]
    (board,) = [text for text in summaries if "Database of `board`: up to date" in text]
    assert "| expected indexes found | 1 of 1 |" in board


def test_every_image_is_pushed_by_digest_signed_and_tagged(site: Site, pushed: Run) -> None:
    found = digests(pushed)
    assert sorted(found) == [f"{site.registry}/team/live-{name}" for name in IMAGES]
    for image, digest in found.items():
        assert digest_of(image, pushed.sha) == digest
        assert digest.replace(":", "-") + ".sig" in tags(image)  # what cosign has pushed
    calls = (site.machine.standin / "cosign.log").read_text().splitlines()
    assert {f"sign --yes {image}@{digest}" for image, digest in found.items()} <= {*calls}


def test_what_runs_is_what_was_signed(site: Site, pushed: Run) -> None:
    pods = [pod for (namespace, _), pod in site.cluster.controllers.running.items() if namespace == "live-staging"]
    images = {pod.template["spec"]["containers"][0]["image"] for pod in pods}
    pinned = {f"{image}@{digest}" for image, digest in digests(pushed).items() if not image.endswith("-migrate")}
    assert pinned < images


def test_the_roles_of_protect_sh_are_enough_and_no_more(site: Site, pushed: Run) -> None:
    """The deployment ran with them alone; another environment's namespace is out of its reach."""
    job = pushed.job("deploy-staging")
    environment = {**job.environment, **pushed._identity(job), "KUBE_AUDIENCE": "kubernetes"}
    for command in ("get secrets", "get pods --namespace live-production", "delete namespace live-staging"):
        space = "" if "--namespace" in command else " --namespace live-staging"
        refused = site.machine.run(f"kubectl {command}{space}", job.folder, environment)
        assert refused.returncode == 1
        assert "Forbidden" in refused.stderr, refused.stderr


def test_a_hand_edit_stops_at_the_drift_gate(site: Site, pushed: Run) -> None:
    folder = pushed.job("drift").folder
    compose = folder / "docker-compose.yml"
    kept = compose.read_text()
    compose.write_text(kept.replace("restart: unless-stopped", "restart: always"))
    (gate,) = [step["run"] for step in pushed.workflow["jobs"]["drift"]["steps"] if "run" in step]
    done = site.machine.run(gate, folder, {})
    compose.write_text(kept)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "docker-compose.yml" in done.stdout
    assert site.machine.run(gate, folder, {}).returncode == 0


# --- a pull request ---------------------------------------------------------------------------------------------------


def test_a_pull_request_concerns_what_it_changes_and_pushes_nothing(site: Site, reviewed: Run) -> None:
    assert {n for n, r in reviewed.results.items() if r == "failure"} == set(), logs(reviewed)
    ran = {(job.name, job.matrix.get("name", "")) for job in reviewed.jobs}
    assert {name for name, _ in ran} == {"drift", "changes", "lint-node", "test-node", "migrations", "manifests"} | {
        "build",
        "scan",
        "ci-ok",
    }
    assert {service for _, service in ran if service} == {"board", "board-migrate"}
    assert reviewed.sha not in tags(f"{site.registry}/team/live-board")
    assert "image-board" in reviewed.artifacts


# --- a release --------------------------------------------------------------------------------------------------------


def test_a_release_tags_what_was_tested_and_reaches_production(site: Site, pushed: Run, released: Run) -> None:
    assert {n for n, r in released.results.items() if r == "failure"} == set(), logs(released)
    assert {job.name for job in released.jobs} == {"drift", "release", "deploy-production", "ci-ok"}
    for image, digest in digests(pushed).items():
        for tag in ("1.2.3", "1.2", "1", "latest"):
            assert digest_of(image, tag) == digest
    assert digests(released, "digest-release") == digests(pushed)
    assert site.ask("production", "/board/columns") == (200, '["doing","done"]')


def test_a_release_of_an_untested_commit_is_refused(site: Site, released: Run) -> None:
    environment = {
        **{"GITHUB_REPOSITORY": "acme/live", "GITHUB_REF_NAME": "v9.9.9", "GITHUB_SHA": "f" * 40, "GH_TOKEN": "t"},
        **{"WAIT_SECONDS": "0", "ACCEPTED_BY": "staging"},
    }
    refused = site.machine.run("infrastructure/ci/release.sh", released.job("release").folder, environment)
    assert refused.returncode == 1
    assert "has no image of commit" in refused.stdout
    assert "9.9.9" not in tags(f"{site.registry}/team/live-api")


# --- when something is wrong ------------------------------------------------------------------------------------------


def test_an_image_that_never_gets_ready_is_taken_back(site: Site, broken: Run) -> None:
    """The old version serves all the while, and is the one that the Deployment names again."""
    job = broken.job("deploy-staging")
    assert broken.results["deploy-staging"] == "failure"
    assert "board did not become ready in staging" in job.log
    assert job.steps["Smoke test"]["outcome"] == "skipped"
    assert job.steps["Undo"]["outcome"] == "success", job.log
    assert "board: back to what ran before in staging" in job.summary
    assert broken.results["ci-ok"] == "failure"
    assert site.ask("staging", "/board/columns")[0] == 200
    (board,) = [d for d in site.cluster.store.of("Deployment", "live-staging") if d["metadata"]["name"] == "board"]
    image = board["spec"]["template"]["spec"]["containers"][0]["image"]
    assert not image.endswith(digests(broken)[f"{site.registry}/team/live-board"])


def test_a_dropped_index_fails_the_verification(site: Site, broken: Run) -> None:
    job = broken.job("deploy-staging")
    pod = site.cluster.controllers.running["live-staging", "postgres"]

    def psql(statement: str) -> None:
        shell = f'PGPASSWORD=$POSTGRES_PASSWORD psql -h 127.0.0.1 -U live -c "{statement}"'
        site.machine.engine.docker("exec", pod.container, "sh", "-c", shell)

    environment = {**job.environment, **broken._identity(job), "POLL_SECONDS": "1"}
    psql("DROP INDEX cards_by_column")
    failed = site.machine.run("infrastructure/ci/verify.sh", job.folder, environment)
    psql("CREATE INDEX cards_by_column ON cards (column_name)")
    assert failed.returncode == 1
    assert "the database of board in staging is not what its migrations say" in failed.stdout
    assert "cards_by_column" in failed.stdout
    passed = site.machine.run("infrastructure/ci/verify.sh", job.folder, environment)
    assert passed.returncode == 0, passed.stdout + passed.stderr


@pytest.mark.parametrize(
    ("fault", "shown"),
    [
        ("a backend is down", "/board answered 503"),
        ("a page is an error", "/ answered 404"),
        ("no answer", "answered 000"),
    ],
)
def test_the_smoke_test_fails(site: Site, pushed: Run, monkeypatch: pytest.MonkeyPatch, fault: str, shown: str) -> None:
    job, front = pushed.job("deploy-staging"), site.cluster.front
    passes = front.answer

    def answer(name: str, path: str) -> tuple[int, bytes]:
        if fault == "a backend is down" and path.startswith("/board"):
            return 503, b""
        if fault == "a page is an error" and not path.startswith(("/api", "/board", "/edge")):
            return 404, b""
        return passes(name, path)

    monkeypatch.setattr(front, "answer", answer)
    environment = {**job.environment, "SMOKE_SECONDS": "1", "POLL_SECONDS": "1"}
    if fault == "no answer":
        environment["HOME"] = "/nowhere"  # without .curlrc the name does not resolve
    failed = site.machine.run("infrastructure/ci/smoke.sh", job.folder, environment)
    assert failed.returncode == 1
    assert shown in failed.stdout


# --- GitOps -----------------------------------------------------------------------------------------------------------


def test_a_commit_releases_what_argo_cd_then_runs(followed: Followed) -> None:
    site, run = followed.site, followed.run
    assert run.results["deploy-staging"] == "success", logs(run) + str(site.cluster.controllers.faults)
    (commit,) = [c for c in log(site) if c.endswith("Release main to staging")]
    assert commit.split()[0] in followed.argocd.synced
    assert site.ask("staging", "/board/columns") == (200, '["doing","done"]')


def test_a_release_that_is_not_healthy_is_reverted(followed: Followed, reverted: Run) -> None:
    job = reverted.job("deploy-staging")
    assert reverted.results["deploy-staging"] == "failure"
    assert "staging did not become healthy" in job.log
    assert job.steps["Undo"]["outcome"] == "success", job.log
    assert log(followed.site)[0].split(" ", 1)[1].startswith('Revert "Release')
    assert followed.site.ask("staging", "/board/columns")[0] == 200


def log(site: Site) -> list[str]:
    done = site.machine.run("git log --format='%H %s' deploy/staging", site.origin, {"GIT_CONFIG_COUNT": "0"})
    return done.stdout.splitlines()


def test_hosts_differ_between_the_two(site: Site, followed: Followed) -> None:
    assert {*site.cluster.hosts}.isdisjoint(followed.site.cluster.hosts)
    assert host("staging", "kubectl") in site.cluster.hosts
