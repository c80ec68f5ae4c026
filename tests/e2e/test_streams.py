"""`kubectl exec`, `attach`, `cp` and `port-forward` against real engines."""

import asyncio
import hashlib
import os
import subprocess
from collections.abc import Iterator

import pytest

from appliance.kit.clock import SystemClock
from appliance.node.runtimes.detect import open_runtime
from tests.contract.engines import SLEEPER, archive
from tests.lab.cluster import KUBECTL, Cluster, eventually

POD = f"""
apiVersion: v1
kind: Pod
metadata: {{name: shell}}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: main
    image: {SLEEPER}
    imagePullPolicy: Never
    command: [sh, -c, "trap 'exit 0' TERM; while :; do sleep 1; done"]
"""
BIG = 10_000_000


async def load(kind: str) -> None:
    runtime = await open_runtime(kind, "", SystemClock())
    await runtime.load(archive(SLEEPER))
    await runtime.close()


@pytest.fixture(scope="module")
def shell(cluster: Cluster) -> Iterator[str]:
    """A running pod with busybox in it."""
    asyncio.run(load(cluster.runtime))
    cluster.apply(POD)
    eventually(lambda: cluster.get("pod", "shell")["status"]["phase"] == "Running")
    yield "shell"
    cluster.kubectl("delete", "pod", "shell", "--grace-period=1")


def kubectl(cluster: Cluster, *args: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    env = {**os.environ, "KUBECONFIG": str(cluster.kubeconfig), "HOME": str(cluster.data)}
    return subprocess.run([KUBECTL, *args], input=stdin, capture_output=True, env=env, timeout=60)


def test_a_command_says_what_it_says_where_it_says_it(cluster: Cluster, shell: str) -> None:
    done = kubectl(cluster, "exec", shell, "--", "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (done.returncode, done.stdout) == (7, b"out\n")
    assert done.stderr == b"err\ncommand terminated with exit code 7\n"
    assert kubectl(cluster, "exec", shell, "--", "echo", "fine").stdout == b"fine\n"


def test_ten_megabytes_go_through_unharmed_both_ways(cluster: Cluster, shell: str) -> None:
    data = os.urandom(BIG)
    done = kubectl(cluster, "exec", "-i", shell, "--", "cat", stdin=data)
    assert done.returncode == 0, done.stderr
    assert hashlib.sha256(done.stdout).digest() == hashlib.sha256(data).digest()
