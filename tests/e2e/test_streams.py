"""`kubectl exec`, `attach`, `cp` and `port-forward` against real engines."""

import asyncio
import hashlib
import os
import platform
import pty
import re
import select
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from appliance.kit.clock import SystemClock
from appliance.node.images.archive import File, Link, docker_archive
from appliance.node.runtimes.detect import open_runtime
from tests.lab.cluster import KUBECTL, Cluster, eventually

IMAGE = "appliance.local/e2e-shell:1"
BUSYBOX = Path("/bin/busybox")
APPLETS = ("sh", "cat", "echo", "sleep", "stty", "tar", "test", "httpd", "ls", "mkdir", "true")
POD = f"""
apiVersion: v1
kind: Pod
metadata: {{name: shell}}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: main
    image: {IMAGE}
    imagePullPolicy: Never
    stdin: true
    command:  # Podman ends a container's input with the first client that leaves
    - sh
    - -c
    - |
      httpd -p 127.0.0.1:8080 -h /www
      while read line; do echo got $line; done
      sleep 3600
  - name: other
    image: {IMAGE}
    imagePullPolicy: Never
    command: [sh, -c, "echo other; sleep 3600"]
"""
BIG = 10_000_000
PAGE = b"a page of the pod\n"


def archive() -> bytes:
    files: dict[str, File | Link] = {"bin/busybox": File(BUSYBOX.read_bytes(), 0o755)}
    files |= {f"bin/{applet}": Link("busybox") for applet in APPLETS}
    files |= {"etc/passwd": File(b"root:x:0:0::/:/bin/sh\n"), "tmp/.keep": File(b"")}
    files |= {"www/page": File(PAGE), "www/big": File(bytes(BIG))}
    architecture = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
    return docker_archive(IMAGE, files, architecture=architecture, config={"Env": ["PATH=/bin"]})


async def load(kind: str) -> None:
    runtime = await open_runtime(kind, "", SystemClock())
    await runtime.load(archive())
    await runtime.close()


@pytest.fixture(scope="module")
def shell(cluster: Cluster) -> Iterator[str]:
    """A running pod with busybox in it."""
    if not BUSYBOX.exists():
        pytest.skip("no busybox here to make an image of; install busybox-static")
    asyncio.run(load(cluster.runtime))
    cluster.apply(POD)
    cluster.kubectl("wait", "--for=condition=Ready", "pod/shell", "--timeout=30s")
    yield "shell"
    cluster.kubectl("delete", "pod", "shell", "--grace-period=1")


def environment(cluster: Cluster) -> dict[str, str]:
    return {**os.environ, "KUBECONFIG": str(cluster.kubeconfig), "HOME": str(cluster.data)}


def kubectl(cluster: Cluster, *args: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    argv = [KUBECTL, *args]
    env = environment(cluster)
    return subprocess.run(argv, input=stdin, capture_output=True, env=env, timeout=60)


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


# exec


def test_a_command_says_what_it_says_where_it_says_it(cluster: Cluster, shell: str) -> None:
    done = kubectl(cluster, "exec", shell, "--", "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (done.returncode, done.stdout) == (7, b"out\n")
    assert b"err\n" in done.stderr
    assert b"command terminated with exit code 7\n" in done.stderr
    other = kubectl(cluster, "exec", shell, "-c", "other", "--", "echo", "a b", "c")
    assert (other.returncode, other.stdout) == (0, b"a b c\n")


def test_ten_megabytes_go_through_unharmed_both_ways(cluster: Cluster, shell: str) -> None:
    data = os.urandom(BIG)
    begun = time.monotonic()
    done = kubectl(cluster, "exec", "-i", shell, "-c", "main", "--", "cat", stdin=data)
    print(f"{BIG / 1e6:.0f} MB in and out: {time.monotonic() - begun:.2f} s ({cluster.runtime})")
    assert done.returncode == 0, done.stderr
    assert digest(done.stdout) == digest(data)


def test_what_can_not_run_is_told(cluster: Cluster, shell: str) -> None:
    done = kubectl(cluster, "exec", shell, "-c", "main", "--", "/no/such")
    assert done.returncode != 0
    assert b"no such file" in done.stdout + done.stderr
    done = kubectl(cluster, "exec", shell, "-c", "nobody", "--", "true")
    assert done.returncode == 1
    assert (
        b"container nobody is not valid for pod shell" in done.stderr or b"not found" in done.stderr
    )
    assert b'pods "nobody" not found' in kubectl(cluster, "exec", "nobody", "--", "true").stderr


class Terminal:
    """kubectl on a pseudo terminal."""

    def __init__(self, cluster: Cluster, *args: str) -> None:
        self.master, slave = pty.openpty()
        subprocess.run(["stty", "rows", "33", "cols", "90"], stdin=slave, check=True)
        argv, env = [KUBECTL, *args], environment(cluster)
        self.process = subprocess.Popen(
            argv, stdin=slave, stdout=slave, stderr=slave, env=env, start_new_session=True
        )
        os.close(slave)
        self.seen = b""

    def read_until(self, pattern: bytes, within_s: float = 20.0) -> None:
        end = time.monotonic() + within_s
        while not re.search(pattern, self.seen):
            ready, _, _ = select.select([self.master], [], [], max(0.0, end - time.monotonic()))
            assert ready, f"no {pattern!r} in {self.seen!r}"
            self.seen += os.read(self.master, 4096)

    def type(self, keys: bytes) -> None:
        os.write(self.master, keys)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.master)


def test_a_terminal_is_one(cluster: Cluster, shell: str) -> None:
    # The size arrives a moment after the start, as on any cluster.
    size = 'while [ "$(stty size)" != "33 90" ]; do sleep 0.1; done; stty size'
    script = f"trap : INT; {size}; echo err >&2; cat; exit 5"
    args = ("exec", "-it", shell, "-c", "main", "--", "sh", "-c", script)
    terminal = Terminal(cluster, *args)
    try:
        terminal.read_until(rb"33 90\r\nerr\r\n")
        terminal.type(b"mirror\r")
        terminal.read_until(rb"mirror\r\nmirror\r\n")
        terminal.type(b"\x03")  # Ctrl-C ends the command in the pod, not kubectl
        assert terminal.process.wait(20) == 5
    finally:
        terminal.close()


def test_a_client_that_goes_takes_its_command_along(cluster: Cluster, shell: str) -> None:
    argv = [KUBECTL, "exec", shell, "-c", "main", "--", "sh", "-c", "echo on; sleep 4242"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, env=environment(cluster)) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == b"on\n"
        assert commands("4242")
        running.kill()
    eventually(lambda: not commands("echo on; sleep 4242"), within_s=10)


def commands(text: str) -> list[str]:
    """Command lines on this host, kubectl's own aside, that have `text` in them."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if text in line and "kubectl" not in line:
            found.append(line)
    return found


# attach


def test_attach_reads_and_writes_the_containers_own_streams(cluster: Cluster, shell: str) -> None:
    argv = [KUBECTL, "attach", "-i", shell, "-c", "main"]
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment(cluster)
    ) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        running.stdin.write(b"hello\n")
        running.stdin.flush()
        assert running.stdout.readline() == b"got hello\n"
        running.kill()
    done = kubectl(cluster, "exec", shell, "-c", "main", "--", "true")
    assert done.returncode == 0, "the container runs on"


def test_a_pod_is_run_for_one_pipe(cluster: Cluster, shell: str) -> None:
    assert shell, "the image is there"
    override = "--image-pull-policy=Never", "--restart=Never", "--pod-running-timeout=30s"
    argv = ("run", "once", "-i", "--rm", "--quiet", f"--image={IMAGE}", *override)
    done = kubectl(cluster, *argv, "--command", "--", "cat", stdin=b"piped in\n")
    assert (done.returncode, done.stdout) == (0, b"piped in\n"), done.stderr


# cp


def test_files_are_copied_both_ways(cluster: Cluster, shell: str, tmp_path: Path) -> None:
    (tmp_path / "tree" / "deep").mkdir(parents=True)
    (tmp_path / "tree" / "deep" / "data").write_bytes(os.urandom(1_000_000))
    (tmp_path / "tree" / "small").write_text("one\n")
    cluster.kubectl("cp", "-c", "main", str(tmp_path / "tree"), f"{shell}:/tmp/tree")
    cluster.kubectl("cp", "-c", "main", f"{shell}:/tmp/tree", str(tmp_path / "back"))
    for name in ("deep/data", "small"):
        assert (tmp_path / "back" / name).read_bytes() == (tmp_path / "tree" / name).read_bytes()


# port-forward


@contextmanager
def forwarded(cluster: Cluster, *args: str) -> Iterator[str]:
    argv = [KUBECTL, "port-forward", "--address=127.0.0.1", *args]
    with subprocess.Popen(
        argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment(cluster)
    ) as running:
        assert running.stdout is not None
        try:
            line = running.stdout.readline()
            found = re.match(r"Forwarding from (\S+) ->", line)
            assert found, line + running.stdout.readline()
            yield f"http://{found[1]}"
        finally:
            running.kill()


def fetch(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=20) as answer:
        return bytes(answer.read())


def test_a_forwarded_port_serves_many_requests(cluster: Cluster, shell: str) -> None:
    with forwarded(cluster, f"pod/{shell}", ":8080") as url:
        for _ in range(10):
            assert fetch(f"{url}/page") == PAGE
        begun = time.monotonic()
        assert digest(fetch(f"{url}/big")) == digest(bytes(BIG))
        print(f"{BIG / 1e6:.0f} MB forwarded: {time.monotonic() - begun:.2f} s")
        got: list[bytes] = []
        workers = [
            threading.Thread(target=lambda: got.append(fetch(f"{url}/page"))) for _ in range(8)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert got == [PAGE] * 8


def test_a_port_that_nobody_listens_on(cluster: Cluster, shell: str) -> None:
    with forwarded(cluster, f"pod/{shell}", ":9") as url, pytest.raises(OSError):  # noqa: PT011
        fetch(url)


# clients from before WebSocket

SPDY = {"KUBECTL_REMOTE_COMMAND_WEBSOCKETS": "false", "KUBECTL_PORT_FORWARD_WEBSOCKETS": "false"}


def test_older_kubectls_speak_spdy(
    cluster: Cluster, shell: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in SPDY.items():
        monkeypatch.setenv(name, value)
    data = os.urandom(BIG)
    done = kubectl(cluster, "exec", "-v=9", shell, "-c", "main", "--", "sh", "-c", "echo x; exit 7")
    assert (done.returncode, done.stdout) == (7, b"x\n")
    assert b"POST" in done.stderr, "this kubectl does not know the switch"
    done = kubectl(cluster, "exec", "-i", shell, "-c", "main", "--", "cat", stdin=data)
    assert done.returncode == 0, done.stderr
    assert digest(done.stdout) == digest(data)
    with forwarded(cluster, f"pod/{shell}", ":8080") as url:
        for _ in range(3):
            assert fetch(f"{url}/page") == PAGE
        assert digest(fetch(f"{url}/big")) == digest(bytes(BIG))
