"""Every linter that users run, over a generated tree: `python -m tests.lint FOLDER...`.

A linter that is not installed is named, never passed over in silence. Exit 1 if any linter complains.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
KUBERNETES = "1.36"
# Custom resources have no schema in kubernetes-validate; tests/unit/outputs holds them against their own CRDs.
_CUSTOM = re.compile(
    r"Couldn't find schema for kind \w+ with api version "
    r"(argoproj\.io|bitnami\.com|cert-manager\.io|external-secrets\.io|gateway\.networking\.k8s\.io|keda\.sh"
    r"|monitoring\.coreos\.com|\w+\.toolkit\.fluxcd\.io)/"
)


class Missing(Exception):  # noqa: N818 - no fault of the tree
    """A linter that is not installed."""


def program(name: str) -> str:
    """The path of a linter: beside this Python, in checkov's own environment, or on PATH."""
    beside = Path(sys.executable).parent
    for folder in (beside, ROOT / ".venv-checkov" / "bin"):
        if (folder / name).exists():
            return str(folder / name)
    if found := shutil.which(name):
        return found
    raise Missing(f"{name} is not installed")


def run(*command: str, folder: Path, stdin: str = "", env: dict[str, str] | None = None) -> list[str]:
    """Run a linter; what it printed if it failed, else nothing."""
    done = subprocess.run(
        command, cwd=folder, input=stdin, capture_output=True, text=True, check=False, env={**os.environ, **(env or {})}
    )
    if done.returncode == 0:
        return []
    return (done.stdout + done.stderr).strip().splitlines() or [f"{command[0]}: exit {done.returncode}"]


def files(folder: Path, *patterns: str) -> list[str]:
    """Paths of files relative to the folder."""
    return sorted({p.relative_to(folder).as_posix() for g in patterns for p in folder.rglob(g) if p.is_file()})


def compose(folder: Path) -> list[str]:
    """`docker compose config`, with and without the development file, with stand-ins for secrets."""
    docker = program("docker")
    if run(docker, "compose", "version", folder=folder):
        raise Missing("the compose plugin of docker is not installed")
    with tempfile.NamedTemporaryFile("w", suffix=".env") as env:
        env.write(re.sub(r"(?m)^(\w+)=$", r"\1=0123456789abcdef", (folder / ".env.example").read_text()))
        env.flush()
        base = [docker, "compose", "--env-file", env.name, "-f", "docker-compose.yml"]
        found = run(*base, "config", "-q", folder=folder)
        if (folder / "docker-compose.dev.yml").exists():
            found += run(*base, "-f", "docker-compose.dev.yml", "config", "-q", folder=folder)
    return found


def compose_schema(folder: Path) -> list[str]:
    """The Compose specification's own schema."""
    return run(
        program("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", *files(folder, "docker-compose*.yml"),
        folder=folder,
    )  # fmt: skip


def workflow_schema(folder: Path) -> list[str]:
    """The published schema of the CI system."""
    check = program("check-jsonschema")
    paths = files(folder, ".github/workflows/*.yml")
    if paths:
        return run(check, "--builtin-schema", "vendor.github-workflows", *paths, folder=folder)
    gitlab = ["--builtin-schema", "vendor.gitlab-ci", "--data-transform", "gitlab-ci"]
    return run(check, *gitlab, ".gitlab-ci.yml", folder=folder)


def workflow(folder: Path) -> list[str]:
    """Actionlint, where there is a GitHub workflow."""
    paths = files(folder, ".github/workflows/*.yml")
    return run(program("actionlint"), "-no-color", *paths, folder=folder) if paths else []


def workflow_security(folder: Path) -> list[str]:
    """Zizmor, in its most demanding persona, where there is a GitHub workflow."""
    command = [program("zizmor"), "--offline", "--persona", "pedantic", "--quiet", "."]
    return run(*command, folder=folder) if files(folder, ".github/workflows/*.yml") else []


def dockerfiles(folder: Path) -> list[str]:
    """Hadolint."""
    paths = [p for p in files(folder, "Dockerfile*") if not p.endswith(".dockerignore")]
    return run(program("hadolint"), "--no-color", *paths, folder=folder)


def scripts(folder: Path) -> list[str]:
    """Shellcheck."""
    paths = files(folder, "*.sh")
    return run(program("shellcheck"), "--external-sources", *paths, folder=folder) if paths else []


def yaml_style(folder: Path) -> list[str]:
    """Yamllint, with the configuration that the tree brings."""
    return run(program("yamllint"), "--strict", "--format", "parsable", ".", folder=folder)


def manifests(folder: Path) -> list[str]:
    """`kubectl kustomize` of every overlay, and the strict schemas of Kubernetes; a warning is a failure."""
    kubectl, validate = program("kubectl"), program("kubernetes-validate")
    found = []
    for overlay in sorted((folder / "k8s" / "overlays").glob("*")):
        done = subprocess.run([kubectl, "kustomize", str(overlay)], capture_output=True, text=True, check=False)
        if done.returncode or done.stderr:
            found += [f"{overlay.name}: {line}" for line in done.stderr.splitlines()]
            continue
        checked = subprocess.run(
            [validate, "-k", KUBERNETES, "--strict", "-"],
            input=done.stdout,
            capture_output=True,
            text=True,
            check=False,
        )
        lines = (checked.stdout + checked.stderr).splitlines()
        found += [f"{overlay.name}: {x}" for x in lines if not x.startswith("INFO") and not _CUSTOM.search(x)]
    return found


def security(folder: Path) -> list[str]:
    """Checkov, over the files and over the manifests as kustomize renders them."""
    checkov = program("checkov")
    kubectl = shutil.which("kubectl")
    with tempfile.TemporaryDirectory() as name:
        for overlay in sorted((folder / "k8s" / "overlays").glob("*")) if kubectl else []:
            text = subprocess.run(
                [str(kubectl), "kustomize", str(overlay)], capture_output=True, text=True, check=False
            ).stdout
            Path(name, f"{overlay.name}.yaml").write_text(text)
        for source in files(folder, "Dockerfile*", ".github/workflows/*.yml", ".gitlab-ci.yml"):
            target = Path(name, source)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(folder / source, target)
        frameworks = ["dockerfile", "github_actions", "gitlab_ci", "kubernetes"]
        return run(
            checkov, "--directory", name, "--framework", *frameworks, "--skip-download", "--quiet", "--compact",
            folder=Path(name), env={"PYTHONWARNINGS": "ignore", "LOG_LEVEL": "ERROR"},
        )  # fmt: skip


@dataclass(frozen=True)
class Linter:
    """A linter by the name under which results are shown."""

    name: str
    check: Callable[[Path], list[str]]


LINTERS = [
    Linter("compose", compose),
    Linter("compose-schema", compose_schema),
    Linter("workflow-schema", workflow_schema),
    Linter("actionlint", workflow),
    Linter("zizmor", workflow_security),
    Linter("hadolint", dockerfiles),
    Linter("shellcheck", scripts),
    Linter("yamllint", yaml_style),
    Linter("kubernetes", manifests),
    Linter("checkov", security),
]


def results(folder: Path) -> Iterator[tuple[str, str]]:
    """Each linter's name and verdict: `clean`, `skipped: reason`, or its complaints."""
    for linter in LINTERS:
        try:
            found = linter.check(folder)
        except Missing as reason:
            yield linter.name, f"skipped: {reason}"
            continue
        yield linter.name, "\n".join(found) or "clean"


def main(folders: list[str]) -> int:
    """Lint each folder, print a line per linter; 1 if any complains."""
    bad = False
    for folder in folders:
        print(folder)
        for name, verdict in results(Path(folder).resolve()):
            failed = verdict != "clean" and not verdict.startswith("skipped: ")
            bad = bad or failed
            print(f"  {name:16} {verdict if not failed else 'FAILED'}")
            if failed:
                print("\n".join(f"    {line}" for line in verdict.splitlines()[:40]))
    return int(bad)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
