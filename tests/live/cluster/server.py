"""An API server for kubectl: discovery, the schemas that it asks for, and the verbs, over TLS."""

from __future__ import annotations

import json
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

from tests.live.cluster import access
from tests.live.cluster.store import ApiError, Key, Kind, Object, Store, labels_of

VERBS = ["create", "delete", "get", "list", "patch", "update", "watch"]


class Server:
    """Serves a store on a port of this machine. `logs` gives the text of a pod's container."""

    def __init__(self, store: Store, certificate: Path, key: Path, logs: Any) -> None:
        self.store, self.logs = store, logs
        self.requests: list[str] = []
        server = self

        class Handler(_Handler):
            api = server

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.http.socket = context.wrap_socket(self.http.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.http.server_address[1]}"

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    api: Server

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""

    def do_GET(self) -> None:
        self._answer("get")

    def do_POST(self) -> None:
        self._answer("create")

    def do_PATCH(self) -> None:
        self._answer("patch")

    def do_DELETE(self) -> None:
        self._answer("delete")

    def _answer(self, verb: str) -> None:
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            user = access.user_of(self.headers.get("Authorization") or "")
            self.api.requests.append(f"{verb} {url.path}")
            if url.path == "/openapi/v2":  # for a List, which only the client validates: it knows no schema
                return self._bytes(200, b"", "application/com.github.proto-openapi.spec.v2.v1.0+protobuf")
            found = discovery(self.api.store, url.path) if verb == "get" else None
            if found is None:
                self._resource(verb, url.path, query, body, user)
            else:
                self._send(200, found)
        except ApiError as error:
            self._send(error.code, error.status)
        return None

    def _resource(self, verb: str, path: str, query: dict[str, str], body: bytes, user: str) -> None:
        kind, namespace, name, part = locate(self.api.store, path)
        if verb == "get" and not name:
            verb = "watch" if query.get("watch") in ("1", "true") else "list"
        resource = kind.plural + (f"/{part}" if part else "")
        place = name if kind.kind == "Namespace" else namespace
        access.authorize(
            self.api.store, access.Request(user, verb, kind, resource, place if kind.namespaced else "", name)
        )
        key = Key(kind, namespace, name)
        if part == "log":
            return self._text(self.api.logs(namespace, name, query.get("container", "")))
        if verb == "list":
            return self._send(200, self._list(kind, namespace, query))
        if verb == "watch":
            return self._watch(kind, namespace, query)
        if verb == "get":
            return self._send(200, self.api.store.get(key))
        if verb == "delete":
            self.api.store.delete(key)
            return self._send(200, {"kind": "Status", "apiVersion": "v1", "status": "Success"})
        document = yaml.safe_load(body)
        if verb == "create":
            key = Key(kind, namespace, document["metadata"]["name"])
            return self._send(201, self.api.store.create(key, document))
        if "apply-patch" in self.headers["Content-Type"]:
            return self._send(200, self.api.store.apply(key, document))
        if "json-patch" in self.headers["Content-Type"]:
            return self._send(200, self.api.store.patch(key, document))
        raise ApiError(415, "UnsupportedMediaType", self.headers["Content-Type"])

    def _list(self, kind: Kind, namespace: str, query: dict[str, str]) -> Object:
        wanted = selector(query.get("labelSelector", ""))
        found = [o for o in self.api.store.all(kind, namespace, wanted) if chosen(o, query)]
        version = str(len(self.api.store.events))
        return {
            "kind": f"{kind.kind}List",
            "apiVersion": kind.api_version,
            "metadata": {"resourceVersion": version},
            "items": found,
        }

    def _watch(self, kind: Kind, namespace: str, query: dict[str, str]) -> None:
        if query.get("sendInitialEvents"):
            raise ApiError(422, "Invalid", "sendInitialEvents is not supported")
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        since, seconds = int(query.get("resourceVersion") or 0), float(query.get("timeoutSeconds") or 300)
        try:
            for event, document in self.api.store.watch(kind, namespace, since, seconds):
                if (
                    chosen(document, query)
                    and selector(query.get("labelSelector", "")).items() <= labels_of(document).items()
                ):
                    self.wfile.write(json.dumps({"type": event, "object": document}).encode() + b"\n")
                    self.wfile.flush()
        except OSError:
            pass  # kubectl has seen enough

    def _send(self, code: int, data: Object) -> None:
        self._bytes(code, json.dumps(data).encode(), "application/json")

    def _text(self, text: str) -> None:
        self._bytes(200, text.encode(), "text/plain")

    def _bytes(self, code: int, body: bytes, content: str) -> None:
        self.send_response(code)
        self.send_header("Content-Type", content)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def selector(text: str) -> dict[str, str]:
    """`a=b,c=d`, the only form that the scripts' commands send."""
    return dict(term.split("=", 1) for term in text.split(",") if term)


def chosen(document: Object, query: dict[str, str]) -> bool:
    wanted = selector(query.get("fieldSelector", ""))
    return wanted.get("metadata.name", document["metadata"]["name"]) == document["metadata"]["name"]


def locate(store: Store, path: str) -> tuple[Kind, str, str, str]:
    """Kind, namespace, name and sub-resource of a path. Raises ApiError(404)."""
    parts = path.strip("/").split("/")
    group, version, rest = ("", parts[1], parts[2:]) if parts[0] == "api" else (parts[1], parts[2], parts[3:])
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2:
        namespace, rest = rest[1], rest[2:]
    plural, name, part = [*rest, "", ""][:3]
    for kind in store.kinds:
        if (kind.group, kind.version, kind.plural) == (group, version, plural):
            return kind, namespace, name, part
    raise ApiError(404, "NotFound", "the server could not find the requested resource")


def discovery(store: Store, path: str) -> Object | None:
    """What kubectl asks before anything else; None for a path of resources."""
    groups: dict[str, set[str]] = {}
    for kind in store.kinds:
        if kind.group:
            groups.setdefault(kind.group, set()).add(kind.version)
    parts = path.strip("/").split("/")
    if path == "/version":
        return {"major": "1", "minor": "32", "gitVersion": "v1.32.0"}
    if path == "/api":
        return {"kind": "APIVersions", "versions": ["v1"]}
    if path == "/apis":
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(g, v) for g, v in groups.items()]}
    if path.startswith("/openapi/v3"):
        return _schemas(store, parts[2:])
    if parts[0] == "api" and len(parts) == 2:
        return _resources(store, "", parts[1])
    if parts[0] == "apis" and len(parts) == 3:
        return _resources(store, parts[1], parts[2])
    return None


def _group(name: str, versions: set[str]) -> Object:
    entries = [{"groupVersion": f"{name}/{v}", "version": v} for v in sorted(versions, reverse=True)]
    return {"name": name, "versions": entries, "preferredVersion": entries[0]}


def _resources(store: Store, group: str, version: str) -> Object:
    kinds = [k for k in store.kinds if (k.group, k.version) == (group, version)]
    return {
        "kind": "APIResourceList",
        "groupVersion": f"{group}/{version}" if group else version,
        "resources": [
            {
                "name": k.plural,
                "singularName": k.kind.lower(),
                "namespaced": k.namespaced,
                "kind": k.kind,
                "verbs": VERBS,
            }
            for k in kinds
        ],
    }


def _schemas(store: Store, parts: list[str]) -> Object:
    """The index, or the document of one version: that a patch may be validated by the server is all that it says."""
    versions = {k.api_version: k for k in store.kinds}
    if not parts:
        places = {f"apis/{v}" if k.group else f"api/{v}": k for v, k in versions.items()}
        return {"paths": {place: {"serverRelativeURL": f"/openapi/v3/{place}"} for place in places}}
    wanted = "/".join(parts[1:])
    strict = [{"name": "fieldValidation", "in": "query", "schema": {"type": "string"}}]
    paths = {}
    for kind in store.kinds:
        if kind.api_version == wanted:
            what = {"group": kind.group, "version": kind.version, "kind": kind.kind}
            operation = {"parameters": strict, "x-kubernetes-group-version-kind": what, "responses": {}}
            paths[f"/{kind.plural}/{{name}}"] = {"patch": operation, "post": operation, "put": operation}
    return {"openapi": "3.0.0", "info": {"title": "stand-in", "version": "1"}, "paths": paths}
