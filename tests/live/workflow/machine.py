"""A machine for the jobs of a workflow: a container with what GitHub's has, on the network of this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import ROOT
from tests.live.engine import bases
from tests.live.engine.daemon import Engine

PROGRAMS = Path(__file__).parent / "programs"


@dataclass
class Machine:
    """`folder` has the same path inside and outside: scripts hand paths to the engine."""

    engine: Engine
    folder: Path
    container: str = "trimtab-runner"

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def standin(self) -> Path:
        """What the stand-in programs keep."""
        return self.folder / "standin"

    def start(self) -> None:
        for folder in (self.home, self.standin / "deployments", self.standin / "wheels"):
            folder.mkdir(parents=True, exist_ok=True)
        shutil.copytree(PROGRAMS, self.folder / "programs")
        kubectl = shutil.which("kubectl")
        assert kubectl, "no kubectl here"
        shutil.copy(Path(kubectl).resolve(), self.folder / "programs/kubectl")
        socket = (self.engine.host or os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock").removeprefix(
            "unix://"
        )
        self.stop()
        self.engine.docker(
            *("run", "--detach", "--init", "--name", self.container, "--network", "host"),
            *("--volume", f"{self.folder}:{self.folder}", "--volume", f"{socket}:/var/run/docker.sock"),
            bases.TOOLS["runner"],
        )

    def stop(self) -> None:
        self.engine.docker("rm", "--force", self.container, check=False)

    def run(self, script: str, folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
        """Run a step as GitHub does for `shell: bash`."""
        file = self.folder / f"step-{uuid.uuid4().hex}.sh"
        file.write_text(script)
        path = f"{self.folder}/programs:/usr/local/bin:/usr/bin:/bin"
        given = {"PATH": path, "HOME": str(self.home), "STANDIN": str(self.standin), "CI": "true"} | environment
        words = [word for name, value in given.items() for word in ("--env", f"{name}={value}")]
        shell = ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", str(file)]
        return self.engine.docker("exec", "--workdir", folder, *words, self.container, *shell, check=False)


def wheel(into: Path) -> None:
    """The program of this checkout, as it would be published."""
    command = ["pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(into), str(ROOT)]
    subprocess.run([sys.executable, "-m", *command], check=True, capture_output=True)
