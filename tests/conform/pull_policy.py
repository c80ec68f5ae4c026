"""A mutating webhook by which pods of outside suites take the images that are there.

Suites name `busybox` or `nginx:latest`, which by the rules are pulled each time; where there is no
registry that cannot work. Not part of what is tested.
"""

import base64
import http.server
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from appliance.kit.clock import SystemClock
from appliance.kit.pki import Subject, issue, new_ca

Json = dict[str, Any]


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))["request"]
        spec = (request.get("object") or {}).get("spec", {})
        patch = [
            {"op": "add", "path": f"/spec/{kind}/{n}/imagePullPolicy", "value": "IfNotPresent"}
            for kind in ("containers", "initContainers")
            for n, _ in enumerate(spec.get(kind) or [])
        ]
        packed = base64.b64encode(json.dumps(patch).encode()).decode()
        answer = {"uid": request["uid"], "allowed": True, "patchType": "JSONPatch", "patch": packed}
        review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}
        body = json.dumps({**review, "response": answer}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: Any) -> None:
        """Quiet."""


@contextmanager
def pull_policy_webhook(folder: Path) -> Iterator[Json]:
    """Answer while the block lasts; gives the configuration to create."""
    now = SystemClock().wall()
    ca = new_ca("suites-ca", now=now)
    pair = issue(ca, Subject(common_name="suites", sans=("127.0.0.1",), server=True), now=now)
    (folder / "hook.crt").write_bytes(pair.cert_pem)
    (folder / "hook.key").write_bytes(pair.key_pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "hook.crt", folder / "hook.key")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield _configuration(server.server_address[1], ca.cert_pem)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _configuration(port: int, ca_pem: bytes) -> Json:
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"]}
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": "images-are-here"},
        "webhooks": [
            {
                "name": "images.suites.local",
                "rules": [{**rule, "resources": ["pods"]}],
                "clientConfig": {
                    "url": f"https://127.0.0.1:{port}/",
                    "caBundle": base64.b64encode(ca_pem).decode(),
                },
                "sideEffects": "None",
                "admissionReviewVersions": ["v1"],
                "failurePolicy": "Fail",
            }
        ],
    }
