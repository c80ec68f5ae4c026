"""A registry of images on a free port of 127.0.0.1, for pulls in tests; plain HTTP.

Speaks the read half of the distribution API, version 2: manifests by tag and digest, blobs, and
Basic authentication where it was given a name and a word. Source: OCI Distribution Specification.
"""

import base64
import gzip
import hashlib
import http.server
import io
import json
import tarfile
import threading
from typing import Self

from typing_extensions import override

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG = "application/vnd.docker.container.image.v1+json"
LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"


class Registry:
    """Serves images that were made as docker-archives."""

    def __init__(self, login: tuple[str, str] | None = None) -> None:
        self._manifests: dict[str, bytes] = {}
        self._blobs: dict[str, bytes] = {}
        self.asked: list[str] = []
        """Paths that were asked for, with a valid login."""
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler(login))
        self.host = f"127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def add(self, path: str, tag: str, archive: bytes) -> str:
        """Serve an image under `path:tag`; gives its digest."""
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:

            def member(name: str) -> bytes:
                file = tar.extractfile(name)
                assert file is not None
                return file.read()

            (entry,) = json.loads(member("manifest.json"))
            config = self._blob(member(entry["Config"]), CONFIG)
            layers = [
                self._blob(gzip.compress(member(name), mtime=0), LAYER) for name in entry["Layers"]
            ]
        body = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers}
        raw = json.dumps(body).encode()
        digest = f"sha256:{hashlib.sha256(raw).hexdigest()}"
        self._manifests |= {f"/v2/{path}/manifests/{end}": raw for end in (tag, digest)}
        return digest

    def _blob(self, data: bytes, kind: str) -> dict[str, object]:
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        self._blobs[digest] = data
        return {"mediaType": kind, "size": len(data), "digest": digest}

    def _handler(self, login: tuple[str, str] | None) -> type[http.server.BaseHTTPRequestHandler]:
        registry = self
        pair = ":".join(login or ()).encode()
        wanted = f"Basic {base64.b64encode(pair).decode()}" if login else ""

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            @override
            def log_message(self, *_: object) -> None:  # type: ignore[override]  # nobody reads it
                pass

            def do_HEAD(self) -> None:
                self.do_GET()

            def do_GET(self) -> None:
                if wanted and self.headers.get("Authorization") != wanted:
                    self._answer(401, b"{}", {"WWW-Authenticate": 'Basic realm="lab"'})
                    return
                registry.asked.append(self.path)
                manifest = registry._manifests.get(self.path)
                blob = registry._blobs.get(self.path.rpartition("/")[2])
                if self.path.rstrip("/") == "/v2":
                    self._answer(200, b"{}", {})
                elif manifest is not None:
                    digest = f"sha256:{hashlib.sha256(manifest).hexdigest()}"
                    told = {"Content-Type": MANIFEST, "Docker-Content-Digest": digest}
                    self._answer(200, manifest, told)
                elif blob is not None:
                    self._answer(200, blob, {"Content-Type": "application/octet-stream"})
                else:
                    fault = {"errors": [{"code": "MANIFEST_UNKNOWN", "message": "unknown"}]}
                    self._answer(404, json.dumps(fault).encode(), {})

            def _answer(self, code: int, body: bytes, headers: dict[str, str]) -> None:
                self.send_response(code)
                told = {"Docker-Distribution-Api-Version": "registry/2.0"} | headers
                for name, value in (told | {"Content-Length": str(len(body))}).items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

        return Handler
