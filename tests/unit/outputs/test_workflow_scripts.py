"""Every script of infrastructure/ci, run for real in a simulated runner: what it calls, prints and leaves behind."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.outputs import workflow_platforms as platforms
from tests.unit.outputs.runner import REAL, SHA, Runner

pytestmark = pytest.mark.skipif(not REAL["jq"], reason="jq is not installed")
needs_kubectl = pytest.mark.skipif(not REAL["kubectl"], reason="kubectl is not installed")
KUSTOMIZE = f'[[ $1 == kustomize ]] && exec {REAL["kubectl"]} "$@"\n'


def documents(text: str) -> list[dict[str, Any]]:
    return [d for d in yaml.safe_load_all(text) if d]


# --- digests and releases ---------------------------------------------------------------------------------------------


def test_a_digest_that_is_none_is_refused(tmp_path: Path) -> None:
    runner = Runner(tmp_path, "platform")
    for digest in ("", "sha256:abc", "latest"):
        assert runner.run("digests.sh", "record", "x", "ghcr.io/acme/x", digest, check=False).returncode == 1


def test_the_component_pins_every_image(tmp_path: Path) -> None:
    runner = Runner(tmp_path, "mixed")
    digests = runner.digests()
    component = yaml.safe_load(runner.run("digests.sh", "component").stdout)
    assert {i["name"]: i["digest"] for i in component["images"]} == digests


def test_a_scan_reads_the_pushed_digest_or_the_archive(tmp_path: Path) -> None:
    runner = Runner(tmp_path, "platform")
    digests = runner.digests()
    image, digest = next(iter(digests.items()))
    built = runner.root / "built"
    built.mkdir()
    (runner.root / "digests" / f"{image.rsplit('-', 1)[1]}.json").rename(built / "one.json")
    assert runner.run("digests.sh", "reference", "built").stdout == f"image={image}@{digest}\n"
    (built / "image.tar").touch()
    assert runner.run("digests.sh", "reference", "built").stdout == "archive=built/image.tar\n"


class Registry:
    """A registry and a signer behind fake docker and cosign: tags are files."""

    def __init__(self, runner: Runner) -> None:
        self.runner, self.folder = runner, runner.home / "registry"
        self.folder.mkdir()
        runner.fake(
            "docker",
            f"""
            file() {{ printf '%s/%s' '{self.folder}' "${{1//\\//_}}"; }}
            case "$1 $2 $3" in
              'buildx imagetools inspect')
                [[ -e $(file "$4") ]] && printf '{{"digest": "%s"}}' "$(< "$(file "$4")")" ;;
              'buildx imagetools create') printf '%s' "${{6#*@}}" > "$(file "$5")" ;;
              *) exit 9 ;;
            esac""",
        )
        runner.fake("cosign", f"[[ ! -e {self.folder}/unsigned ]]")
        runner.fake("gh", "case $2 in */statuses) echo success ;; *) echo 41 ;; esac")

    def push(self, image: str, tag: str, digest: str) -> None:
        (self.folder / f"{image}:{tag}".replace("/", "_")).write_text(digest)

    def tags(self) -> dict[str, str]:
        return {p.name.rsplit("_", 1)[1]: p.read_text() for p in self.folder.iterdir()}


@pytest.fixture
def release(tmp_path: Path) -> tuple[Runner, Registry, dict[str, str]]:
    environment = {"GITHUB_REF_NAME": "v1.2.3", "ACCEPTED_BY": "staging", "WAIT_SECONDS": "0", "GH_TOKEN": "t"}
    runner = Runner(tmp_path, "platform", environment)
    runner.commit()
    registry = Registry(runner)
    digests = {i["image"]: f"sha256:{n + 1:064x}" for n, i in enumerate(runner.facts()["images"])}
    for image, digest in digests.items():
        registry.push(image, SHA, digest)
    return runner, registry, digests


def test_a_release_puts_its_tags_on_the_tested_digest(release: tuple[Runner, Registry, dict[str, str]]) -> None:
    """Finding 3.3: nothing is built, every tag is the digest of the commit."""
    runner, registry, digests = release
    runner.run("release.sh")
    for image, digest in digests.items():
        name = image.rsplit("/", 1)[1]
        for tag in (SHA, "1.2.3", "1.2", "1", "latest"):
            assert registry.tags()[f"{name}:{tag}"] == digest
    assert {c[2] for c in runner.calls("docker")} == {"inspect", "create"}
    recorded = {f["image"]: f["digest"] for f in map(_json, (runner.root / "digests").glob("*.json"))}
    assert recorded == digests
    [verify] = {tuple(c[:5]) for c in runner.calls("cosign")}
    assert verify[:3] == (
        "verify",
        "--certificate-identity",
        "https://github.com/acme/shop/.github/workflows/ci-cd.yml@refs/heads/main",
    )


def _json(path: Path) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(path.read_text())
    return data


def test_a_release_of_a_commit_that_main_has_not_tested_is_refused(
    release: tuple[Runner, Registry, dict[str, str]],
) -> None:
    runner, registry, _ = release
    done = runner.run("release.sh", check=False, GITHUB_SHA="f" * 40)
    assert done.returncode == 1
    assert "::error::" in done.stdout
    assert "has no image of commit" in done.stdout
    assert not [t for t in registry.tags() if t.endswith(":latest")]


def test_a_release_without_a_signature_is_refused(release: tuple[Runner, Registry, dict[str, str]]) -> None:
    runner, registry, _ = release
    (registry.folder / "unsigned").touch()
    assert runner.run("release.sh", check=False).returncode != 0
    (registry.folder / "unsigned").unlink()
    assert not [t for t in registry.tags() if t.endswith(":latest")]


@pytest.mark.parametrize("answer", ["echo failure", "true"], ids=["it failed there", "it was never there"])
def test_a_release_that_the_last_environment_has_not_accepted_is_refused(
    release: tuple[Runner, Registry, dict[str, str]], answer: str
) -> None:
    runner, registry, _ = release
    runner.fake("gh", f"case $2 in */statuses) {answer} ;; *) echo 41 ;; esac")
    done = runner.run("release.sh", check=False)
    assert done.returncode == 1
    assert "staging has not accepted commit" in done.stdout
    assert not [t for t in registry.tags() if t.endswith(":latest")]


def test_a_release_waits_for_an_image_that_main_is_still_making(
    release: tuple[Runner, Registry, dict[str, str]],
) -> None:
    runner, registry, digests = release
    image, digest = next(iter(digests.items()))
    late = registry.folder / f"{image}:{SHA}".replace("/", "_")
    late.unlink()
    (runner.home / "bin" / "sleep").write_text(f"#!/bin/sh\nprintf '%s' '{digest}' > '{late}'\n")
    (runner.home / "bin" / "sleep").chmod(0o755)
    done = runner.run("release.sh", WAIT_SECONDS="30")
    assert "waiting" in done.stderr


# --- migrations -------------------------------------------------------------------------------------------------------


def test_migrations_run_in_order_with_their_reports(tmp_path: Path) -> None:
    environment = {"SERVICE": "backend", "IMAGE": "migrate:ci", "DATABASE_URL": "postgresql://u:secret@localhost/db"}
    runner = Runner(tmp_path, "platform", environment)
    runner.fake("docker", f'printf "## %s\\n" "${{@: -1}}" >> {runner.root}/reports/migrations.md')
    runner.run("migrations.sh", "up", "up", "status", "verify")
    assert [c[-2:] for c in runner.calls("docker")] == [["migrate:ci", c] for c in ("up", "up", "status", "verify")]
    assert "MIGRATE_REPORT=/reports/verify.json" in runner.calls("docker")[-1]
    assert "secret" not in json.dumps(runner.calls("docker"))
    assert runner.summary() == "## verify\n"


def test_a_migration_that_fails_fails_the_job_and_still_reports(tmp_path: Path) -> None:
    runner = Runner(tmp_path, "platform", {"SERVICE": "backend", "IMAGE": "migrate:ci"})
    runner.fake("docker", f'echo "## failed" >> {runner.root}/reports/migrations.md; [[ ${{@: -1}} != verify ]]')
    done = runner.run("migrations.sh", "up", "status", "verify", check=False)
    assert done.returncode == 1
    assert runner.summary() == "## failed\n"


@needs_kubectl
@pytest.mark.parametrize("name", [n for n in platforms.NAMES if platforms.project(n)["environments"]])
def test_every_overlay_renders(tmp_path: Path, name: str) -> None:
    runner = Runner(tmp_path, name)
    for environment in platforms.project(name)["environments"]:
        for patch in environment["patches"]:
            pytest.fail(f"{name} has a patch {patch} that nobody wrote")
        if platforms.project(name)["delivery"]["secrets"] != "external-secrets":
            _empty_secrets(runner, environment["name"])
    runner.run("render.sh")
    for environment in platforms.project(name)["environments"]:
        assert documents(runner.report(f"{environment['name']}.yaml"))


def _empty_secrets(runner: Runner, environment: str) -> None:
    """The folder that people fill with sealed or encrypted secrets."""
    folder = runner.root / "k8s/overlays" / environment / "secrets"
    if not (folder / "kustomization.yaml").exists():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "kustomization.yaml").write_text("apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n")


# --- the cluster ------------------------------------------------------------------------------------------------------


def test_without_a_cluster_the_job_says_what_to_set(tmp_path: Path) -> None:
    runner = Runner(tmp_path, "platform")
    runner.fake("kubectl", "exit 1")
    done = runner.run("cluster.sh", check=False)
    assert done.returncode == 1
    assert "KUBE_SERVER" in done.stdout
    runner.fake("kubectl", "exit 0")  # a hook has logged in
    runner.run("cluster.sh")


@needs_kubectl
def test_the_cluster_gets_a_fresh_identity_and_no_password(tmp_path: Path) -> None:
    runner = Runner(tmp_path, "platform")
    runner.run("cluster.sh", KUBE_SERVER="https://k.example.com", KUBE_CA="-----BEGIN CERTIFICATE-----\nx\n")
    assert (runner.home / "env").read_text() == f"KUBECONFIG={runner.temp}/kubeconfig\n"
    config = json.loads((runner.temp / "kubeconfig").read_text())
    assert (runner.temp / "kubeconfig").stat().st_mode & 0o777 == 0o600
    plugin = config["users"][0]["user"]["exec"]
    assert plugin["command"] == f"{runner.root}/infrastructure/ci/kube-token.sh"
    assert base64.b64decode(config["clusters"][0]["cluster"]["certificate-authority-data"]).startswith(b"-----BEGIN")

    claims = base64.urlsafe_b64encode(json.dumps({"exp": 1800000000, "x": "?>~~~"}).encode()).decode().rstrip("=")
    runner.fake("curl", f"""echo '{{"value": "head.{claims}.signature"}}'""")
    request = {"ACTIONS_ID_TOKEN_REQUEST_URL": "https://t.example.com/?v=1", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "r"}
    credential = json.loads(runner.run("kube-token.sh", KUBE_AUDIENCE="kubernetes", **request).stdout)
    assert credential["status"] == {"token": f"head.{claims}.signature", "expirationTimestamp": "2027-01-15T08:00:00Z"}
    assert runner.calls("curl")[0][-1] == "https://t.example.com/?v=1&audience=kubernetes"


def test_smoke_passes_when_every_route_answers(tmp_path: Path) -> None:
    runner = Runner(tmp_path, "platform", {"ENVIRONMENT": "staging", "SMOKE_SECONDS": "0"})
    runner.fake("curl", "case ${@: -1} in */api | */ws) echo 404 ;; *) echo 200 ;; esac")
    runner.run("smoke.sh")
    assert [c[-1] for c in runner.calls("curl")] == [
        s["url"] for s in runner.facts()["environments"]["staging"]["smoke"]
    ]
    assert "| https://staging.example.com/api | 404 |" in runner.summary()


@pytest.mark.parametrize(
    "answers",
    ["*/api) echo 502 ;; *) echo 200 ;;", "*/healthz) echo 404 ;; *) echo 200 ;;", "*/ws) exit 6 ;; *) echo 200 ;;"],
    ids=["a server error", "a health path that is not there", "no answer"],
)
def test_smoke_fails_on(tmp_path: Path, answers: str) -> None:
    runner = Runner(tmp_path, "platform", {"ENVIRONMENT": "staging", "SMOKE_SECONDS": "0"})
    runner.fake("curl", f"case ${{@: -1}} in {answers} esac")
    done = runner.run("smoke.sh", check=False)
    assert done.returncode == 1
    assert done.stdout.count("::error::") == 1


@pytest.mark.parametrize(("environment", "insecure"), [("staging", True), ("production", False)])
def test_smoke_distrusts_no_authority_but_that_of_staging_certificates(
    tmp_path: Path, environment: str, insecure: bool
) -> None:
    runner = Runner(tmp_path, "platform", {"ENVIRONMENT": environment, "SMOKE_SECONDS": "0"})
    runner.fake("curl", "echo 200")
    runner.run("smoke.sh")
    assert {"--insecure" in call for call in runner.calls("curl")} == {insecure}


def test_smoke_waits_for_a_gateway_that_is_still_coming_up(tmp_path: Path) -> None:
    runner = Runner(tmp_path, "platform", {"ENVIRONMENT": "staging", "SMOKE_SECONDS": "30"})
    runner.fake("curl", f"[[ -e {tmp_path}/up ]] && echo 200 || echo 503; touch {tmp_path}/up")
    runner.run("smoke.sh")


class Cluster:
    """A cluster behind a fake kubectl: what was applied, in order, and what `get` answers."""

    def __init__(self, runner: Runner, *, job: str = "Complete", rollout: str = "exit 0") -> None:
        self.runner, self.folder = runner, runner.home / "cluster"
        self.folder.mkdir(exist_ok=True)
        runner.fake(
            "kubectl",
            KUSTOMIZE
            + f"""
            shopt -s extglob
            all=" $* "
            case $all in
              *' apply '*) file=${{all##*--filename }}; cat "${{file%% *}}" >> {self.folder}/applied.yaml ;;
              *' create --filename -'*) cat > {self.folder}/created.json ;;
              *' get services '*) cat {self.folder}/services.json 2> /dev/null || echo '{{"items": []}}' ;;
              *' get externalsecret.'* | *' get sealedsecret.'*)
                cat {self.folder}/secrets.json 2> /dev/null || echo '{{"items": []}}'
                [[ ! -e {self.folder}/later.json ]] || mv {self.folder}/later.json {self.folder}/secrets.json ;;
              *' get job '*jsonpath*) echo '{job}' ;;
              *' get job '*) cat {self.folder}/job.json ;;
              *' get deployment/'*) jq --slurp '{{items: .}}' {self.folder}/{{deployment,rollout}}-"${{4#*/}}.json" ;;
              *' get deployment '*) cat {self.folder}/"deployment-$5.json" 2> /dev/null || true ;;
              *' rollout status '*) {rollout} ;;
            esac""",
        )

    def applied(self) -> list[dict[str, Any]]:
        file = self.folder / "applied.yaml"
        return documents(file.read_text()) if file.exists() else []

    def has(self, name: str, revision: str, version: str, **status: str) -> None:
        """A workload that runs: its Deployment, and the Rollout that goes by it."""
        deployment = {
            "metadata": {"annotations": {"deployment.kubernetes.io/revision": revision}, "generation": 2},
            "spec": {"template": {"spec": {"containers": [{"image": version}]}}},
        }
        rollout = {"metadata": {"generation": 2}, "status": status}
        for kind, state in (("deployment", deployment), ("rollout", rollout)):
            (self.folder / f"{kind}-{name}.json").write_text(json.dumps(state))


@needs_kubectl
def test_a_deployment_migrates_before_it_replaces_anything(tmp_path: Path) -> None:
    """Findings 3.4, 6.1."""
    runner = Runner(tmp_path, "mixed", {"ENVIRONMENT": "dev"})
    _empty_secrets(runner, "dev")
    digests = runner.digests()
    cluster = Cluster(runner)
    runner.run("deploy.sh")
    kinds = [d["kind"] for d in cluster.applied()]
    workloads = {"Deployment", "HorizontalPodAutoscaler", "ScaledObject"}
    first, last = kinds.index("Job"), len(kinds) - 1 - kinds[::-1].index("Job")
    assert not workloads & {*kinds[:first]}
    assert {"Namespace", "ConfigMap", "Service", "NetworkPolicy", "StatefulSet"} <= {*kinds[:first]}
    assert {*kinds[first : last + 1]} == {"Job"}
    assert {*kinds[last + 1 :]} <= workloads
    rendered = documents(runner.report("manifests.yaml"))
    assert len(kinds) == len(rendered)
    assert sorted(kinds) == sorted(d["kind"] for d in rendered)
    calls = [" ".join(c) for c in runner.calls("kubectl")]
    waits = [c for c in calls if " rollout status " in c]
    assert waits == [
        f"--namespace mix-dev rollout status deployment/{s['name']} --timeout 1800s" for s in runner.facts()["services"]
    ]
    assert next(c for c in calls if " delete job " in c).endswith("delete job api-migrate --ignore-not-found --wait")
    images = {*re.findall(r"image: (\S+)", runner.report("manifests.yaml"))}
    assert {f"{i}@{d}" for i, d in digests.items()} <= images


_HEALTHY = {"phase": "Healthy", "stableRS": "b", "currentPodHash": "b"}


@needs_kubectl
def test_a_deployment_leaves_the_services_of_a_rollout_with_their_version(tmp_path: Path) -> None:
    """Argo Rollouts writes a hash into the selector; without it the stable Service would select every version."""
    runner = Runner(tmp_path, "backend-only", {"ENVIRONMENT": "production", "ROLLOUT_SECONDS": "2"})
    runner.digests()
    cluster = Cluster(runner)
    cluster.has("api", "8", "new", observedGeneration="2", workloadObservedGeneration="2", **_HEALTHY)
    live = [
        {"metadata": {"name": "api"}, "spec": {"selector": {"rollouts-pod-template-hash": "74f9c"}}},
        {"metadata": {"name": "gone"}, "spec": {"selector": {"rollouts-pod-template-hash": "0"}}},
        {"metadata": {"name": "postgres"}, "spec": {"selector": {"app.kubernetes.io/name": "postgres"}}},
    ]
    (cluster.folder / "services.json").write_text(json.dumps({"items": live}))
    runner.run("deploy.sh")
    selectors = {d["metadata"]["name"]: d["spec"]["selector"] for d in cluster.applied() if d["kind"] == "Service"}
    assert selectors["api"] == {"app.kubernetes.io/name": "api", "rollouts-pod-template-hash": "74f9c"}
    assert [n for n, s in selectors.items() if "rollouts-pod-template-hash" in s] == ["api"]


def _secret(generation: int, **status: Any) -> dict[str, Any]:
    return {"metadata": {"name": "api-secrets", "generation": generation}, "status": status}


_READY = [{"type": "Ready", "status": "True"}]


@needs_kubectl
@pytest.mark.parametrize(
    ("state", "fresh"),
    [
        (_secret(2, conditions=_READY, syncedResourceVersion="2-abc"), True),
        (_secret(2, conditions=[{"type": "Synced", "status": "True"}], observedGeneration=2), True),
        (_secret(2, conditions=_READY, syncedResourceVersion="1-abc"), False),
        (_secret(2, conditions=[{"type": "Ready", "status": "False"}], syncedResourceVersion="2-abc"), False),
        (_secret(1), False),
    ],
    ids=["fetched", "unsealed", "of the version before", "refused by the store", "new"],
)
def test_nothing_starts_before_its_secrets_are_there(tmp_path: Path, state: dict[str, Any], *, fresh: bool) -> None:
    runner = Runner(tmp_path, "backend-only", {"ENVIRONMENT": "production", "ROLLOUT_SECONDS": "2"})
    runner.digests()
    cluster = Cluster(runner)
    cluster.has("api", "8", "new", observedGeneration="2", workloadObservedGeneration="2", **_HEALTHY)
    (cluster.folder / "secrets.json").write_text(json.dumps({"items": [state]}))
    done = runner.run("deploy.sh", check=False, SECRET_SECONDS="0")
    assert (done.returncode == 0) == fresh, done.stderr
    kinds = {d["kind"] for d in cluster.applied()}
    assert "ExternalSecret" in kinds
    assert ({"Deployment", "Rollout"} <= kinds) == fresh
    assert ("::error::secrets that are not there: api-secrets" in done.stdout) != fresh
    later = {"items": [_secret(2, conditions=_READY, syncedResourceVersion="2-abc")]}
    (cluster.folder / "later.json").write_text(json.dumps(later))
    runner.run("deploy.sh", SECRET_SECONDS="60")


@needs_kubectl
def test_a_migration_that_fails_leaves_what_runs_alone(tmp_path: Path) -> None:
    runner = Runner(tmp_path, "mixed", {"ENVIRONMENT": "dev"})
    _empty_secrets(runner, "dev")
    runner.digests()
    cluster = Cluster(runner, job="FailureTarget Failed")
    done = runner.run("deploy.sh", check=False)
    assert done.returncode == 1
    assert "::error::the migration of api failed" in done.stdout
    assert "Deployment" not in {d["kind"] for d in cluster.applied()}
    assert (runner.root / "reports/migrate-api.log").exists()


@needs_kubectl
def test_a_rollout_that_does_not_get_ready_fails_and_is_undone(tmp_path: Path) -> None:
    runner = Runner(tmp_path, "mixed", {"ENVIRONMENT": "dev"})
    _empty_secrets(runner, "dev")
    runner.digests()
    cluster = Cluster(runner, rollout="exit 1")
    for name, revision in (("api", "7"), ("site", "3")):
        cluster.has(name, revision, "old")
    done = runner.run("deploy.sh", check=False)
    assert done.returncode == 1
    assert "::error::api did not become ready in dev" in done.stdout

    cluster = Cluster(runner)
    cluster.has("api", "8", "new")
    runner.run("rollback.sh")
    undone = [" ".join(c) for c in runner.calls("kubectl") if "undo" in c]
    assert undone == ["--namespace mix-dev rollout undo deployment/api --to-revision 7"]


@needs_kubectl
@pytest.mark.parametrize(
    ("status", "passes"),
    [
        ({"phase": "Healthy", "stableRS": "b", "currentPodHash": "b"}, True),
        ({"phase": "Degraded", "stableRS": "a", "currentPodHash": "b"}, False),
        ({"phase": "Healthy", "stableRS": "a", "currentPodHash": "b"}, False),
        ({"phase": "Healthy", "stableRS": "a", "currentPodHash": "a", "workloadObservedGeneration": "1"}, False),
        ({"phase": "Paused", "stableRS": "a", "currentPodHash": "b"}, False),
    ],
    ids=["promoted", "aborted", "not promoted yet", "the version before", "paused"],
)
def test_a_progressive_rollout_is_awaited(tmp_path: Path, status: dict[str, str], passes: bool) -> None:
    runner = Runner(tmp_path, "backend-only", {"ENVIRONMENT": "production", "ROLLOUT_SECONDS": "2"})
    runner.digests()
    Cluster(runner).has("api", "8", "new", observedGeneration="2", **{"workloadObservedGeneration": "2"} | status)
    done = runner.run("deploy.sh", check=False)
    assert (done.returncode == 0) == passes
    assert ("::error::api did not become ready" in done.stdout) != passes


@needs_kubectl
def test_a_progressive_rollout_goes_back_by_its_deployment(tmp_path: Path) -> None:
    runner = Runner(tmp_path, "backend-only", {"ENVIRONMENT": "production", "ROLLOUT_SECONDS": "2"})
    runner.digests()
    cluster = Cluster(runner)
    cluster.has("api", "7", "old", phase="Degraded", observedGeneration="2", workloadObservedGeneration="2")
    assert runner.run("deploy.sh", check=False).returncode == 1
    healthy = {"phase": "Healthy", "stableRS": "b", "currentPodHash": "b"}
    cluster.has("api", "8", "new", observedGeneration="2", workloadObservedGeneration="2", **healthy)
    runner.run("rollback.sh")
    undone = [" ".join(c) for c in runner.calls("kubectl") if "undo" in c]
    assert undone == ["--namespace solo-production rollout undo deployment/api --to-revision 7"]


@needs_kubectl
def test_an_undo_that_fails_says_so(tmp_path: Path) -> None:
    runner = Runner(tmp_path, "mixed", {"ENVIRONMENT": "dev"})
    _empty_secrets(runner, "dev")
    runner.digests()
    cluster = Cluster(runner, rollout="exit 1")
    cluster.has("api", "7", "old")
    runner.run("deploy.sh", check=False)
    cluster.has("api", "8", "new")
    done = runner.run("rollback.sh", check=False)
    assert done.returncode == 1
    assert "::error::api could not go back to revision 7" in done.stdout


def migration_job(runner: Runner) -> dict[str, Any]:
    """The Job of a staging that something was deployed to."""
    runner.digests()
    released = runner.root / "k8s/overlays/staging/release/kustomization.yaml"
    released.write_text(runner.run("digests.sh", "component").stdout)
    runner.run("render.sh")
    [job] = [d for d in documents(runner.report("staging.yaml")) if d["kind"] == "Job"]
    return job


@needs_kubectl
def test_the_indexes_are_verified_by_the_image_that_migrated(tmp_path: Path) -> None:
    """Finding 6.3."""
    runner = Runner(tmp_path, "platform", {"ENVIRONMENT": "staging"})
    cluster = Cluster(runner)
    job = migration_job(runner)
    job["spec"]["template"]["metadata"]["labels"] |= {"batch.kubernetes.io/controller-uid": "u", "job-name": "j"}
    job["spec"]["selector"] = {"matchLabels": {"batch.kubernetes.io/controller-uid": "u"}}
    (cluster.folder / "job.json").write_text(json.dumps(job))
    runner.run("verify.sh")
    created = _json(cluster.folder / "created.json")
    assert created["metadata"] == {"name": "backend-verify"}
    assert "selector" not in created["spec"]
    [container] = created["spec"]["template"]["spec"]["containers"]
    [original] = job["spec"]["template"]["spec"]["containers"]
    assert container == original | {"args": ["verify"]}
    labels = created["spec"]["template"]["metadata"]["labels"]
    assert labels["app.kubernetes.io/name"] == "backend-migrate"  # what the network policies go by
    assert not [k for k in labels if "controller-uid" in k or "job-name" in k]


@needs_kubectl
def test_a_dropped_index_fails_the_deployment(tmp_path: Path) -> None:
    """Finding 6.3."""
    runner = Runner(tmp_path, "platform", {"ENVIRONMENT": "staging"})
    cluster = Cluster(runner, job="Failed")
    job = migration_job(runner)
    (cluster.folder / "job.json").write_text(json.dumps(job))
    done = runner.run("verify.sh", check=False)
    assert done.returncode == 1
    assert "::error::the database of backend in staging" in done.stdout
