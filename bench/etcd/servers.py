"""etcd and ours as processes beside each other, each on a folder of the same disk."""

import os
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
_TICKS = os.sysconf("SC_CLK_TCK")
_START_S = 120.0


@dataclass(frozen=True)
class Usage:
    """What a process has used so far."""

    cpu_s: float
    written_bytes: int
    rss_bytes: int
    threads: int


class Server:
    """One server; `start` and `stop` may come any number of times."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.folder = folder
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> float:
        """Start it; gives the seconds until it takes calls."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port, peer = _free_ports()
        url, peer_url = (f"http://127.0.0.1:{port}" for port in (self.port, peer))
        argv = self._ours(url) if self.name == "ours" else self._etcd(url, peer_url)
        started = time.perf_counter()
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(argv, stdout=log, stderr=log, cwd=ROOT)
        self._wait_for_answer()
        return time.perf_counter() - started

    def _ours(self, url: str) -> list[str]:
        return [
            *(sys.executable, "-m", "appliance", "store"),
            *("--data-dir", str(self.folder / "data"), "--listen-client-urls", url),
        ]

    def _etcd(self, url: str, peer_url: str) -> list[str]:
        return [
            *("etcd", "--data-dir", str(self.folder / "data"), "--log-level", "error"),
            *("--listen-client-urls", url, "--advertise-client-urls", url),
            *("--listen-peer-urls", peer_url, "--initial-advertise-peer-urls", peer_url),
            *("--initial-cluster", f"default={peer_url}"),
            *("--quota-backend-bytes", str(8 << 30)),
        ]

    def _wait_for_answer(self) -> None:
        """Until it says that it is healthy: a port may be open long before."""
        deadline = time.perf_counter() + _START_S
        while time.perf_counter() < deadline:
            if self._process is None or self._process.poll() is not None:
                break
            if _is_healthy(self.port):
                return
            time.sleep(0.01)
        raise RuntimeError(f"{self.name} did not start; see {self.folder / 'log'}")

    @property
    def pid(self) -> int:
        """Of the running process."""
        assert self._process is not None
        return self._process.pid

    def usage(self) -> Usage:
        """CPU, bytes written, memory."""
        proc = Path(f"/proc/{self.pid}")
        fields = (proc / "stat").read_text().rpartition(")")[2].split()
        io = dict(line.split(": ") for line in (proc / "io").read_text().splitlines())
        cpu_s = (int(fields[11]) + int(fields[12])) / _TICKS
        rss = int(fields[21]) * os.sysconf("SC_PAGESIZE")
        return Usage(cpu_s, int(io["write_bytes"]), rss, int(fields[17]))

    def size_bytes(self) -> int:
        """What its folder takes."""
        return sum(
            p.stat().st_blocks * 512 for p in (self.folder / "data").rglob("*") if p.is_file()
        )

    def stop(self) -> None:
        """End it in good order."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._process = None

    def clear(self) -> None:
        """Stop, and forget its data."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def _is_healthy(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as asked:
            asked.sendall(b"GET /health HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")
            answer = b""
            while part := asked.recv(4096):
                answer += part
    except OSError:
        return False
    return b'"true"' in answer


def _free_ports() -> tuple[int, int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    first, second = (int(one.getsockname()[1]) for one in sockets)
    for one in sockets:
        one.close()
    return first, second
