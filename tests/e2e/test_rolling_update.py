"""`appliance rolling-update` on real engines: under traffic, stopped and resumed, turned back."""

import json
import signal
import threading
import urllib.request
from collections.abc import Iterator
from typing import Self

import pytest

from examples.guestbook.images.build import FRONTEND
from tests.lab.cluster import Cluster, eventually
from tests.lab.frontends import MISSING, SECOND, load_second

QUICK = ("--update-period", "500ms", "--poll-interval", "200ms")
# A pod stays for a moment after it has left the endpoints: proxies and clients need to hear of it.
MANIFEST = """
apiVersion: v1
kind: ReplicationController
metadata: {{name: rolled}}
spec:
  replicas: 3
  selector: {{app: rolled}}
  template:
    metadata: {{labels: {{app: rolled}}}}
    spec:
      terminationGracePeriodSeconds: 5
      containers:
      - name: web
        image: {image}
        imagePullPolicy: IfNotPresent
        ports: [{{name: http, containerPort: 80}}]
        readinessProbe: {{httpGet: {{path: /healthz, port: http}}, periodSeconds: 1}}
        lifecycle: {{preStop: {{sleep: {{seconds: 2}}}}}}
---
apiVersion: v1
kind: Service
metadata: {{name: rolled}}
spec:
  selector: {{app: rolled}}
  type: NodePort
  ports: [{{port: 80, targetPort: http}}]
"""


@pytest.fixture
def rolled(cluster: Cluster) -> Iterator[Cluster]:
    load_second(cluster.runtime)
    cluster.apply(MANIFEST.format(image=FRONTEND))
    eventually(lambda: len(cluster.running("app=rolled")) == 3)
    yield cluster
    cluster.kubectl("delete", "rc", "-l", "app=rolled", "--wait=false")
    cluster.kubectl("delete", "svc", "rolled")
    cluster.kubectl("delete", "pods", "-l", "app=rolled", "--grace-period=1")


class Traffic:
    """Requests one after the other on a new connection each, until it is left."""

    def __init__(self, url: str) -> None:
        self.sent = 0
        self.failures: list[str] = []
        self._url = url
        self._done = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(4)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while not self._done.wait(0.01):
            self.sent += 1
            try:
                with urllib.request.urlopen(self._url, timeout=5) as answer:
                    assert answer.read()
            except OSError as error:
                self.failures.append(str(error))


@pytest.mark.seed("K09", "X05")
def test_under_traffic_stopped_and_resumed_no_request_fails(rolled: Cluster) -> None:
    node_port = rolled.get("svc", "rolled")["spec"]["ports"][0]["nodePort"]
    argv = ("rolled", "--image", SECOND, *QUICK, "--timeout", "60s", "--kubeconfig",
            str(rolled.kubeconfig))  # fmt: skip
    with Traffic(f"http://127.0.0.1:{node_port}/healthz") as traffic:
        with rolled.start_appliance("rolling-update", *argv) as first:
            assert first.stdout is not None
            eventually(lambda: "down to 2" in str(first.stdout.readline()))
            first.send_signal(signal.SIGINT)
            _, said = first.communicate(timeout=20)
            assert (first.returncode, "the same command goes on" in said) == (1, True), said
        assert len(rolled.get("rc", "-l", "app=rolled")["items"]) == 2
        done = rolled.appliance("rolling-update", *argv, "-o", "json")
        # the last old pods are on their way out: traffic goes on until they have gone
        eventually(lambda: len(rolled.get("pods", "-l", "app=rolled")["items"]) == 3)
    print(f"{traffic.sent} requests, {len(traffic.failures)} failed")
    assert traffic.failures == []
    assert traffic.sent > 100
    final = json.loads(done.stdout)
    assert (final["metadata"]["name"], final["spec"]["replicas"]) == ("rolled", 3)
    assert [rc["metadata"]["name"] for rc in rolled.get("rc", "-l", "app=rolled")["items"]] == [
        "rolled"
    ]
    assert images(rolled) == [SECOND] * 3


def test_a_missing_image_stops_it_and_rollback_restores(rolled: Cluster) -> None:
    before = {p["metadata"]["name"] for p in rolled.running("app=rolled")}
    config = ("--kubeconfig", str(rolled.kubeconfig))
    missing = rolled.appliance(
        "rolling-update", "rolled", "--image", MISSING, *QUICK, "--timeout", "4s", *config,
        check=False,
    )  # fmt: skip
    assert missing.returncode == 1
    assert "0 of 1 pods available" in missing.stderr
    assert len([n for n in rolled.running("app=rolled") if n["metadata"]["name"] in before]) == 3
    back = rolled.appliance("rolling-update", "rolled", "--rollback", *QUICK, *config)
    assert "replicationcontroller/rolled rolled back" in back.stdout
    eventually(lambda: {p["metadata"]["name"] for p in rolled.pods("app=rolled")} == before)
    assert images(rolled) == [FRONTEND] * 3


def images(cluster: Cluster) -> list[str]:
    return [p["spec"]["containers"][0]["image"] for p in cluster.running("app=rolled")]
