"""A repository on a Git server, a registry, a runner and a cluster: what the emitted workflow runs against."""

from __future__ import annotations

import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.live.cluster.argocd import ArgoCd
from tests.live.cluster.cluster import Cluster
from tests.live.engine import bases
from tests.live.engine.daemon import Engine
from tests.live.platform.running import APPS
from tests.live.workflow.actions import git, perform, start_services
from tests.live.workflow.machine import Machine, wheel
from tests.live.workflow.simulated import Run
from tests.unit.outputs.github import MAIN, PULL_REQUEST, Event, tag

ENVIRONMENTS = ("staging", "production")


@dataclass
class Site:
    """The Git server's repository, a working copy of it, and what the workflow talks to."""

    machine: Machine
    folder: Path
    registry: str
    cluster: Cluster
    source: Path
    origin: Path
    executed: list[tuple[str, str]] = field(default_factory=list)
    runs: int = 0

    def commit(self, message: str) -> str:
        git(self.source, "add", "--all")
        git(self.source, "commit", "--quiet", "--allow-empty", "--message", message)
        git(self.source, "push", "--quiet", "origin", "HEAD")
        return git(self.source, "rev-parse", "HEAD")

    def workflow(self) -> dict[str, Any]:
        data: dict[str, Any] = yaml.safe_load((self.source / ".github/workflows/ci-cd.yml").read_text())
        return data

    def run(self, event: Event = MAIN, sha: str = "", **options: Any) -> Run:
        """Run the workflow of the working copy for an event, as GitHub would."""
        self.runs += 1
        sha = sha or git(self.source, "rev-parse", "HEAD")

        def record(job: str, result: str) -> None:
            if job.startswith("deploy-") and result != "skipped":
                accepted = {"success": "success", "failure": "failure"}[result]
                (self.machine.standin / "deployments" / f"{job.removeprefix('deploy-')}-{sha}").write_text(
                    accepted + "\n"
                )

        run = Run(
            workflow=self.workflow(),
            machine=self.machine,
            folder=self.folder / f"run-{self.runs}",
            event=event,
            sha=sha,
            origin=self.origin,
            actions=perform,
            services=start_services,
            variables={
                "KUBE_SERVER": self.cluster.server.url,
                "KUBE_CA": self.cluster.certificates.authority.read_text(),
                "KUBE_AUDIENCE": "",
                "TOKENS": self.cluster.tokens.url,
            },
            executed=self.executed,
            after=record,
            **options,
        )
        run.folder.mkdir()
        return run.go()

    def ask(self, environment: str, path: str) -> tuple[int, str]:
        code, body = self.cluster.front.answer(host(environment, self.source.parent.name), path)
        return code, body.decode()


def emit(machine: Machine, source: Path) -> None:
    """Generate the deployment files in a repository with the program as it would be published."""
    done = machine.run('uvx --python 3.14 --from "trimtab==0.1.0" trimtab init . --settings trimtab.yml', source, {})
    assert done.returncode == 0, done.stdout + done.stderr


def host(environment: str, delivery: str) -> str:
    return f"{environment}.{delivery}.test"


def settings(registry: str, delivery: dict[str, str]) -> dict[str, Any]:
    """The live platform without Next, which takes long and adds no step, and with two environments."""
    data: dict[str, Any] = yaml.safe_load((APPS / "platform/trimtab.yml").read_text())
    del data["services"]["site"]
    environments: dict[str, Any] = {name: {"host": host(name, delivery["mode"])} for name in ENVIRONMENTS}
    environments["production"]["approval"] = "required"
    return {**data, "registry": f"{registry}/team", "delivery": delivery, "environments": environments}


def repository(machine: Machine, folder: Path, data: dict[str, Any]) -> tuple[Path, Path]:
    """A working copy with the applications and the emitted files, and the bare repository that it pushes to."""
    source, origin = folder / "source", folder / "origin.git"
    folder.mkdir()
    shutil.copytree(APPS / "platform", source, ignore=shutil.ignore_patterns("site", "trimtab.yml"))
    (source / "trimtab.yml").write_text(yaml.safe_dump(data, sort_keys=False))
    (source / ".gitignore").write_text(".env\nreports/\ndigests/\n")
    emit(machine, source)
    origin.mkdir()
    git(origin, "init", "--quiet", "--bare", "--initial-branch", "main")
    git(source, "init", "--quiet", "--initial-branch", "main")
    git(source, "remote", "add", "origin", str(origin))
    return source, origin


@pytest.fixture(scope="package")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("workflow")


@pytest.fixture(scope="package")
def machine(engine: Engine, folder: Path) -> Iterator[Machine]:
    bases.provide_tools(engine)
    made = Machine(engine, folder)
    made.start()
    wheel(made.standin / "wheels")
    yield made
    made.stop()


@pytest.fixture(scope="package")
def registry(engine: Engine) -> Iterator[str]:
    """Debian's registry; its address is one that Docker takes without TLS."""
    engine.docker("rm", "--force", "trimtab-registry", check=False)
    engine.docker(
        "run", "--detach", "--name", "trimtab-registry", "--publish", "127.0.0.1::5000", bases.TOOLS["registry"]
    )
    port = engine.docker("port", "trimtab-registry", "5000").stdout.strip().rsplit(":", 1)[1]
    for _ in range(100):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/", timeout=1).close()
            break
        except OSError:
            time.sleep(0.1)
    yield f"localhost:{port}"
    engine.docker("rm", "--force", "--volumes", "trimtab-registry")


def new_site(machine: Machine, registry: str, folder: Path, delivery: dict[str, str]) -> Site:
    """A repository that delivers in one way, and an empty cluster with the roles that protect.sh makes."""
    place = folder / delivery["mode"]
    source, origin = repository(machine, place, settings(registry, delivery))
    cluster = new_cluster(machine.engine, place, source)
    with (machine.home / "authorities.pem").open("a") as bundle:
        bundle.write(cluster.certificates.authority.read_text())
    with (machine.home / ".curlrc").open("a") as curl:
        curl.write(f'cacert = "{machine.home}/authorities.pem"\n')
        for name in cluster.hosts:
            curl.write(f'connect-to = "{name}:443:127.0.0.1:{cluster.front.port}"\n')
    site = Site(machine, place, registry, cluster, source, origin)
    site.commit("The platform")
    for name in ENVIRONMENTS:
        cluster.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"live-{name}"}}])
        script = f"infrastructure/ci/protect.sh cluster {name}"
        done = machine.run(script, source, {"KUBECONFIG": str(cluster.kubeconfig)})
        assert done.returncode == 0, done.stdout + done.stderr
    return site


def new_cluster(engine: Engine, place: Path, source: Path) -> Cluster:
    manifests = []
    for name in ENVIRONMENTS:
        rendered = subprocess.run(
            ["kubectl", "kustomize", str(source / "k8s/overlays" / name)], capture_output=True, text=True, check=True
        )
        manifests += [d for d in yaml.safe_load_all(rendered.stdout) if d]
    return Cluster(engine, place, manifests, [host(name, place.name) for name in ENVIRONMENTS])


@pytest.fixture(scope="package")
def site(machine: Machine, registry: str, folder: Path) -> Iterator[Site]:
    made = new_site(machine, registry, folder, {"mode": "kubectl"})
    yield made
    made.cluster.close()


CHECKS = ("lint-", "test-", "migrations", "manifests")


def checks(site: Site) -> frozenset[str]:
    """The jobs before `build`, for runs that are about what comes after."""
    return frozenset(name for name in site.workflow()["jobs"] if name.startswith(CHECKS))


@pytest.fixture(scope="package")
def pushed(site: Site) -> Run:
    """The first push to main: every job, and a deployment to staging."""
    return site.run()


@pytest.fixture(scope="package")
def released(site: Site, pushed: Run) -> Run:
    """A tag on the commit that staging runs: its digests get the version, and production gets the digests."""
    git(site.source, "tag", "v1.2.3", pushed.sha)
    git(site.source, "push", "--quiet", "origin", "v1.2.3")
    return site.run(tag("v1.2.3"), pushed.sha)


@pytest.fixture(scope="package")
def reviewed(site: Site, pushed: Run) -> Run:
    """A pull request that changes one service."""
    git(site.source, "checkout", "--quiet", "-b", "change", pushed.sha)
    replace(site, "board/server.js", "// Express", "// The board: Express")
    site.commit("A change")
    git(site.source, "checkout", "--quiet", "--detach", pushed.sha)
    git(site.source, "merge", "--quiet", "--no-ff", "--message", "Merge", "change")
    git(site.source, "push", "--quiet", "origin", "HEAD:refs/pull/7/merge")
    run = site.run(PULL_REQUEST)
    git(site.source, "checkout", "--quiet", "main")
    return run


@pytest.fixture(scope="package")
def broken(site: Site, pushed: Run, released: Run) -> Iterator[Run]:
    """A push whose image never gets ready."""
    replace(site, "board/server.js", 'answer.send("ok")', 'answer.status(500).send("broken")')
    site.commit("A service that is never ready")
    patience, site.cluster.controllers.patience = site.cluster.controllers.patience, 12
    yield site.run(skip=checks(site))
    site.cluster.controllers.patience = patience
    git(site.source, "revert", "--no-edit", "HEAD")
    git(site.source, "push", "--quiet", "origin", "HEAD")


def replace(site: Site, path: str, old: str, new: str) -> None:
    text = (site.source / path).read_text()
    assert old in text
    (site.source / path).write_text(text.replace(old, new))


# --- GitOps -----------------------------------------------------------------------------------------------------------


@dataclass
class Followed:
    """A repository that Argo CD follows, and the run that released to it."""

    site: Site
    argocd: ArgoCd
    run: Run


@pytest.fixture(scope="package")
def followed(machine: Machine, registry: str, folder: Path, pushed: Run) -> Iterator[Followed]:
    """The digests of the first push, released to staging by a commit."""
    site = new_site(machine, registry, folder, {"mode": "gitops", "engine": "argocd", "strategy": "rolling"})
    git(site.origin, "branch", "deploy/staging", "main")
    argocd = ArgoCd(site.cluster, site.origin, "live-staging", "staging")
    yield Followed(site, argocd, release_by_commit(site, pushed.artifacts))
    argocd.stop()
    site.cluster.close()


@pytest.fixture(scope="package")
def reverted(followed: Followed, broken: Run) -> Run:
    """The digests of the image that never gets ready, released by a commit that is then reverted."""
    followed.site.cluster.controllers.patience = 12
    return release_by_commit(followed.site, broken.artifacts)


def release_by_commit(site: Site, artifacts: dict[str, Path]) -> Run:
    """The end of a run: what comes before is the same as with kubectl."""
    before = checks(site) | {"drift", "changes", "build", "scan", "sign"}
    digests = {name: path for name, path in artifacts.items() if name.startswith("digest-")}
    return site.run(skip=before, artifacts=digests)
