"""Pods and replication controllers on real engines, as a user sees them through kubectl."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.cluster import Cluster, eventually

IMAGE = "appliance.local/guestbook-frontend:1"
RC = """
apiVersion: v1
kind: ReplicationController
metadata: {{name: {name}}}
spec:
  replicas: {replicas}
  selector: {{app: {name}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: web
        image: {image}
        imagePullPolicy: IfNotPresent
"""


@pytest.fixture
def rc(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[str]:
    name = request.node.originalname.replace("test_", "").replace("_", "-")[:40].strip("-")
    cluster.apply(RC.format(name=name, replicas=1, image=IMAGE))
    eventually(lambda: cluster.running(f"app={name}"))
    yield name
    cluster.kubectl("delete", "rc", name, "--wait=false")
    cluster.kubectl("delete", "pods", "-l", f"app={name}", "--grace-period=1")


@pytest.mark.seed("H01")
def test_a_killed_process_is_restarted_with_back_off(cluster: Cluster, rc: str) -> None:
    def status() -> dict[str, object]:
        found: dict[str, object] = cluster.pods(f"app={rc}")[0]["status"]["containerStatuses"][0]
        return found

    for count in (1, 2):
        pid = _pid_of(cluster, rc)
        os.kill(pid, signal.SIGKILL)
        eventually(lambda wanted=count: status()["restartCount"] == wanted and status()["ready"])
    last = status()["lastState"]
    assert isinstance(last, dict)
    assert last["terminated"]["exitCode"] == 137


@pytest.mark.seed("K01")
def test_a_deleted_pod_is_replaced_at_once(cluster: Cluster, rc: str) -> None:
    before = cluster.running(f"app={rc}")[0]["metadata"]["name"]
    start = time.monotonic()
    cluster.kubectl("delete", "pod", before, "--wait=false")
    eventually(lambda: [p for p in cluster.running(f"app={rc}") if p["metadata"]["name"] != before])
    print(f"replaced after {time.monotonic() - start:.2f} s")


@pytest.mark.seed("K03")
def test_scaling_up_and_down_settles_without_orphans(cluster: Cluster, rc: str) -> None:
    cluster.kubectl("scale", "rc", rc, "--replicas=20")
    eventually(lambda: len(cluster.running(f"app={rc}")) == 20, within_s=150)
    cluster.kubectl("scale", "rc", rc, "--replicas=2")
    eventually(lambda: len(cluster.get("pods", "-l", f"app={rc}")["items"]) == 2, within_s=60)
    assert len(cluster.running(f"app={rc}")) == 2
    eventually(lambda: cluster.get("rc", rc)["status"].get("readyReplicas") == 2, within_s=10)


@pytest.mark.seed("K06", "B09")
def test_labels_decide_who_belongs_to_a_controller(cluster: Cluster, rc: str) -> None:
    first = cluster.running(f"app={rc}")[0]["metadata"]["name"]
    cluster.kubectl("label", "pod", first, "app=released", "--overwrite")
    eventually(lambda: len(cluster.running(f"app={rc}")) == 1)
    released = cluster.get("pod", first)
    assert "ownerReferences" not in released["metadata"]
    cluster.kubectl("label", "pod", first, f"app={rc}", "--overwrite")
    eventually(lambda: len(cluster.pods(f"app={rc}")) == 1)
    eventually(lambda: cluster.pods(f"app={rc}")[0]["metadata"].get("ownerReferences"))


def _pid_of(cluster: Cluster, name: str) -> int:
    """Host pid of the only process of a pod's container, found by the pod's host name.

    The sandbox has that name, too; its death is another story.
    """
    pod = cluster.running(f"app={name}")[0]["metadata"]["name"]
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            environ = Path(f"/proc/{entry}/environ").read_bytes().split(b"\0")
            command = Path(f"/proc/{entry}/cmdline").read_bytes()
        except OSError:
            continue  # it ended meanwhile
        if f"HOSTNAME={pod}".encode() in environ and not command.startswith(b"/pause"):
            return int(entry)
    raise AssertionError(f"no process of {pod}")
