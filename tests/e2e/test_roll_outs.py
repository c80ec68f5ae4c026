"""Roll-outs under 500 requests a second while the master is killed: `make roll-outs`.

A Deployment by stock kubectl and a replication controller by `appliance rolling-update`: not one
request fails, a broken image stops the roll-out and says so, going back restores.
"""

import os
import subprocess
from collections.abc import Iterator

import pytest

from examples.guestbook.images.build import FRONTEND
from tests.lab.cluster import Cluster, eventually
from tests.lab.frontends import MISSING, SECOND, load_second
from tests.lab.load import Load, Outcome

RATE = int(os.environ.get("RATE", "500"))
REPLICAS = 4
TEMPLATE = """
    metadata: {{labels: {{app: {name}}}}}
    spec:
      terminationGracePeriodSeconds: 8
      containers:
      - name: web
        image: {image}
        imagePullPolicy: IfNotPresent
        ports: [{{name: http, containerPort: 80}}]
        readinessProbe: {{httpGet: {{path: /healthz, port: http}}, periodSeconds: 1}}
        # proxies and clients need a moment to hear that it leaves
        lifecycle: {{preStop: {{sleep: {{seconds: 3}}}}}}
---
apiVersion: v1
kind: Service
metadata: {{name: {name}}}
spec:
  selector: {{app: {name}}}
  type: NodePort
  ports: [{{port: 80, targetPort: http}}]
"""
DEPLOYMENT = (
    """
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}}}
spec:
  replicas: {replicas}
  progressDeadlineSeconds: 30
  strategy: {{rollingUpdate: {{maxSurge: 1, maxUnavailable: 0}}}}
  selector: {{matchLabels: {{app: {name}}}}}
  template:"""
    + TEMPLATE
)
CONTROLLER = (
    """
apiVersion: v1
kind: ReplicationController
metadata: {{name: {name}}}
spec:
  replicas: {replicas}
  selector: {{app: {name}}}
  template:"""
    + TEMPLATE
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
def rolled(own_cluster: Cluster) -> Iterator[Cluster]:
    load_second(own_cluster.runtime)
    yield own_cluster
    for what in ("deployment", "rc", "svc"):
        own_cluster.kubectl("delete", what, "roll", "--ignore-not-found", "--wait=false")
    eventually(lambda: own_cluster.get("pods", "-l", "app=roll")["items"] == [])


def test_a_deployment_rolls_stops_and_goes_back(rolled: Cluster) -> None:
    url = serve(rolled, DEPLOYMENT)
    with Load(url, RATE) as load:
        rolled.kubectl("set", "image", "deployment/roll", f"web={SECOND}")
        eventually(lambda: 0 < images(rolled).count(SECOND) < REPLICAS)
        rolled.kill()
        rolled.start()
        rolls_out(rolled)
        eventually(lambda: images(rolled) == [SECOND] * REPLICAS)
        rolled.kubectl("set", "image", "deployment/roll", f"web={MISSING}")
        stopped = rolled.run("rollout", "status", "deployment/roll", "--timeout=120s")
        assert stopped.returncode != 0
        assert "exceeded its progress deadline" in stopped.stderr
        assert len(rolled.running("app=roll")) == REPLICAS, "none of the old ones went"
        rolled.kubectl("rollout", "undo", "deployment/roll")
        rolls_out(rolled)
        eventually(lambda: settled(rolled))
    judge(load.outcome)
    assert images(rolled) == [SECOND] * REPLICAS


def test_a_controller_rolls_stops_and_goes_back(rolled: Cluster) -> None:
    url = serve(rolled, CONTROLLER)
    config = ("--kubeconfig", str(rolled.kubeconfig))
    quick = ("--update-period", "500ms", "--poll-interval", "200ms", *config)
    argv = ("rolling-update", "roll", "--image", SECOND, *quick, "--timeout", "120s")
    with Load(url, RATE) as load:
        with rolled.start_appliance(*argv) as first:
            assert first.stdout is not None
            eventually(lambda: f"down to {REPLICAS - 2}" in str(first.stdout.readline()))
            rolled.kill()
            rolled.start()
            said = finish(first)
        # It may have outlived the master, or have given up: then the same command goes on.
        if first.returncode:
            assert "the same command goes on" in said, said
            rolled.appliance(*argv)
        eventually(lambda: images(rolled) == [SECOND] * REPLICAS)
        broken = ("rolling-update", "roll", "--image", MISSING, *quick, "--timeout", "5s")
        missing = rolled.appliance(*broken, check=False)
        assert missing.returncode == 1
        assert "0 of 1 pods available" in missing.stderr
        assert len(rolled.running("app=roll")) == REPLICAS
        rolled.appliance("rolling-update", "roll", "--rollback", *quick)
        eventually(lambda: settled(rolled))
    judge(load.outcome)
    assert images(rolled) == [SECOND] * REPLICAS
    assert [rc["metadata"]["name"] for rc in rolled.get("rc")["items"]] == ["roll"]


def serve(cluster: Cluster, manifest: str) -> str:
    """Start the old version; the address at which the node serves it."""
    cluster.apply(manifest.format(name="roll", image=FRONTEND, replicas=REPLICAS))
    eventually(lambda: len(cluster.running("app=roll")) == REPLICAS)
    port = cluster.get("svc", "roll")["spec"]["ports"][0]["nodePort"]
    return f"http://127.0.0.1:{port}/healthz"


def rolls_out(cluster: Cluster) -> None:
    done = cluster.run("rollout", "status", "deployment/roll", "--timeout=180s")
    if done.returncode:
        pods = cluster.run("describe", "pods", "-l", "app=roll").stdout
        raise AssertionError(f"{done.stderr}\n{pods}\n{cluster.tail(20)}")


def judge(outcome: Outcome) -> None:
    print(f"\n{outcome.sent} requests at {outcome.rate:.0f}/s, p99 {outcome.p99_s * 1000:.0f} ms, "
          f"failed {outcome.failures}, late {outcome.slipped}")  # fmt: skip
    assert outcome.failures == {}
    assert outcome.rate > 0.95 * RATE


def images(cluster: Cluster) -> list[str]:
    return [p["spec"]["containers"][0]["image"] for p in cluster.running("app=roll")]


def settled(cluster: Cluster) -> bool:
    """Whether all pods that there are, those on their way out too, are the wanted ones."""
    there = cluster.get("pods", "-l", "app=roll")["items"]
    return len(there) == REPLICAS == len(cluster.running("app=roll"))


def finish(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=180)
    return out + err
