"""A platform that runs: emitted files, unchanged, around the small applications of tests/live/apps."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.conftest import ROOT
from tests.live.engine import bases
from tests.live.engine.daemon import Engine
from trimtab.engine import Template
from trimtab.local_env import write_env
from trimtab.output import Folder

APPS = ROOT / "tests" / "live" / "apps"


@dataclass(frozen=True)
class Answer:
    status: int
    text: str


@dataclass
class Running:
    """A folder with a platform in it, and the engine that runs it."""

    engine: Engine
    folder: Path
    files: tuple[str, ...] = ()
    ports: dict[str, int] = field(default_factory=dict)

    def compose(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        chosen = [word for file in self.files for word in ("--file", file)]
        return self.engine.docker("compose", *chosen, *arguments, check=check, cwd=self.folder)

    def run_in(self, service: str, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command in the container of a service."""
        return self.compose("exec", "-T", service, *command, check=check)

    def inspect(self, service: str) -> dict[str, Any]:
        identity = self.compose("ps", "--all", "--quiet", service).stdout.strip()
        (data,) = yaml.safe_load(self.engine.docker("inspect", identity).stdout)
        found: dict[str, Any] = data
        return found

    def get(
        self,
        path: str,
        *,
        method: str = "GET",
        timeout: float = 20,
        port: str = "GATEWAY_HOST_PORT",
        headers: dict[str, str] | None = None,
        data: bytes | None = None,
    ) -> Answer:
        """What the gateway answers, or another published port."""
        url = f"http://127.0.0.1:{self.ports[port]}{path}"
        request = urllib.request.Request(url, data, headers or {}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                return Answer(answer.status, answer.read().decode())
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.read().decode())

    def replace(self, path: str, old: str, new: str) -> None:
        """Edit a source file in place, as an editor would."""
        text = (self.folder / path).read_text()
        assert old in text
        (self.folder / path).write_text(text.replace(old, new))


def laid_out(engine: Engine, app: str, folder: Path) -> Running:
    """Emit the files of an application's settings around its source, and its .env beside them."""
    shutil.copytree(APPS / app, folder)
    text = (folder / "trimtab.yml").read_bytes()
    template, settings = Template(ROOT), yaml.safe_load(text)
    digests = {image: bases.tag_of(image) for image in bases.pins().values() if engine.is_ours and "@" in image}
    for path, file in template.render(settings, {}, text).items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        content = file.content
        for image, tagged in digests.items():  # a stand-in cannot have the digest of the original
            content = content.replace(image.encode(), tagged.encode())
        target.write_bytes(content)
        target.chmod(0o755 if file.executable else 0o644)
    local = template.context(settings, {})["project"]["local"]
    secrets = {name for s in local["services"] for name in s["own_secrets"]}
    write_env(folder, Folder(folder), secrets | {d["password_variable"] for d in local["datastores"]})
    running = Running(engine, folder)
    env = (folder / ".env").read_text()
    for name in re.findall(r"^(\w+_HOST_PORT)=", env, re.MULTILINE):
        running.ports[name] = _free_port()
        env = re.sub(rf"^{name}=.*$", f"{name}={running.ports[name]}", env, flags=re.MULTILINE)
    (folder / ".env").write_text(env)
    for parent in [folder, *folder.parents]:  # containers read mounted source as users of their own
        if parent.is_relative_to("/tmp"):
            parent.chmod(parent.stat().st_mode | 0o055)
    return running


def becomes(ask: Callable[[], bool], seconds: float = 40) -> bool:
    """Ask until it is so. A service that is on its way back may refuse the connection."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if ask():
                return True
        except OSError:
            pass  # it restarts
        time.sleep(0.5)
    return False


def running_services(platform: Running) -> list[str]:
    return platform.compose("ps", "--services", "--status", "running").stdout.split()


def assert_confined(platform: Running, service: str) -> None:
    """The container is what the compose file promises: no root, no capabilities, a read-only root, limits that hold."""
    limits = yaml.safe_load((platform.folder / "docker-compose.yml").read_text())["services"][service]["deploy"]
    limits = limits["resources"]["limits"]
    state = platform.inspect(service)
    host = state["HostConfig"]
    assert host["ReadonlyRootfs"], service
    assert host["CapDrop"] == ["ALL"], service
    assert "no-new-privileges:true" in host["SecurityOpt"], service
    assert host["NanoCpus"] == round(float(limits["cpus"]) * 1e9), service
    assert host["Memory"] == int(limits["memory"][:-1]) * 2**20, service
    assert host["PidsLimit"] == 512, service
    assert state["Config"]["User"].split(":")[0] not in ("", "0"), service
    # From outside, since an image without a shell cannot be asked.
    status = Path(f"/proc/{state['State']['Pid']}/status").read_text()
    assert re.search(r"^CapEff:\s+0+$", status, re.MULTILINE), service
    assert not re.search(r"^Uid:\s+0\b", status, re.MULTILINE), service
    assert re.search(r"^NoNewPrivs:\s+1$", status, re.MULTILINE), service


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
