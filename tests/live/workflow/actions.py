"""What GitHub's own actions do, as far as scripts notice: real git, real builds and pushes, folders for artifacts."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.live.engine.daemon import Engine
from tests.live.workflow.simulated import Job

Inputs = dict[str, Any]
# They install what the machine has, or report to GitHub.
NOTHING_TO_DO = {
    "astral-sh/setup-uv",
    "actions/setup-node",
    "Swatinem/rust-cache",
    "taiki-e/install-action",
    "docker/setup-buildx-action",
    "docker/login-action",
    "actions/cache",
    "sigstore/cosign-installer",
    "github/codeql-action/upload-sarif",
}


def perform(job: Job, uses: str, inputs: Inputs) -> dict[str, str]:
    """Do what `uses` names. Returns the outputs of the step; raises AssertionError where the action would fail."""
    name = uses.split("@", maxsplit=1)[0]
    if name in NOTHING_TO_DO:
        return {}
    return _ACTIONS[name](job, inputs) or {}


def _checkout(job: Job, inputs: Inputs) -> None:
    depth = inputs.get("fetch-depth", 1)
    options = [f"--depth={depth}"] if depth else []
    here, origin = job.folder, job.run.origin.as_uri()
    git(here, "init", "--quiet", "--initial-branch", "main")
    git(here, "remote", "add", "origin", origin)
    git(here, "fetch", "--quiet", *options, "origin", f"+{job.run.sha}:refs/remotes/origin/it")
    if not depth:
        git(here, "fetch", "--quiet", "--tags", "origin", "+refs/heads/*:refs/remotes/origin/*")
    git(here, "checkout", "--quiet", "--detach", job.run.sha)


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"git {' '.join(arguments)}: {done.stderr}"
    return done.stdout.strip()


def _build_push(job: Job, inputs: Inputs) -> dict[str, str] | None:
    """The classic image store cannot push by digest, so the push is one of a tag that nothing else names.

    With provenance and SBOM what GitHub's machine pushes is an index; here an index is made of the one manifest.
    """
    engine, out = job.run.machine.engine, inputs.get("outputs", "")
    asked = dict(part.split("=", 1) for part in out.split(",") if "=" in part)
    tag = inputs.get("tags") or f"{asked['name']}:build-{job.run.event.name}"
    words = ["--file", inputs["file"], "--tag", tag]
    words += ["--target", inputs["target"]] if inputs.get("target") else []
    words += [w for line in (inputs.get("labels") or "").splitlines() for w in ("--label", line)]
    engine.docker("buildx", "build", "--load", *words, inputs["context"], cwd=job.folder)
    if asked.get("type") == "docker":
        engine.docker("save", "--output", asked["dest"], tag)
    if asked.get("push") != "true":
        return None
    assert asked["push-by-digest"] == "true"
    pushed = engine.docker("push", tag).stdout
    digest = re.search(r"digest: (sha256:[0-9a-f]{64})", pushed)
    assert digest, pushed
    engine.docker("buildx", "imagetools", "create", "--tag", tag, f"{asked['name']}@{digest[1]}")
    index = engine.docker("buildx", "imagetools", "inspect", tag, "--format", "{{json .Manifest}}").stdout
    return {"digest": json.loads(index)["digest"]}


def _upload(job: Job, inputs: Inputs) -> None:
    path = job.folder / inputs["path"]
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        assert inputs["if-no-files-found"] != "error", f"nothing at {inputs['path']}"
        return
    target = job.run.folder / "artifacts" / inputs["name"]
    shutil.rmtree(target, ignore_errors=True)
    if path.is_dir():
        shutil.copytree(path, target)
    else:
        target.mkdir(parents=True)
        shutil.copy(path, target)
    job.run.artifacts[inputs["name"]] = target


def _download(job: Job, inputs: Inputs) -> None:
    if "name" in inputs:
        found = [job.run.artifacts[inputs["name"]]]
    else:
        found = [p for n, p in sorted(job.run.artifacts.items()) if n.startswith(inputs["pattern"].removesuffix("*"))]
    for source in found:
        shutil.copytree(source, job.folder / inputs["path"], dirs_exist_ok=True)


def _trivy(job: Job, inputs: Inputs) -> None:
    """No database of vulnerabilities is reachable: that the image can be had is all that is proved."""
    engine = job.run.machine.engine
    if inputs["input"]:
        assert "Loaded" in engine.docker("load", "--input", job.folder / inputs["input"]).stdout
    else:
        engine.docker("pull", "--quiet", inputs["image-ref"])
    (job.folder / inputs["output"]).write_text(json.dumps({"version": "2.1.0", "runs": []}))


_ACTIONS: dict[str, Callable[[Job, Inputs], dict[str, str] | None]] = {
    "actions/checkout": _checkout,
    "docker/build-push-action": _build_push,
    "actions/upload-artifact": _upload,
    "actions/download-artifact": _download,
    "aquasecurity/trivy-action": _trivy,
}


def published(engine: Engine) -> set[str]:
    """The containers with a port of this machine."""
    return {*engine.docker("ps", "--quiet", "--filter", "publish=1-65535").stdout.split()}


def start_services(job: Job, services: dict[str, Any]) -> Callable[[], None]:
    """The service containers of a job, healthy; returns what stops them."""
    engine = job.run.machine.engine
    before = published(engine)
    for name, service in services.items():
        container = f"trimtab-service-{name}"
        engine.docker("rm", "--force", container, check=False)
        words = [w for n, v in service["env"].items() for w in ("--env", f"{n}={v}")]
        words += [w for port in service["ports"] for w in ("--publish", f"127.0.0.1:{port}")]
        options = re.findall(r'"[^"]*"|\S+', service["options"])
        engine.docker(
            "run", "--detach", "--name", container, *words, *[o.strip('"') for o in options], service["image"]
        )
        for _ in range(120):
            shown = engine.docker("inspect", "--format", "{{.State.Health.Status}}", container).stdout.strip()
            if shown == "healthy":
                break
            subprocess.run(["sleep", "0.5"], check=True)
        else:
            raise AssertionError(f"{name} is not healthy")

    def stop() -> None:
        """Also what steps have started: GitHub's machine ends with the job."""
        left = published(engine) - before
        if left:
            engine.docker("rm", "--force", "--volumes", *left)

    return stop
