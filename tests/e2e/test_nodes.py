"""Three nodes in containers, each with an engine and pods of its own; they die and are cut off."""

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from appliance.host.engines import answers
from appliance.node.runtimes.detect import default_endpoint
from appliance.testing import ApplianceCluster
from appliance.testing.api import is_ready
from examples.guestbook.images.build import FRONTEND, build_frontend, build_redis
from examples.guestbook.images.closure import PYTHON_HOME
from tests.lab.cluster import KUBECTL

REPLICAS = 6
GUESTBOOK = Path(__file__).parents[2] / "examples/guestbook/guestbook.yaml"
WHO = """
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = os.environ["HOSTNAME"].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
http.server.ThreadingHTTPServer(("", 80), Handler).serve_forever()
"""
SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: @name@}
spec:
  type: NodePort
  selector: {app: @name@}
  ports: [{port: 80}]
"""
CONTROLLER = f"""
apiVersion: v1
kind: ReplicationController
metadata: {{name: @name@-@version@}}
spec:
  replicas: @count@
  selector: {{app: @name@, version: @version@}}
  template:
    metadata: {{labels: {{app: @name@, version: @version@}}}}
    spec:
      terminationGracePeriodSeconds: @grace@
      containers:
      - name: who
        image: {FRONTEND}
        command: ["{PYTHON_HOME}/bin/python3", "-I", "-S", "-c", {json.dumps(WHO)}]
        readinessProbe: {{httpGet: {{path: /, port: 80}}, periodSeconds: 1}}
"""
ASK = """
import sys, urllib.request
for url in sys.argv[1:]:
    try:
        print(urllib.request.urlopen(url, timeout=3).read().decode())
    except OSError as error:
        print("fault:", error)
"""
# For pods, whose image has little more than sockets.
ASK_PLAINLY = """
import socket, sys
with socket.create_connection((sys.argv[1], 80), timeout=3) as connection:
    connection.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
    answer = b"".join(iter(lambda: connection.recv(4096), b""))
print(answer.partition(b"\\r\\n\\r\\n")[2].decode())
"""
RESOLVE = "import socket, sys; print(socket.gethostbyname(sys.argv[1]))"
PODS = ("podman", "ps", "--filter", "label=io.kubernetes.container.name=who", "--format",
        '{{index .Labels "io.kubernetes.pod.name"}}')  # fmt: skip


@pytest.fixture(scope="module")
def busy() -> list[float]:
    """The machine's load before each cluster's start."""
    return []


@pytest.fixture(scope="module", params=["docker", pytest.param("podman", marks=pytest.mark.slow)])
def cluster(request: pytest.FixtureRequest, busy: list[float]) -> Iterator[ApplianceCluster]:
    """Three nodes in the containers of either engine; in them it is Podman, which starts faster."""
    outside = default_endpoint(request.param)
    if not answers(outside.removeprefix("unix://")):
        pytest.skip(f"no {request.param} answers at {outside}")
    images = [asyncio.run(build_frontend()), asyncio.run(build_redis())]
    made = ApplianceCluster(agents=2, docker_host=outside, engine="podman", images=images)
    busy.append(os.getloadavg()[0])
    with made:
        print(f"three nodes are ready on {request.param}: {made.phases}")
        yield made


@pytest.fixture
def pods(cluster: ApplianceCluster) -> list[dict[str, Any]]:
    """Pods of a replication controller, two on each node."""
    cluster.client.wait(lambda: ready(cluster) == set(cluster.nodes), timeout_s=90)
    cluster.apply(SERVICE.replace("@name@", "who"))
    cluster.apply(controller("who", "v1", count=REPLICAS, grace_s=1))
    cluster.client.wait_running("app=who", REPLICAS, timeout_s=90)
    if set(map(len, by_node(cluster).values())) != {2}:  # what an earlier test left
        for pod in cluster.client.find("Pod", selector="app=who"):
            cluster.client.delete(pod | {"apiVersion": "v1", "kind": "Pod"})
        cluster.client.wait(lambda: settled(cluster), timeout_s=90)
    return cluster.client.wait_running("app=who", REPLICAS, timeout_s=60)


def controller(name: str, version: str, *, count: int, grace_s: int) -> str:
    words = {"@name@": name, "@version@": version, "@count@": str(count), "@grace@": str(grace_s)}
    text = CONTROLLER
    for word, value in words.items():
        text = text.replace(word, value)
    return text


def ready(cluster: ApplianceCluster) -> set[str]:
    return {n["metadata"]["name"] for n in cluster.client.find("Node") if is_ready(n)}


def by_node(cluster: ApplianceCluster) -> dict[str, set[str]]:
    """Names of ready pods by node."""
    found: dict[str, set[str]] = {}
    for pod in cluster.client.find("Pod", selector="app=who"):
        if is_ready(pod):
            found.setdefault(pod["spec"]["nodeName"], set()).add(pod["metadata"]["name"])
    return found


def settled(cluster: ApplianceCluster) -> bool:
    """Whether all replicas are ready and nothing else is left of earlier ones."""
    everything = cluster.client.find("Pod", selector="app=who")
    return len(everything) == REPLICAS and all(map(is_ready, everything))


def here(cluster: ApplianceCluster, node: str) -> set[str]:
    """Pods that a node's engine runs, whatever the API says."""
    return set(cluster.node(node).run(*PODS).split())


def kubectl(cluster: ApplianceCluster, *argv: str) -> str:
    return run(cluster, KUBECTL, *argv)


def appliance(cluster: ApplianceCluster, *argv: str) -> str:
    return run(cluster, sys.executable, "-m", "appliance", *argv)


def run(cluster: ApplianceCluster, *argv: str) -> str:
    done = subprocess.run(
        argv,
        env={**os.environ, "KUBECONFIG": str(cluster.kubeconfig)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_three_nodes_are_ready_within_20_seconds(
    cluster: ApplianceCluster, busy: list[float]
) -> None:
    if busy[-1] > (os.cpu_count() or 1):
        pytest.skip(f"the machine was busy with other things (load {busy[-1]}): no figure")
    assert cluster.phases.api_s + cluster.phases.ready_s < 20


def test_the_guestbook_spreads_over_the_nodes_and_answers_on_each(
    cluster: ApplianceCluster,
) -> None:
    client = cluster.client
    cluster.apply(GUESTBOOK)
    pods = client.wait_running("app in (guestbook,redis)", 6)
    assert {pod["spec"]["nodeName"] for pod in pods} == set(cluster.nodes)
    port = client.get("Service", "frontend")["spec"]["ports"][0]["nodePort"]
    urls = [node.url(port) for node in cluster.nodes.values()]
    written = {"cmd": "set", "key": "messages", "value": ",from all nodes"}
    httpx.get(urls[0], params=written, trust_env=False).raise_for_status()

    def read(url: str) -> bool:
        answer = httpx.get(url, params={"cmd": "get", "key": "messages"}, trust_env=False)
        return bool(answer.json()["data"] == written["value"])

    for url in urls:  # a replica may be a moment behind
        client.wait(lambda url=url: read(url), timeout_s=10)
    client.delete(GUESTBOOK)
    client.wait(lambda: not client.find("Pod"))


def test_every_node_reaches_every_pod_and_the_service(
    cluster: ApplianceCluster, pods: list[dict[str, Any]]
) -> None:
    assert {node: len(names) for node, names in by_node(cluster).items()} == dict.fromkeys(
        cluster.nodes, 2
    )
    service = cluster.client.get("Service", "who")["spec"]
    urls = [f"http://{pod['status']['podIP']}/" for pod in pods]
    names = [pod["metadata"]["name"] for pod in pods]
    for node in cluster.nodes.values():
        assert node.run("python3", "-c", ASK, *urls).split() == names
        answers = node.run("python3", "-c", ASK, *[f"http://{service['clusterIP']}/"] * 60)
        assert set(answers.split()) == set(names)
        url = node.url(service["ports"][0]["nodePort"])
        assert {httpx.get(url, trust_env=False).text for _ in range(60)} == set(names)


@pytest.mark.seed("S19")
def test_pods_on_every_node_resolve_names_and_reach_the_service_by_name(
    cluster: ApplianceCluster, pods: list[dict[str, Any]]
) -> None:
    address = cluster.client.get("Service", "who")["spec"]["clusterIP"]
    for pod in {pod["spec"]["nodeName"]: pod for pod in pods}.values():
        python = ["exec", pod["metadata"]["name"], "--", f"{PYTHON_HOME}/bin/python3", "-I", "-S"]
        for name in ("who", "who.default.svc.cluster.local"):
            assert kubectl(cluster, *python, "-c", RESOLVE, name).strip() == address
        answer = kubectl(cluster, *python, "-c", ASK_PLAINLY, "who").strip()
        assert answer in {one["metadata"]["name"] for one in pods}


def test_a_drained_node_is_empty_until_it_is_uncordoned(
    cluster: ApplianceCluster, pods: list[dict[str, Any]]
) -> None:
    assert pods
    kubectl(cluster, "drain", "agent-1", "--timeout=60s")
    cluster.client.wait(lambda: settled(cluster))
    assert set(by_node(cluster)) == {"server", "agent-2"}
    assert here(cluster, "agent-1") == set()
    kubectl(cluster, "uncordon", "agent-1")
    kubectl(cluster, "delete", "pods", "-l", "app=who", "--wait=false")
    cluster.client.wait(lambda: "agent-1" in by_node(cluster))


STORED = f"""
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {{name: stored}}
spec: {{accessModes: [ReadWriteOnce], resources: {{requests: {{storage: 1Mi}}}}}}
---
apiVersion: v1
kind: ReplicationController
metadata: {{name: stored}}
spec:
  replicas: 1
  selector: {{app: stored}}
  template:
    metadata: {{labels: {{app: stored}}}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: who
        image: {FRONTEND}
        command: ["{PYTHON_HOME}/bin/python3", "-I", "-S", "-c",
          "open('/data/starts', 'a').write('x'); import time; time.sleep(3600)"]
        volumeMounts: [{{name: data, mountPath: /data}}]
      volumes: [{{name: data, persistentVolumeClaim: {{claimName: stored}}}}]
"""


@pytest.mark.slow
def test_a_pod_goes_where_its_data_is_and_waits_for_that_node(cluster: ApplianceCluster) -> None:
    client = cluster.client
    cluster.apply(STORED)
    (pod,) = client.wait_running("app=stored", 1)
    home = pod["spec"]["nodeName"]

    def written() -> str:
        return cluster.node(home).run("sh", "-c", "cat /var/lib/appliance/storage/*/starts")

    client.wait(lambda: written() == "x")
    kubectl(cluster, "cordon", home)
    kubectl(cluster, "delete", "pod", pod["metadata"]["name"])
    why = "2 node(s) didn't match PersistentVolume's node affinity"
    messages = ("get", "events", "-o", "jsonpath={.items[*].message}")
    client.wait(lambda: why in kubectl(cluster, *messages))
    kubectl(cluster, "uncordon", home)
    (pod,) = client.wait_running("app=stored", 1)
    assert pod["spec"]["nodeName"] == home
    client.wait(lambda: written() == "xx")
    kubectl(cluster, "delete", "rc/stored", "pvc/stored", "--timeout=60s")
    client.wait(lambda: not client.find("PersistentVolume"))
    assert cluster.node(home).run("ls", "/var/lib/appliance/storage") == ""


class Traffic:
    """Asks a URL over and over, each time on a new connection, and keeps count."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._over = threading.Event()
        self.served: Counter[str] = Counter()
        self.faults: list[str] = []

    def run(self) -> None:
        while not self._over.is_set():
            try:
                answer = httpx.get(self._url, timeout=5, trust_env=False)
                self.served[answer.raise_for_status().text.rsplit("-", 1)[0]] += 1
            except httpx.HTTPError as fault:
                self.faults.append(repr(fault))

    def stop(self) -> None:
        self._over.set()


def test_a_rolling_update_under_traffic_loses_no_request(
    cluster: ApplianceCluster, tmp_path: Path
) -> None:
    cluster.client.wait(lambda: ready(cluster) == set(cluster.nodes), timeout_s=90)
    service = SERVICE.replace("@name@", "shop")
    cluster.apply(service)
    # A pod that is told to go serves on for its time of grace, until every node has heard of it.
    cluster.apply(controller("shop", "v1", count=3, grace_s=4))
    cluster.client.wait_running("app=shop", 3)
    successor = tmp_path / "v2.yaml"
    successor.write_text(controller("shop", "v2", count=3, grace_s=4))
    port = cluster.client.get("Service", "shop")["spec"]["ports"][0]["nodePort"]
    traffic = [Traffic(node.url(port)) for node in cluster.nodes.values()]
    argv = ["rolling-update", "shop-v1", "-f", str(successor)]
    with ThreadPoolExecutor(len(traffic)) as pool:
        ends = [pool.submit(one.run) for one in traffic]
        try:
            appliance(cluster, *argv, "--update-period", "1s", "--poll-interval", "500ms")
            cluster.client.wait(lambda: len(cluster.client.find("Pod", selector="app=shop")) == 3)
        finally:
            for one in traffic:
                one.stop()
        for end in ends:
            end.result()
    print([dict(one.served) for one in traffic])
    assert [one.faults for one in traffic] == [[], [], []]
    assert all(one.served["shop-v1"] and one.served["shop-v2"] for one in traffic)
    cluster.client.delete(successor)
    cluster.client.delete(service)
    cluster.client.wait(lambda: not cluster.client.find("Pod", selector="app=shop"))


@pytest.mark.slow
@pytest.mark.seed("K08", "P06")
def test_a_killed_nodes_pods_come_up_elsewhere_within_a_minute_and_it_returns(
    cluster: ApplianceCluster, pods: list[dict[str, Any]]
) -> None:
    assert pods
    begun = time.monotonic()
    cluster.node("agent-2").kill()
    cluster.client.wait(lambda: "agent-2" not in ready(cluster), timeout_s=60)
    print(f"not ready after {time.monotonic() - begun:.1f} s")

    def elsewhere() -> bool:
        found = by_node(cluster)
        return sum(len(names) for node, names in found.items() if node != "agent-2") == REPLICAS

    cluster.client.wait(elsewhere, timeout_s=60)
    took_s = time.monotonic() - begun
    print(f"all pods elsewhere after {took_s:.1f} s")
    assert took_s < 60
    cluster.node("agent-2").start()
    cluster.client.wait(lambda: "agent-2" in ready(cluster), timeout_s=60)
    cluster.client.wait(lambda: settled(cluster))
    wanted = by_node(cluster).get("agent-2", set())
    cluster.client.wait(lambda: here(cluster, "agent-2") == wanted, timeout_s=30)


@pytest.mark.slow
def test_a_node_that_is_cut_off_runs_on_and_is_put_right_when_it_is_back(
    cluster: ApplianceCluster, pods: list[dict[str, Any]]
) -> None:
    before = {p["metadata"]["name"] for p in pods if p["spec"]["nodeName"] == "agent-1"}
    cluster.node("agent-1").cut()
    cluster.client.wait(lambda: "agent-1" not in ready(cluster), timeout_s=60)

    def elsewhere() -> bool:
        found = by_node(cluster)
        return sum(len(names) for node, names in found.items() if node != "agent-1") == REPLICAS

    cluster.client.wait(elsewhere)
    assert here(cluster, "agent-1") == before, "nobody can tell it to stop them, so it must not"
    cluster.node("agent-1").heal()
    cluster.client.wait(lambda: "agent-1" in ready(cluster), timeout_s=60)
    cluster.client.wait(lambda: settled(cluster))
    wanted = by_node(cluster).get("agent-1", set())
    cluster.client.wait(lambda: here(cluster, "agent-1") == wanted, timeout_s=30)
    assert not before & wanted


def test_a_paused_node_goes_on_where_it_was(
    cluster: ApplianceCluster, pods: list[dict[str, Any]]
) -> None:
    pod = next(pod for pod in pods if pod["spec"]["nodeName"] == "agent-2")
    url = f"http://{pod['status']['podIP']}/"
    server, agent = cluster.node("server"), cluster.node("agent-2")
    agent.pause()
    assert server.run("python3", "-c", ASK, url).startswith("fault:")
    agent.unpause()
    assert server.run("python3", "-c", ASK, url).strip() == pod["metadata"]["name"]


@pytest.mark.seed("E07")
def test_a_deleted_node_is_forgotten_until_it_joins_again(
    cluster: ApplianceCluster, pods: list[dict[str, Any]]
) -> None:
    assert pods
    cidr = cluster.client.get("Node", "agent-2", namespace="")["spec"]["podCIDR"]
    server = cluster.node("server")
    kubectl(cluster, "drain", "agent-2", "--timeout=60s")
    cluster.node("agent-2").kill()
    kubectl(cluster, "delete", "node", "agent-2")
    cluster.client.wait(lambda: cidr not in server.run("ip", "route"), timeout_s=10)
    cluster.node("agent-2").start()
    cluster.client.wait(lambda: ready(cluster) == set(cluster.nodes))
    node = cluster.client.get("Node", "agent-2", namespace="")
    assert node["spec"].get("unschedulable") is None
    cidr = node["spec"]["podCIDR"]
    cluster.client.wait(lambda: cidr in server.run("ip", "route"), timeout_s=10)
