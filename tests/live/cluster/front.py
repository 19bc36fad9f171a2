"""The way into a cluster: TLS, and the routes that the applied HTTPRoutes and Gateways name."""

from __future__ import annotations

import ssl
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.live.cluster.controllers import Controllers
from tests.live.cluster.store import Store


class Front:
    """Serves the hosts of the applied Gateways on one port of this machine."""

    def __init__(self, store: Store, controllers: Controllers, certificate: Path, key: Path) -> None:
        self.store, self.controllers = store, controllers
        front = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                """Nobody reads it."""

            def do_GET(self) -> None:
                code, body = front.answer((self.headers["Host"] or "").split(":")[0], self.path)
                self.send_response(code)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.http.socket = context.wrap_socket(self.http.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    @property
    def port(self) -> int:
        return int(self.http.server_address[1])

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()

    def backend(self, host: str, path: str) -> tuple[str, int] | None:
        """Where a request goes: to the backend of the longest prefix, in the namespace whose Gateway has this host."""
        found: list[tuple[int, str, str]] = []
        for gateway in self.store.of("Gateway"):
            if not any(listener.get("hostname") == host for listener in gateway["spec"]["listeners"]):
                continue
            namespace = gateway["metadata"]["namespace"]
            for route in self.store.of("HTTPRoute", namespace):
                for rule in route["spec"]["rules"]:
                    for match in rule.get("matches", []) if rule.get("backendRefs") else []:
                        prefix = match["path"]["value"].rstrip("/")
                        if path == prefix or path.startswith(prefix + "/"):
                            found.append((len(prefix), namespace, rule["backendRefs"][0]["name"]))
        if not found:
            return None
        _, namespace, service = max(found)
        return self.controllers.endpoint(namespace, service)

    def answer(self, host: str, path: str) -> tuple[int, bytes]:
        place = self.backend(host, path.split("?", maxsplit=1)[0])
        if place is None:
            return 503, b"no backend"
        request = urllib.request.Request(f"http://{place[0]}:{place[1]}{path}", headers={"Host": host})
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()
        except OSError:
            return 502, b"the backend does not answer"
