"""A GitOps engine: applies what a branch says for one environment, in waves, and reports it as Argo CD does."""

from __future__ import annotations

import contextlib
import subprocess
import threading
import time
from itertools import groupby
from pathlib import Path

import yaml

from tests.live.cluster.cluster import Cluster
from tests.live.cluster.store import ApiError, Key, Kind, Object

APPLICATION = Kind("argoproj.io", "v1alpha1", "Application")
_WAVE = "argocd.argoproj.io/sync-wave"


class ArgoCd:
    """Follows a branch of a repository until it is stopped."""

    def __init__(self, cluster: Cluster, origin: Path, name: str, environment: str) -> None:
        self.cluster, self.origin = cluster, origin
        self.branch, self.overlay = f"deploy/{environment}", f"k8s/overlays/{environment}"
        self.key = Key(APPLICATION, "argocd", name)
        self._stopped = threading.Event()
        self.synced: list[str] = []
        document = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": name}}
        cluster.store.apply(self.key, document)
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join(120)

    def _follow(self) -> None:
        seen = ""
        while not self._stopped.wait(0.3):
            head = self._git("rev-parse", f"refs/heads/{self.branch}").strip()
            if head != seen:
                seen = head
                self._report(head, "OutOfSync", "Progressing")
                healthy = self._sync(head)
                self.synced.append(head)
                self._report(head, "Synced", "Healthy" if healthy else "Degraded")

    def _git(self, *arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=self.origin, capture_output=True, text=True, check=True).stdout

    def _report(self, revision: str, sync: str, health: str) -> None:
        state = {"sync": {"status": sync, "revision": revision}, "health": {"status": health}}
        self.cluster.store.set_status(self.key, state)

    def _sync(self, revision: str) -> bool:
        tree = self.cluster.folder / f"sync-{revision}"
        self._git("worktree", "add", "--quiet", "--force", "--detach", str(tree), revision)
        rendered = subprocess.run(
            ["kubectl", "kustomize", str(tree / self.overlay)], capture_output=True, text=True, check=False
        )
        if rendered.returncode:
            self.cluster.controllers.faults.append(rendered.stderr)
            return False
        documents = [d for d in yaml.safe_load_all(rendered.stdout) if d]
        return all(self._apply([*wave]) for _, wave in groupby(sorted(documents, key=_wave), key=_wave))

    def _apply(self, wave: list[Object]) -> bool:
        """Apply one wave and wait for it. A Job is deleted first, as the hook policy of the manifests says."""
        for document in wave:
            if document["kind"] == "Job":
                with contextlib.suppress(ApiError):  # it is new
                    self.cluster.store.delete(_key(document))
        self.cluster.apply(wave)
        waiting = [_key(d) for d in wave if d["kind"] in ("Job", "Deployment", "StatefulSet")]
        end = time.monotonic() + 120
        while waiting and time.monotonic() < end and not self._stopped.wait(0.3):
            states = {key: _state(self.cluster.store.get(key)) for key in waiting}
            if "failed" in states.values():
                return False
            waiting = [key for key, state in states.items() if state != "ready"]
        return not waiting


def _wave(document: Object) -> int:
    return int((document["metadata"].get("annotations") or {}).get(_WAVE, 0))


def _key(document: Object) -> Key:
    group, _, version = document["apiVersion"].rpartition("/")
    kind = Kind(group, version, document["kind"])
    return Key(kind, document["metadata"].get("namespace", ""), document["metadata"]["name"])


def _state(document: Object) -> str:
    status = document.get("status") or {}
    conditions = {c["type"]: c for c in status.get("conditions", [])}
    if document["kind"] == "StatefulSet":
        return "ready" if status.get("readyReplicas") else "waiting"
    if document["kind"] == "Job":
        return "failed" if "Failed" in conditions else "ready" if "Complete" in conditions else "waiting"
    if status.get("observedGeneration") != document["metadata"]["generation"] or "Progressing" not in conditions:
        return "waiting"
    return "ready" if conditions["Progressing"]["status"] == "True" else "failed"
