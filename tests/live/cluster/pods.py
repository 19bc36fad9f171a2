"""Pods as containers of the Docker engine: what a kubelet does with a pod template, as far as ours have it."""

from __future__ import annotations

import itertools
import json
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.live.cluster.store import Object, Store, labels_of
from tests.live.engine.daemon import Engine


@dataclass
class Pod:
    """A running pod: its main container, and where it answers."""

    namespace: str
    name: str
    container: str
    template: Object
    address: str = ""
    ports: dict[str, int] = field(default_factory=dict)


class Kubelet:
    """Starts and stops pods in one Docker network per namespace, where Services are names."""

    def __init__(self, engine: Engine, store: Store, folder: Path, prefix: str) -> None:
        self.engine, self.store, self.folder, self.prefix = engine, store, folder, prefix
        self.pods: dict[tuple[str, str], Pod] = {}
        self._numbers = itertools.count(1)
        self._networks = threading.Lock()

    def network(self, namespace: str) -> str:
        name = f"{self.prefix}-{namespace}"
        with self._networks:
            self._make_network(name)
        return name

    def _make_network(self, name: str) -> None:
        if self.engine.docker("network", "inspect", name, check=False).returncode:
            self.engine.docker("network", "create", name)

    def start(self, namespace: str, owner: str, template: Object) -> Pod:
        """Run the init containers to their end, then start the first container. Raises AssertionError."""
        spec = template["spec"]
        name = f"{owner}-{next(self._numbers)}"
        for init in spec.get("initContainers") or []:
            done = self._run(namespace, name, template, init, "--rm", check=False)
            assert done.returncode == 0, f"{name}: {init['name']} failed: {done.stderr}"
        (main,) = spec["containers"]
        container = f"{self.prefix}-{namespace}-{name}"
        self._run(namespace, name, template, main, "--detach", "--name", container)
        data = json.loads(self.engine.docker("inspect", container).stdout)[0]
        address = data["NetworkSettings"]["Networks"][self.network(namespace)]["IPAddress"]
        ports = {p["name"]: p["containerPort"] for p in main.get("ports") or []}
        pod = Pod(namespace, name, container, template, address, ports)
        self.pods[namespace, name] = pod
        return pod

    def _run(
        self, namespace: str, pod: str, template: Object, container: Object, *options: str, check: bool = True
    ) -> Any:
        spec = template["spec"]
        security = {**spec.get("securityContext", {}), **container.get("securityContext", {})}
        words = ["run", *options, "--network", self.network(namespace), "--hostname", pod]
        words += ["--user", f"{security['runAsUser']}:{security['runAsGroup']}", "--security-opt", "no-new-privileges"]
        words += [word for c in security["capabilities"]["drop"] for word in ("--cap-drop", c)]
        words += ["--read-only"] if security["readOnlyRootFilesystem"] else []
        words += ["--memory", container["resources"]["limits"]["memory"].removesuffix("i")]
        words += [word for alias in self._aliases(namespace, template) for word in ("--network-alias", alias)]
        words += [word for n, v in self._variables(namespace, container).items() for word in ("--env", f"{n}={v}")]
        words += self._mounts(namespace, pod.rsplit("-", 1)[0], spec, container)
        command = container.get("command") or []
        words += ["--entrypoint", command[0]] if command else []
        return self.engine.docker(*words, container["image"], *command[1:], *container.get("args", []), check=check)

    def _aliases(self, namespace: str, template: Object) -> list[str]:
        labels = labels_of(template)
        services = self.store.of("Service", namespace)
        return [s["metadata"]["name"] for s in services if s["spec"]["selector"].items() <= labels.items()]

    def _variables(self, namespace: str, container: Object) -> dict[str, str]:
        found: dict[str, str] = {}
        for source in container.get("envFrom") or []:
            kind, name = next(
                (k, source[f][n])
                for f, k, n in (("configMapRef", "ConfigMap", "name"), ("secretRef", "Secret", "name"))
                if f in source
            )
            found |= self._data(kind, namespace, name)
        for entry in container.get("env") or []:
            reference = entry.get("valueFrom", {})
            if "secretKeyRef" in reference:
                place = reference["secretKeyRef"]
                found[entry["name"]] = self._data("Secret", namespace, place["name"])[place["key"]]
            elif "configMapKeyRef" in reference:
                place = reference["configMapKeyRef"]
                found[entry["name"]] = self._data("ConfigMap", namespace, place["name"])[place["key"]]
            else:
                found[entry["name"]] = entry.get("value", "").replace("$$(", "$(")
        return found

    def _data(self, kind: str, namespace: str, name: str) -> dict[str, str]:
        """The data of a ConfigMap or Secret, as soon as it is there."""
        end = time.monotonic() + 20
        while time.monotonic() < end:
            for document in self.store.of(kind, namespace):
                if document["metadata"]["name"] == name:
                    data: dict[str, str] = document["data"]
                    return data
            time.sleep(0.1)
        raise AssertionError(f"there is no {kind} {name} in {namespace}")

    def _mounts(self, namespace: str, owner: str, spec: Object, container: Object) -> list[str]:
        volumes = {v["name"]: v for v in spec.get("volumes") or []}
        words = []
        for mount in container.get("volumeMounts") or []:
            volume, path = volumes.get(mount["name"], {"claim": mount["name"]}), mount["mountPath"]
            if "emptyDir" in volume:
                user = spec["securityContext"]  # as fsGroup does for a group, so that it may write
                words += ["--tmpfs", f"{path}:mode=1777,uid={user['runAsUser']},gid={user['runAsGroup']}"]
            elif "configMap" in volume:
                words += ["--volume", f"{self._files(namespace, volume['configMap']['name'])}:{path}:ro"]
            else:
                words += ["--volume", f"{self.prefix}-{namespace}-{owner}-{mount['name']}:{path}"]
        return words

    def _files(self, namespace: str, name: str) -> Path:
        folder = self.folder / namespace / name
        folder.mkdir(parents=True, exist_ok=True)
        for file, text in self._data("ConfigMap", namespace, name).items():
            (folder / file).write_text(text)
            (folder / file).chmod(0o755)
        return folder

    def becomes_ready(self, pod: Pod, seconds: float) -> bool:
        """Ask its readiness probe until it passes, or the container ends, or the time is over."""
        (main,) = pod.template["spec"]["containers"]
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.code(pod) is None:
            if self.is_ready(pod, main["readinessProbe"]):
                return True
            time.sleep(0.3)
        return False

    def is_ready(self, pod: Pod, probe: Object) -> bool:
        if "exec" in probe:
            return self.engine.docker("exec", pod.container, *probe["exec"]["command"], check=False).returncode == 0
        get = probe["httpGet"]
        headers = {h["name"]: h["value"] for h in get.get("httpHeaders") or []}
        url = f"http://{pod.address}:{pod.ports[get['port']]}{get['path']}"
        try:
            with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=2):
                return True
        except (OSError, urllib.error.HTTPError):
            return False

    def code(self, pod: Pod) -> int | None:
        """The exit code of the container, None while it runs."""
        shown = self.engine.docker("inspect", "--format", "{{.State.Status}} {{.State.ExitCode}}", pod.container)
        status, code = shown.stdout.split()
        return int(code) if status == "exited" else None

    def logs(self, namespace: str, name: str, _: str = "") -> str:
        done = self.engine.docker("logs", self.pods[namespace, name].container)
        return done.stdout + done.stderr

    def remove(self, pod: Pod) -> None:
        self.pods.pop((pod.namespace, pod.name), None)
        self.engine.docker("rm", "--force", pod.container)

    def close(self) -> None:
        """Remove every container, network and volume that it made, also those of an earlier run."""
        listing = {
            "rm": ["ps", "--all", "--quiet", "--filter", f"name={self.prefix}-"],
            "network rm": ["network", "ls", "--quiet", "--filter", f"name={self.prefix}-"],
            "volume rm": ["volume", "ls", "--quiet", "--filter", f"name={self.prefix}-"],
        }
        for removal, listed in listing.items():
            found = self.engine.docker(*listed).stdout.split()
            if found:
                self.engine.docker(
                    *removal.split(), "--force" if removal != "network rm" else found.pop(), *found, check=False
                )
