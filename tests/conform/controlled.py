"""A server with its controllers, but without node and scheduler, as a process of its own.

What conformance asks of the API and of controllers alone needs no more: pods stay Pending. `Api`
speaks plain JSON with it, as no client library stands between. Used by `test_sig_*.py`.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.lab.cluster import free_port

Json = dict[str, Any]
MERGE = "application/merge-patch+json"
_WAIT_S = 30.0


class Api:
    """JSON requests as the administrator, or as somebody else."""

    def __init__(self, http: httpx.Client, kubeconfig: Path) -> None:
        self.http = http
        self.kubeconfig = kubeconfig

    def ask(self, method: str, path: str, body: Any = None, **more: Any) -> httpx.Response:
        """Whatever comes of it."""
        return self.http.request(method, path, json=body, **more)

    def __call__(self, method: str, path: str, body: Any = None, **more: Any) -> Json:
        """It succeeds."""
        answer = self.ask(method, path, body, **more)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text[:500]}"
        found: Json = answer.json()
        return found

    def patch(self, path: str, body: Any) -> Json:
        """A merge patch."""
        return self("PATCH", path, body, headers={"content-type": MERGE})

    def namespace(self, name: str, **labels: str) -> str:
        """A fresh namespace, with the account that pods need; gives its path."""
        self("POST", "/api/v1/namespaces", {"metadata": {"name": name, "labels": labels}})
        path = f"/api/v1/namespaces/{name}"
        self.until(lambda: self.ask("GET", f"{path}/serviceaccounts/default").is_success)
        return path

    def until(self, holds: Callable[[], Any]) -> Any:
        """Look until it holds; give what it gives."""
        end = time.monotonic() + _WAIT_S
        while not (found := holds()):
            assert time.monotonic() < end, "it did not come to hold"
            time.sleep(0.05)
        return found

    def gone(self, path: str) -> bool:
        """Whether there is nothing."""
        return self.ask("GET", path).status_code == 404

    def watch(self, path: str, count: int, **query: str) -> list[Json]:
        """So many events of a watch, without bookmarks."""
        found: list[Json] = []
        params = {"watch": "true", "timeoutSeconds": "20", **query}
        with self.http.stream("GET", path, params=params) as answer:
            for line in answer.iter_lines():
                found.append(json.loads(line))
                if len(found) == count:
                    return found
        raise AssertionError(f"the watch ended after {found}")

    def table(self, path: str) -> httpx.Response:
        """Asked for as a table."""
        accept = "application/json;as=Table;v=v1;g=meta.k8s.io"
        return self.ask("GET", path, headers={"accept": accept})

    def kubectl(self, *argv: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """The stock client, against the same server."""
        program = str(Path(sys.executable).with_name("kubectl"))
        home, path = str(self.kubeconfig.parent), os.environ["PATH"]
        env = {"KUBECONFIG": str(self.kubeconfig), "HOME": home, "PATH": path}
        return subprocess.run(
            [program, *argv], input=stdin, capture_output=True, text=True, timeout=60, env=env
        )


@contextmanager
def controlled(folder: Path) -> Iterator[Api]:
    """Run one while the block lasts."""
    port = free_port()
    argv = [sys.executable, "-m", "appliance", "server", "--data-dir", str(folder)]
    argv += ["--https-listen-port", str(port), "--bind-address", "127.0.0.1"]
    argv += ["--etcd-listen-client-urls", "", "--disable-agent", "--disable-scheduler"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(argv, stderr=log)
    kubeconfig = folder / "server" / "admin.kubeconfig"
    try:
        end = time.monotonic() + 60
        while not kubeconfig.exists():
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < end, (folder / "log").read_text()
            time.sleep(0.1)
        tls = folder / "server" / "tls"
        trust = httpx.create_ssl_context(verify=False)
        trust.load_cert_chain(tls / "admin.crt", tls / "admin.key")
        url = yaml.safe_load(kubeconfig.read_text())["clusters"][0]["cluster"]["server"]
        with httpx.Client(base_url=url, verify=trust, timeout=30) as http:
            api = Api(http, kubeconfig)
            api.until(lambda: _is_ready(api))
            yield api
    finally:
        process.terminate()
        process.wait(30)


def _is_ready(api: Api) -> bool:
    try:
        return api.ask("GET", "/readyz").is_success
    except httpx.HTTPError:
        return False
