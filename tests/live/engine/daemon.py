"""A Docker engine to test on: the one that runs here, else one of our own with stand-ins for the upstream images."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

HOME = Path(os.environ.get("TRIMTAB_LIVE_HOME", "/var/lib/trimtab-live"))
_RUN = Path("/run/trimtab-live")


class UnavailableError(Exception):
    """There is no engine to test on; the message says why, and what to do."""


@dataclass
class Engine:
    """How to talk to an engine. `process` is the daemon where it is ours, and then images are stand-ins."""

    host: str | None = None
    process: subprocess.Popen[bytes] | None = None
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def is_ours(self) -> bool:
        return self.host is not None

    def docker(self, *arguments: str | Path, check: bool = True, **options: object) -> subprocess.CompletedProcess[str]:
        """Run the docker command; its output is in the error message when it fails."""
        environment = {**os.environ, **self.environment, **(options.pop("env", None) or {})}  # type: ignore[dict-item]
        done: subprocess.CompletedProcess[str] = subprocess.run(  # type: ignore[call-overload]
            ["docker", *map(str, arguments)], text=True, capture_output=True, check=False, env=environment, **options
        )
        if check and done.returncode:
            shown = " ".join(map(str, arguments))
            raise AssertionError(f"docker {shown}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def version(self) -> str:
        return self.docker("version", "--format", "{{.Server.Version}}").stdout.strip()

    def stop(self) -> None:
        """End the daemon if it is ours, also one that an earlier, killed run has left."""
        if self.process:
            self.process.terminate()
            self.process.wait(60)
        elif self.is_ours and (_RUN / "docker.pid").exists():
            os.kill(int((_RUN / "docker.pid").read_text()), signal.SIGTERM)


def find() -> Engine:
    """The engine that runs here, or a new one of ours. Raises UnavailableError."""
    if shutil.which("docker") is None:
        raise UnavailableError("there is no docker command (tests/live/engine/install.sh installs it on Debian)")
    for plugin in ("compose", "buildx"):
        if subprocess.run(["docker", plugin, "version"], capture_output=True, check=False).returncode:
            raise UnavailableError(
                f"docker has no {plugin} plugin (tests/live/engine/install.sh installs it on Debian)"
            )
    if subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0:
        return Engine()
    return _start()


def _start() -> Engine:
    """A daemon with a socket and a data folder of its own: nothing of the user's engine is touched."""
    if os.name != "posix" or os.geteuid() != 0:
        raise UnavailableError("no Docker engine answers, and only root can start one")
    for program in ("dockerd", "debootstrap"):
        if shutil.which(program) is None:
            raise UnavailableError(f"no Docker engine answers, and {program} is missing (tests/live/engine/install.sh)")
    HOME.mkdir(parents=True, exist_ok=True)
    _RUN.mkdir(parents=True, exist_ok=True)
    host = f"unix://{_RUN}/docker.sock"
    engine = Engine(host, environment={"DOCKER_HOST": host, "DOCKER_BUILDKIT": "1"})
    if engine.docker("info", check=False).returncode == 0:
        return engine  # an earlier run was killed, and left it
    with (HOME / "dockerd.log").open("ab") as log:
        engine.process = subprocess.Popen(
            [
                *("dockerd", "--host", host, "--data-root", str(HOME / "data"), "--exec-root", str(_RUN / "exec")),
                *("--pidfile", str(_RUN / "docker.pid")),
            ],
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    deadline = time.monotonic() + 60
    while engine.docker("info", check=False).returncode:
        if engine.process.poll() is not None or time.monotonic() > deadline:
            tail = (HOME / "dockerd.log").read_text(errors="replace").splitlines()[-3:]
            raise UnavailableError("the Docker daemon does not start: " + " / ".join(tail))
        time.sleep(0.5)
    return engine
