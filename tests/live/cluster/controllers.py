"""What a cluster's controllers do with the objects that the manifests have: workloads, Jobs, secrets."""

from __future__ import annotations

import copy
import re
import secrets
import threading
import traceback
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from tests.live.cluster.pods import Kubelet, Pod
from tests.live.cluster.store import Key, Kind, Object, Store

POD = Kind("", "v1", "Pod")
SECRET = Kind("", "v1", "Secret")
REPLICA_SET = Kind("apps", "v1", "ReplicaSet")
REVISION = "deployment.kubernetes.io/revision"


class Controllers:
    """Hears of every change of a store, and brings pods in line, each owner's changes one after another."""

    def __init__(self, store: Store, kubelet: Kubelet, patience: float = 60) -> None:
        self.store, self.kubelet, self.patience = store, kubelet, patience
        self.running: dict[tuple[str, str], Pod] = {}
        self.values: dict[tuple[str, str], str] = {}
        self.faults: list[str] = []
        self._locks: dict[Key, threading.Lock] = {}
        self._kinds: dict[str, Callable[[Key, Object], None]] = {
            "Deployment": self._deployment,
            "StatefulSet": self._stateful_set,
            "Job": self._job,
            "ExternalSecret": self._external_secret,
        }
        store.listeners.append(self._hear)

    def _hear(self, key: Key, document: Object) -> None:
        reconcile = self._kinds.get(key.kind.kind)
        if reconcile:
            threading.Thread(target=self._reconcile, args=(reconcile, key, document), daemon=True).start()

    def _reconcile(self, reconcile: Callable[[Key, Object], None], key: Key, document: Object) -> None:
        with self._locks.setdefault(key, threading.Lock()):
            try:
                reconcile(key, document)
            except Exception:
                self.faults.append(traceback.format_exc())

    def endpoint(self, namespace: str, workload: str) -> tuple[str, int] | None:
        """Where the ready pod of a workload answers."""
        pod = self.running.get((namespace, workload))
        return (pod.address, next(iter(pod.ports.values()))) if pod else None

    # --- workloads ----------------------------------------------------------------------------------------------------

    def _deployment(self, key: Key, document: Object) -> None:
        """A new template is a new revision; the old pod goes once the new one is ready, and stays where it never is."""
        revision = self._revision(key, document)
        generation = document["metadata"]["generation"]
        counts = {
            "replicas": 1,
            "updatedReplicas": 1,
            "readyReplicas": 0,
            "availableReplicas": 0,
            "unavailableReplicas": 1,
        }
        status: dict[str, Any] = {"observedGeneration": generation, **counts}
        self.store.set_status(key, status, {REVISION: revision})
        ready = self._replace(key, document["spec"]["template"])
        if ready:
            counts |= {"readyReplicas": 1, "availableReplicas": 1, "unavailableReplicas": 0}
            condition = {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"}
        else:
            condition = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
        self.store.set_status(key, {"observedGeneration": generation, **counts, "conditions": [condition]})

    def _revision(self, key: Key, document: Object) -> str:
        """Its ReplicaSet, found again or new, gets the next revision: that is what `rollout undo` looks for."""
        sets = [
            s for s in self.store.all(REPLICA_SET, key.namespace) if s["metadata"]["name"].startswith(f"{key.name}-r")
        ]
        number = 1 + max((int(s["metadata"]["annotations"][REVISION]) for s in sets), default=0)
        template = document["spec"]["template"]
        for found in sets:
            if found["spec"]["template"] == template:
                if int(found["metadata"]["annotations"][REVISION]) == number - 1:
                    return str(number - 1)
                found["metadata"]["annotations"][REVISION] = str(number)
                self.store.put(Key(REPLICA_SET, key.namespace, found["metadata"]["name"]), found, tell=False)
                return str(number)
        owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": key.name, "uid": document["metadata"]["uid"]}
        name = f"{key.name}-r{number}"
        made = {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": {
                **{"name": name, "namespace": key.namespace, "labels": copy.deepcopy(template["metadata"]["labels"])},
                **{"annotations": {REVISION: str(number)}, "ownerReferences": [{**owner, "controller": True}]},
            },
            "spec": {"replicas": 1, "selector": document["spec"]["selector"], "template": copy.deepcopy(template)},
        }
        self.store.put(Key(REPLICA_SET, key.namespace, name), made, tell=False)
        return str(number)

    def _stateful_set(self, key: Key, document: Object) -> None:
        ready = self._replace(key, document["spec"]["template"])
        self.store.set_status(key, {"replicas": 1, "readyReplicas": int(ready)})

    def _replace(self, key: Key, template: Object) -> bool:
        place = (key.namespace, key.name)
        old = self.running.get(place)
        if old and old.template == template:
            return True
        if old and key.kind.kind == "StatefulSet":
            self.kubelet.remove(self.running.pop(place))
        try:
            pod = self.kubelet.start(key.namespace, key.name, template)
        except AssertionError as error:
            self.faults.append(str(error))
            return False
        if not self.kubelet.becomes_ready(pod, self.patience):
            self.faults.append(f"{key.name} is not ready: {self.kubelet.logs(*[pod.namespace, pod.name])[-2000:]}")
            self.kubelet.remove(pod)
            return False
        self.running[place] = pod
        if old and key.kind.kind != "StatefulSet":
            self.kubelet.remove(old)
        return True

    # --- Jobs ---------------------------------------------------------------------------------------------------------

    def _job(self, key: Key, document: Object) -> None:
        """Run its pod to the end; a code that the failure policy does not name is tried again."""
        spec = document["spec"]
        rules = spec.get("podFailurePolicy", {}).get("rules", [])
        final = {code for rule in rules if rule["action"] == "FailJob" for code in rule["onExitCodes"]["values"]}
        for _ in range(1 + min(spec["backoffLimit"], 20)):
            pod = self._pod_of_job(key, document)
            code = int(self.kubelet.engine.docker("wait", pod.container).stdout)
            if code == 0 or code in final:
                break
            threading.Event().wait(1)
        outcome = "Complete" if code == 0 else "Failed"
        self.store.set_status(key, {"conditions": [{"type": outcome, "status": "True"}]})

    def _pod_of_job(self, key: Key, document: Object) -> Pod:
        pod = self.kubelet.start(key.namespace, key.name, document["spec"]["template"])
        labels = {**document["spec"]["template"]["metadata"]["labels"], "batch.kubernetes.io/job-name": key.name}
        shown = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": pod.name, "namespace": key.namespace, "labels": labels},
            "spec": document["spec"]["template"]["spec"],
        }
        self.store.put(Key(POD, key.namespace, pod.name), shown, tell=False)
        written = self.store.get(key)
        written["spec"]["selector"] = {"matchLabels": {"batch.kubernetes.io/job-name": key.name}}
        self.store.put(key, written, tell=False)
        return pod

    # --- secrets ------------------------------------------------------------------------------------------------------

    def _external_secret(self, key: Key, document: Object) -> None:
        """A Secret of random values, one per place in the store, put into the templates of the manifest."""
        spec = document["spec"]
        found = {}
        for entry in spec["data"]:
            place = (entry["remoteRef"]["key"], entry["remoteRef"]["property"])
            found[entry["secretKey"]] = self.values.setdefault(place, f"{secrets.token_hex(12)}@/:%")
        templates = spec["target"].get("template", {}).get("data")
        data = found if templates is None else {n: _filled(text, found) for n, text in templates.items()}
        name = spec["target"]["name"]
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "namespace": key.namespace},
            "data": data,
        }
        self.store.put(Key(SECRET, key.namespace, name), secret, tell=False)
        fetched = f"{document['metadata']['generation']}-0"
        ready = {"type": "Ready", "status": "True"}
        self.store.set_status(key, {"conditions": [ready], "syncedResourceVersion": fetched})


def _filled(template: str, values: dict[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        found = values[match[1]]
        return quote(found, safe="") if match[2] else found

    return re.sub(r"\{\{ \.(\w+)( \| urlquery)? \}\}", value, template)
