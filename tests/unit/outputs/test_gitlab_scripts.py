"""The scripts of infrastructure/ci in a simulated GitLab job: what they call, and what they leave behind."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path

import pytest

from tests.unit.outputs.runner import REAL, SHA, Runner
from tests.unit.outputs.test_workflow_gitops import BRANCH, again, git, job
from tests.unit.outputs.test_workflow_scripts import Registry

pytestmark = pytest.mark.skipif(not REAL["jq"], reason="jq is not installed")
DIGEST = f"sha256:{1:064x}"


def built(tmp_path: Path) -> Runner:
    """A runner whose Docker builds anything, and says with which digest."""
    runner = Runner(tmp_path, "gitlab")
    metadata = json.dumps({"containerimage.digest": DIGEST})
    runner.fake(
        "docker",
        "[[ $2 != inspect && $3 != inspect ]] || exit 1\n"
        f"cat > /dev/null; echo '{metadata}' > {runner.temp}/built.json",
    )
    return runner


def test_an_image_of_main_is_pushed_by_digest_with_its_origin(tmp_path: Path) -> None:
    runner = built(tmp_path)
    runner.run("docker.sh", "build", "api-migrate")
    [build] = [c for c in runner.calls("docker") if c[:2] == ["buildx", "build"]]
    image = "registry.gitlab.com/acme/depot/depot-api-migrate"
    assert (
        build[build.index("--output") + 1]
        == f"type=image,name={image},push-by-digest=true,name-canonical=true,push=true"
    )
    assert build[build.index("--target") + 1] == "migrate"
    assert build[build.index("--file") + 1] == "infrastructure/docker/Dockerfile.api"
    assert build[build.index("--sbom") + 1] == "true"
    assert f"org.opencontainers.image.version={SHA}" in build
    assert build[build.index("--provenance") + 1] == "mode=max"
    recorded = json.loads((runner.root / "digests/api-migrate.json").read_text())
    assert recorded == {"name": "api-migrate", "image": image, "digest": DIGEST}


def test_a_merge_request_pushes_nothing_and_logs_in_nowhere(tmp_path: Path) -> None:
    runner = built(tmp_path)
    runner.run("docker.sh", "build", "web", CI_MERGE_REQUEST_IID="7")
    [build] = [c for c in runner.calls("docker") if c[:2] == ["buildx", "build"]]
    assert f"dest={runner.root}/built/image.tar" in build[build.index("--output") + 1]
    assert not [c for c in runner.calls("docker") if c[0] == "login" or "push=true" in " ".join(c)]
    assert not (runner.root / "digests").exists()


def test_an_image_that_is_none_is_refused(tmp_path: Path) -> None:
    done = built(tmp_path).run("docker.sh", "build", "nobody", check=False)
    assert done.returncode == 1
    assert "nobody is no image of platform.json" in done.stdout


@pytest.mark.parametrize(
    ("more", "user"),
    [
        ({}, "gitlab-ci-token"),
        ({"CI_REGISTRY": "other", "REGISTRY_USERNAME": "robot", "REGISTRY_PASSWORD": "p"}, "robot"),
    ],
)
def test_the_registrys_own_password_is_used_and_in_no_argument_list(
    tmp_path: Path, more: dict[str, str], user: str
) -> None:
    runner = built(tmp_path)
    runner.run("docker.sh", "login", **more)
    assert runner.calls("docker") == [["login", "--username", user, "--password-stdin", "registry.gitlab.com"]]


def test_a_registry_without_a_password_says_what_to_set(tmp_path: Path) -> None:
    done = built(tmp_path).run("docker.sh", "login", check=False, CI_REGISTRY="other")
    assert done.returncode == 1
    assert "set REGISTRY_USERNAME and REGISTRY_PASSWORD" in done.stdout


@pytest.mark.parametrize("request_", [True, False], ids=["merge request", "main"])
def test_a_scan_reads_what_was_built_and_reports_before_it_fails(tmp_path: Path, request_: bool) -> None:
    runner = Runner(tmp_path, "gitlab")
    runner.fake("trivy", 'case "$*" in *--exit-code\\ 1*) exit 1 ;; esac')
    if request_:
        (runner.root / "built").mkdir()
        (runner.root / "built/image.tar").touch()
    else:
        runner.run("digests.sh", "record", "web", "registry.gitlab.com/acme/depot/depot-web", DIGEST)
    assert runner.run("scan.sh", "report.json", check=False).returncode == 1
    report, verdict = runner.calls("trivy")
    what = (
        ["--input", f"{runner.root}/built/image.tar"]
        if request_
        else [f"registry.gitlab.com/acme/depot/depot-web@{DIGEST}"]
    )
    assert report[1:] == [
        *("--format", "template", "--template", "@/contrib/gitlab.tpl", "--output", "report.json", "--exit-code", "0"),
        *what,
    ]
    assert verdict == ["image", "--exit-code", "1", *what]


def test_migrations_know_the_database_by_the_address_of_the_jobs_service(tmp_path: Path) -> None:
    runner = Runner(
        tmp_path, "gitlab", {"SERVICE": "api", "IMAGE": "migrate:ci", "DATABASE_URL": "postgresql://u:p@postgres/d"}
    )
    runner.fake("getent", "[[ $2 == postgres ]] && echo '172.17.0.3      postgres'")
    runner.fake("docker", f'printf "## %s\\n" "${{@: -1}}" >> {runner.root}/reports/migrations.md')
    runner.run("migrations.sh", "up", "verify")
    for call in runner.calls("docker"):
        assert call[call.index("--add-host") + 1] == "postgres:172.17.0.3"
    assert runner.summary() == "## verify\n"


def test_the_cluster_gets_the_identity_of_the_job(tmp_path: Path) -> None:
    runner = Runner(tmp_path, "gitlab")
    claims = base64.urlsafe_b64encode(json.dumps({"exp": 1800000000}).encode()).decode().rstrip("=")
    credential = json.loads(runner.run("kube-token.sh", KUBE_ID_TOKEN=f"head.{claims}.signature").stdout)
    assert credential["status"] == {"token": f"head.{claims}.signature", "expirationTimestamp": "2027-01-15T08:00:00Z"}
    done = runner.run("kube-token.sh", check=False)
    assert done.returncode != 0
    assert "id_tokens" in done.stderr


@pytest.mark.parametrize(("commit", "passes"), [(SHA, True), ("f" * 40, False)])
def test_a_release_takes_what_staging_accepted_and_pipeline_signed(tmp_path: Path, commit: str, passes: bool) -> None:
    environment = {"CI_COMMIT_REF_NAME": "v1.2.3", "ACCEPTED_BY": "staging", "WAIT_SECONDS": "0"}
    runner = Runner(tmp_path, "gitlab", environment)
    runner.commit()
    registry = Registry(runner)
    for number, image in enumerate(runner.facts()["images"]):
        registry.push(image["image"], SHA, f"sha256:{number + 1:064x}")
    runner.fake("curl", f'cat > {tmp_path}/asked; echo \'[{{"sha": "{commit}"}}]\'')
    done = runner.run("release.sh", check=False)
    assert (done.returncode == 0) == passes, done.stdout
    assert ("staging has not accepted commit" in done.stdout) != passes
    asked = (tmp_path / "asked").read_text()
    assert "JOB-TOKEN: job-token" in asked
    assert "/projects/7/deployments?environment=staging&status=success" in asked
    assert "job-token" not in json.dumps(runner.calls("curl"))
    [verify] = {tuple(c[1:5]) for c in runner.calls("cosign")}
    assert verify == (
        "--certificate-identity",
        "https://gitlab.com/acme/shop//.gitlab-ci.yml@refs/heads/main",
        "--certificate-oidc-issuer",
        "https://gitlab.com",
    )
    assert bool([t for t in registry.tags() if t.endswith(":1.2.3")]) == passes


@pytest.mark.skipif(not REAL["kubectl"], reason="kubectl is not installed")
def test_a_gitops_release_is_a_commit_and_its_undo_another(tmp_path: Path) -> None:
    runner, _, origin = job(tmp_path, "flux-six-gitlab")
    runner.run("gitops.sh", "release")
    subject = git(origin, "show", "--no-patch", "--format=%s|%an|%ae", BRANCH)
    assert subject == "Release main to staging|Release pipeline|noreply@gitlab.com"
    later, _ = again(runner, origin, tmp_path / "again")
    later.run("gitops.sh", "release")
    later.run("gitops.sh", "undo")
    assert git(origin, "rev-list", "--count", BRANCH) == "4"


@pytest.mark.skipif(not REAL["kubectl"], reason="kubectl is not installed")
def test_a_deploy_key_goes_to_a_host_that_is_known(tmp_path: Path) -> None:
    runner, _, origin = job(tmp_path, "flux-six-gitlab")
    runner.fake("ssh", f"command=${{@: -1}}; exec ${{command%% *}} {origin}")
    key, hosts = tmp_path / "key", tmp_path / "hosts"
    key.write_text("private")
    hosts.write_text("gitlab.com ssh-ed25519 AAAA")
    refused = runner.run("gitops.sh", "release", check=False, RELEASE_DEPLOY_KEY=str(key))
    assert refused.returncode != 0
    assert "SSH_KNOWN_HOSTS" in refused.stderr
    runner.run("gitops.sh", "release", RELEASE_DEPLOY_KEY=str(key), SSH_KNOWN_HOSTS=str(hosts))
    call = runner.calls("ssh")[-1]
    copy = runner.temp / "deploy-state/deploy-key"
    assert copy.stat().st_mode & 0o777 == 0o600
    assert call[call.index("-i") + 1] == str(copy)
    assert f"UserKnownHostsFile={hosts}" in call
    assert "StrictHostKeyChecking=yes" in call
    assert git(origin, "rev-list", "--count", BRANCH) == "2"


def programs(tmp_path: Path, *names: str, distribution: str) -> list[list[str]]:
    """What programs.sh installs in an image that has nothing but a shell."""
    runner = Runner(tmp_path, "gitlab")
    bare = tmp_path / "bare"
    bare.mkdir()
    for program in ("sh", "bash", "jq", "cat"):
        (bare / program).symlink_to(str(REAL.get(program) or f"/bin/{program}"))
    has = {"alpine": ["apk"], "debian": ["apt-get", "apt-cache"], "ubuntu": ["apt-get", "apt-cache"]}[distribution]
    for name in has:
        runner.fake(name, f"[[ $0 != */apt-cache || {distribution} == debian ]]")
    script = runner.root / "infrastructure/ci/programs.sh"
    subprocess.run(["/bin/sh", str(script), *names], env={"PATH": f"{runner.bin}:{bare}"}, check=True)
    return runner.calls("apk") + [c for c in runner.calls("apt-get") if c[0] == "install"]


def test_what_an_image_lacks_is_installed_by_its_own_packages(tmp_path: Path) -> None:
    assert programs(tmp_path / "a", "bash", "jq", distribution="alpine") == []
    alpine = programs(tmp_path / "b", "bash", "git", "ssh", distribution="alpine")
    assert [c[-1] for c in alpine] == ["git", "openssh-client"]
    [debian] = programs(tmp_path / "c", "git", "docker", distribution="debian")
    assert debian[-4:] == ["ca-certificates", "git", "docker-cli", "docker-buildx"]
    [ubuntu] = programs(tmp_path / "d", "docker", distribution="ubuntu")
    assert ubuntu[-2:] == ["docker.io", "docker-buildx"]
