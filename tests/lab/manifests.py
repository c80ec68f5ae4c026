"""Where a cluster's node looks for manifests: a folder, a web page, an etcd key, its own port."""

import base64
import json
import socket
import ssl
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import yaml
from typing_extensions import override

from tests.lab.cluster import free_port


class ManifestWorld:
    """Flags for a server, and what stands at the places that they name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "manifests"
        self.folder.mkdir()
        self.page = b""
        self.page_status = 200
        self.asked = threading.Event()
        self.etcd = f"http://127.0.0.1:{free_port()}"
        self.kubelet_port = free_port()
        self._web = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._web.serve_forever, daemon=True)

    def start(self) -> None:
        """Serve the page."""
        self._thread.start()

    def stop(self) -> None:
        """Serve no more."""
        self._web.shutdown()
        self._web.server_close()
        self._thread.join()

    @property
    def flags(self) -> list[str]:
        """For `appliance server`."""
        return [
            "--manifest-path", str(self.folder),
            "--manifest-url", f"http://127.0.0.1:{self._web.server_port}/pods",
            "--http-check-frequency", "1s",
            "--manifest-etcd", self.etcd,
            "--etcd-listen-client-urls", self.etcd,
            "--kubelet-port", str(self.kubelet_port),
        ]  # fmt: skip

    def put(self, value: str) -> None:
        """Put the key of this host."""
        self._etcd("put", {"key": _packed(self.key), "value": _packed(value)})

    def delete(self) -> None:
        """Delete the key."""
        self._etcd("deleterange", {"key": _packed(self.key)})

    @property
    def key(self) -> str:
        """As the seed says: the host's full name."""
        return f"/registry/hosts/{socket.getfqdn()}/kubelet"

    def call(self, kubeconfig: Path, path: str, body: bytes | None = None) -> tuple[int, str]:
        """Ask the node's own port, or post to it, with the admin's certificate."""
        url = f"https://127.0.0.1:{self.kubelet_port}{path}"
        tls = admin_tls(kubeconfig)
        try:
            with urllib.request.urlopen(
                urllib.request.Request(url, data=body), context=tls, timeout=30
            ) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, refused.read().decode()

    def _etcd(self, verb: str, body: dict[str, str]) -> None:
        request = urllib.request.Request(
            f"{self.etcd}/v3/kv/{verb}", data=json.dumps(body).encode()
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            answer.read()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        world = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(world.page_status)
                self.send_header("Content-Length", str(len(world.page)))
                self.end_headers()
                self.wfile.write(world.page)
                world.asked.set()

            @override
            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        return Handler


def _packed(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def admin_tls(kubeconfig: Path) -> ssl.SSLContext:
    """The admin's certificate; the node's own is for its address and name, not for 127.0.0.1."""
    user = yaml.safe_load(kubeconfig.read_text())["users"][0]["user"]
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    pair = kubeconfig.with_name("test-caller.pem")
    parts = (user["client-certificate-data"], user["client-key-data"])
    pair.write_bytes(b"".join(base64.b64decode(part) for part in parts))
    pair.chmod(0o600)
    context.load_cert_chain(pair)
    return context
