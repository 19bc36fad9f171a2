"""Release by commit, with real git: the commit, its revert, and what happens when somebody else pushes in between."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.unit.outputs.runner import REAL, Runner
from tests.unit.outputs.test_workflow_scripts import KUSTOMIZE

pytestmark = pytest.mark.skipif(not (REAL["jq"] and REAL["kubectl"]), reason="jq or kubectl is not installed")
RELEASE = "k8s/overlays/staging/release/kustomization.yaml"
BRANCH = "deploy/staging"


class Engine:
    """Argo CD or Flux behind a fake kubectl: it is at the tip of its branch, in the state that the test asks for."""

    def __init__(self, runner: Runner, origin: Path) -> None:
        self.runner, self.state = runner, runner.home / "state"
        self.later, self.next = runner.home / "later", runner.home / "next"
        self.says("Synced", "Healthy")
        tip = f"git -C {origin} rev-parse {BRANCH}"
        runner.fake(
            "kubectl",
            KUSTOMIZE
            + f"""
            if [[ -s {self.later} ]]; then
              sed -i 1d {self.later}
              [[ -s {self.later} ]] || mv {self.next} {self.state}
            fi
            read -r sync health phase ready < {self.state}
            case " $* " in
              *' get application '*) jq --null-input --arg sync "$sync" --arg health "$health" --arg phase "$phase" \\
                --arg revision "$({tip})" '{{status: {{sync: {{status: $sync, revision: $revision}},
                  health: {{status: $health}}, operationState: {{phase: $phase}}}}}}' ;;
              *' get kustomization'*) jq --null-input --arg ready "$ready" --arg revision "{BRANCH}@sha1:$({tip})" '
                def item($state): {{status: {{lastAttemptedRevision: $revision, lastAppliedRevision: $revision,
                  conditions: [{{type: "Ready", status: $state, reason: "HealthCheckFailed"}}]}}}};
                {{items: [item($ready), item("True")]}}' ;;
            esac""",
        )

    def says(self, sync: str, health: str, phase: str = "Succeeded", ready: str = "True") -> None:
        self.state.write_text(f"{sync} {health} {phase} {ready}\n")

    def says_after(self, calls: int, sync: str, health: str) -> None:
        """What it says once it has been asked so often."""
        self.later.write_text("\n" * calls)
        self.next.write_text(f"{sync} {health} Succeeded True\n")


def job(tmp_path: Path, platform: str = "platform", origin: Path | None = None) -> tuple[Runner, Engine, Path]:
    environment = {"ENVIRONMENT": "staging", "ROLLOUT_SECONDS": "5", "GITHUB_REF_NAME": "main", "GH_TOKEN": "t"}
    runner = Runner(tmp_path / "job", platform, environment)
    (runner.root / ".gitignore").write_text("digests/\nreports/\n")
    runner.commit()
    if origin is None:
        origin = tmp_path / "origin.git"
        subprocess.run(["git", "clone", "-q", "--bare", str(runner.root), str(origin)], check=True)
        git(origin, "branch", BRANCH, "main")
    runner.git("remote", "add", "origin", str(origin))
    runner.digests()
    return runner, Engine(runner, origin), origin


def git(origin: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(origin), *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.mark.parametrize("platform", ["platform", "flux-six"])
def test_a_release_is_one_commit_of_the_digests(tmp_path: Path, platform: str) -> None:
    runner, _, origin = job(tmp_path, platform)
    runner.run("gitops.sh", "release")
    assert git(origin, "rev-list", "--count", BRANCH) == "2"
    assert git(origin, "show", "--name-only", "--format=", BRANCH) == RELEASE
    component = yaml.safe_load(git(origin, "show", f"{BRANCH}:{RELEASE}"))
    facts = {f["image"]: f["digest"] for f in map(_json, (runner.root / "digests").glob("*.json"))}
    assert {i["name"]: i["digest"] for i in component["images"]} == facts
    subject = git(origin, "show", "--no-patch", "--format=%s|%an|%b", BRANCH)
    commit = runner.git("rev-parse", "HEAD")
    assert subject == f"Release main to staging|github-actions[bot]|k8s/ of {commit}, with the digests of run 1."
    assert git(origin, "rev-parse", "main") == commit
    for digest in facts.values():
        assert digest in runner.report("manifests.yaml")


def _json(path: Path) -> dict[str, str]:
    data: dict[str, str] = json.loads(path.read_text())
    return data


def again(runner: Runner, origin: Path, folder: Path, first: int = 100) -> tuple[Runner, Engine]:
    """The next run of the same repository, with digests of its own."""
    later = Runner(folder, runner.platform, runner.environment)
    later.commit()
    later.git("remote", "add", "origin", str(origin))
    later.git("fetch", "-q", "origin", "main")
    later.git("reset", "-q", "--hard", "FETCH_HEAD")
    later.digests(first)
    return later, Engine(later, origin)


@pytest.mark.parametrize("platform", ["platform", "flux-six"])
def test_a_release_that_gets_unhealthy_is_reverted(tmp_path: Path, platform: str) -> None:
    first, _, origin = job(tmp_path, platform)
    first.run("gitops.sh", "release")
    before = git(origin, "show", f"{BRANCH}:{RELEASE}")
    runner, engine = again(first, origin, tmp_path / "again")
    engine.says("Synced", "Degraded", ready="False")
    done = runner.run("gitops.sh", "release", check=False)
    assert done.returncode == 1
    assert "::error::staging did not become healthy" in done.stdout
    assert git(origin, "show", f"{BRANCH}:{RELEASE}") != before
    engine.says("Synced", "Healthy")
    runner.run("gitops.sh", "undo")
    assert git(origin, "show", f"{BRANCH}:{RELEASE}") == before
    assert git(origin, "rev-list", "--count", BRANCH) == "4"


def test_manifests_go_live_with_the_release_that_holds_them_and_back_with_it(tmp_path: Path) -> None:
    """A service that main has and no release yet would wait for its image, and hold up everything else."""
    first, _, origin = job(tmp_path)
    first.run("gitops.sh", "release")
    before = git(origin, "rev-parse", f"{BRANCH}:k8s")
    runner, _ = again(first, origin, tmp_path / "again")
    (runner.root / "k8s/base/new.yaml").write_text("kind: New\n")
    (runner.root / "k8s/README.md").unlink()
    (runner.root / "other.txt").write_text("no manifest\n")
    runner.commit()
    runner.git("push", "-q", "origin", "HEAD:main")
    assert git(origin, "rev-parse", f"{BRANCH}:k8s") == before
    runner.run("gitops.sh", "release")
    changed = git(origin, "show", "--name-status", "--format=", BRANCH).splitlines()
    assert changed == ["D\tk8s/README.md", "A\tk8s/base/new.yaml", f"M\t{RELEASE}"]
    runner.run("gitops.sh", "undo")
    assert git(origin, "rev-parse", f"{BRANCH}:k8s") == before


def test_an_older_version_takes_its_own_manifests_along(tmp_path: Path) -> None:
    first, _, origin = job(tmp_path)
    first.run("gitops.sh", "release")
    before = git(origin, "rev-parse", f"{BRANCH}:k8s")
    runner, _ = again(first, origin, tmp_path / "again")
    (runner.root / "k8s/base/new.yaml").write_text("kind: New\n")
    runner.commit()
    runner.run("gitops.sh", "release")
    assert git(origin, "rev-parse", f"{BRANCH}:k8s") != before
    first.run("gitops.sh", "release")
    assert git(origin, "rev-parse", f"{BRANCH}:k8s") == before


def test_a_branch_that_nobody_began_begins_at_the_release(tmp_path: Path) -> None:
    runner, engine, origin = job(tmp_path)
    git(origin, "branch", "-D", BRANCH)
    engine.says("Synced", "Degraded")
    assert runner.run("gitops.sh", "release", check=False).returncode == 1
    assert git(origin, "rev-parse", f"{BRANCH}^") == git(origin, "rev-parse", "main")
    done = runner.run("gitops.sh", "undo")
    assert "has run nothing before" in done.stderr


@pytest.mark.parametrize("platform", ["platform", "flux-six"])
def test_a_first_release_that_fails_has_nothing_to_go_back_to(tmp_path: Path, platform: str) -> None:
    runner, engine, origin = job(tmp_path, platform)
    engine.says("Synced", "Degraded", ready="False")
    assert runner.run("gitops.sh", "release", check=False).returncode == 1
    done = runner.run("gitops.sh", "undo")
    assert "has run nothing before" in done.stderr
    assert git(origin, "rev-list", "--count", BRANCH) == "2"


def test_an_environment_that_gets_well_within_minutes_has_not_failed(tmp_path: Path) -> None:
    """Before its certificate is issued, a new environment is degraded."""
    runner, engine, _ = job(tmp_path)
    engine.says("Synced", "Degraded")
    engine.says_after(20, "Synced", "Healthy")
    runner.run("gitops.sh", "release", ROLLOUT_SECONDS="60")


def test_a_sync_that_fails_is_a_failure(tmp_path: Path) -> None:
    runner, engine, _ = job(tmp_path)
    engine.says("OutOfSync", "Missing", "Failed")
    done = runner.run("gitops.sh", "release", check=False, ROLLOUT_SECONDS="60")
    assert done.returncode == 1
    assert "argocd: reconciliation-staging failed at" in done.stderr


def test_a_release_that_is_never_synced_times_out(tmp_path: Path) -> None:
    runner, engine, _ = job(tmp_path)
    engine.says("OutOfSync", "Progressing", "Running")
    done = runner.run("gitops.sh", "release", check=False, ROLLOUT_SECONDS="1")
    assert done.returncode == 1
    assert "not synced and healthy in time" in done.stderr


def test_the_same_digests_are_no_second_commit_and_nothing_to_undo(tmp_path: Path) -> None:
    runner, _, origin = job(tmp_path)
    runner.run("gitops.sh", "release")
    later, _ = again(runner, origin, tmp_path / "again", first=1)
    later.run("gitops.sh", "release")
    later.run("gitops.sh", "undo")
    assert git(origin, "rev-list", "--count", BRANCH) == "2"


def test_a_push_of_somebody_else_is_kept(tmp_path: Path) -> None:
    runner, _, origin = job(tmp_path)
    other = tmp_path / "other"
    subprocess.run(["git", "clone", "-q", str(origin), str(other)], check=True)
    hook = runner.root / ".git/hooks/pre-push"  # somebody pushes just before the first attempt
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(
        f"#!/bin/sh\n[ -e {tmp_path}/raced ] && exit 0\ntouch {tmp_path}/raced\nunset GIT_DIR GIT_INDEX_FILE\n"
        f"cd {other} && git -c user.name=o -c user.email=o@example.com commit -q --allow-empty -m other\n"
        f"git push -q origin HEAD:{BRANCH}\n"
    )
    hook.chmod(0o755)
    runner.run("gitops.sh", "release")
    subjects = git(origin, "log", "--format=%s", BRANCH).splitlines()
    assert subjects == ["Release main to staging", "other", "work"]


def test_the_token_is_in_no_argument_list(tmp_path: Path) -> None:
    """git is recorded and run for real; the token reaches it through the environment only."""
    runner, _, _ = job(tmp_path)
    runner.fake("git", f'exec {REAL["git"]} "$@"')
    runner.run("gitops.sh", "release", GH_TOKEN="very-secret-token")
    assert runner.calls("git")
    assert "very-secret-token" not in json.dumps(runner.calls("git"))


def test_a_deploy_key_is_used_where_there_is_one(tmp_path: Path) -> None:
    runner, _, _ = job(tmp_path)
    runner.fake("gh", "echo github.com ssh-ed25519 AAAA")
    runner.fake("git", f'env | grep ^GIT_SSH_COMMAND >> {tmp_path}/ssh || true; exec {REAL["git"]} "$@"')
    runner.run("gitops.sh", "release", RELEASE_DEPLOY_KEY="key")
    key = runner.temp / "deploy-state/deploy-key"
    assert key.stat().st_mode & 0o777 == 0o600
    assert str(key) in (tmp_path / "ssh").read_text()
