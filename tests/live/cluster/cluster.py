"""A cluster to deploy to: kubectl, TLS, tokens, RBAC and rollouts are real to the scripts; the pods are containers.

What is ours and not Kubernetes: the API server (it validates no schema and knows no admission), the scheduler (one pod
per workload, no limits of CPU), and the network (no policies). Everything that a pod template says of its containers
is done by Docker.
"""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import yaml

from tests.live.cluster import access, certificates
from tests.live.cluster.controllers import Controllers
from tests.live.cluster.front import Front
from tests.live.cluster.pods import Kubelet
from tests.live.cluster.server import Server
from tests.live.cluster.store import Key, Kind, Object, Store, kind_of
from tests.live.engine.daemon import Engine

_OWN = [
    *(Kind("", "v1", name) for name in ("Namespace", "Pod", "Secret", "ConfigMap", "Service")),
    *(Kind("apps", "v1", name) for name in ("Deployment", "ReplicaSet")),
    Kind("batch", "v1", "Job"),
    *(
        Kind("rbac.authorization.k8s.io", "v1", name)
        for name in ("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")
    ),
    Kind("argoproj.io", "v1alpha1", "Application"),
]


class Cluster:
    """Knows the kinds of these manifests, and serves these hosts."""

    def __init__(self, engine: Engine, folder: Path, manifests: list[Object], hosts: list[str]) -> None:
        self.folder, self.hosts = folder, hosts
        self.store = Store([*_OWN, *(kind_of(m) for m in manifests)])
        self.kubelet = Kubelet(engine, self.store, folder / "volumes", f"trimtab-{folder.name}")
        self.kubelet.close()  # what a killed run has left
        self.controllers = Controllers(self.store, self.kubelet)
        self.certificates = certificates.make(folder / "certificates", hosts)
        pair = (self.certificates.certificate, self.certificates.key)
        self.server = Server(self.store, *pair, self.kubelet.logs)
        self.front = Front(self.store, self.controllers, *pair)
        self.tokens = _Tokens()
        self._administrator()

    def _administrator(self) -> None:
        group = "rbac.authorization.k8s.io"
        verbs = ["get", "list", "watch", "create", "patch", "delete"]
        groups = sorted({kind.group for kind in self.store.kinds})
        for document in (
            {"kind": "ClusterRole", "rules": [{"apiGroups": groups, "resources": ["*"], "verbs": verbs}]},
            {
                "kind": "ClusterRoleBinding",
                "subjects": [{"kind": "User", "name": "github:admin"}],
                "roleRef": {"kind": "ClusterRole", "name": "admin"},
            },
        ):
            whole = {"apiVersion": f"{group}/v1", "metadata": {"name": "admin"}, **document}
            self.store.apply(Key(kind_of(whole), "", "admin"), whole)
        self.kubeconfig.write_text(
            yaml.safe_dump(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "current-context": "admin",
                    "clusters": [
                        {
                            "name": "live",
                            "cluster": {
                                "server": self.server.url,
                                "certificate-authority": str(self.certificates.authority),
                            },
                        }
                    ],
                    "contexts": [{"name": "admin", "context": {"cluster": "live", "user": "admin"}}],
                    "users": [{"name": "admin", "user": {"token": access.issue("admin", access.AUDIENCE)}}],
                }
            )
        )

    @property
    def kubeconfig(self) -> Path:
        """The administrator's, good for five minutes."""
        return self.folder / "admin.kubeconfig"

    def apply(self, documents: list[Object]) -> None:
        """Apply as a GitOps engine does, which is its own administrator."""
        for document in documents:
            namespace = document["metadata"].get("namespace", "")
            self.store.apply(Key(kind_of(document), namespace, document["metadata"]["name"]), document)

    def close(self) -> None:
        self.front.close()
        self.server.close()
        self.tokens.close()
        self.kubelet.close()


class _Tokens:
    """GitHub's endpoint for a job's identity."""

    def __init__(self) -> None:
        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                """Nobody reads it."""

            def do_GET(self) -> None:
                query = parse_qs(urlsplit(self.path).query)
                allowed = self.headers["Authorization"] == "bearer request"
                token = access.issue(query["sub"][0], query["audience"][0]) if allowed else ""
                self.send_response(200 if allowed else 401)
                self.end_headers()
                self.wfile.write(json.dumps({"value": token}).encode())

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http.server_address[1]}/token"

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()
