"""The API server alone, as a process of its own: what recordings are replayed against."""

import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from ssl import create_default_context

import pytest
import yaml

from tests.golden.replay import Server

_READY_TRIES = 300


@contextmanager
def api_server(folder: Path) -> Iterator[Server]:
    """Run one with its data in `folder` while the block lasts.

    No scheduler, no controllers, no agent: whatever they would write, a scenario writes itself.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    argv = [sys.executable, "-m", "appliance", "server", "--data-dir", str(folder)]
    argv += ["--https-listen-port", str(port), "--bind-address", "127.0.0.1"]
    argv += ["--etcd-listen-client-urls", "", "--disable-agent", "--disable-scheduler"]
    argv += ["--disable-controller-manager"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(argv, stderr=log)
        try:
            _await_ready(process, port, folder)
            yield _server_of(folder)
        finally:
            process.terminate()
            process.wait(30)


def _await_ready(process: subprocess.Popen[bytes], port: int, folder: Path) -> None:
    url = f"https://127.0.0.1:{port}/readyz"
    for _ in range(_READY_TRIES):
        if process.poll() is not None:
            break
        try:
            trust = create_default_context(cafile=folder / "server" / "tls" / "server-ca.crt")
            with urllib.request.urlopen(url, timeout=5, context=trust):
                return
        except OSError:  # no file, nobody there, or not yet ready
            try:
                process.wait(0.1)
            except subprocess.TimeoutExpired:
                continue
    pytest.fail(f"the server is not ready: {(folder / 'log').read_text()[-2000:]}")


def _server_of(folder: Path) -> Server:
    config = yaml.safe_load((folder / "server" / "admin.kubeconfig").read_text())
    tls = folder / "server" / "tls"
    return Server(
        config["clusters"][0]["cluster"]["server"],
        ca=tls / "server-ca.crt",
        cert=tls / "admin.crt",
        key=tls / "admin.key",
    )
