"""The guestbook of `examples/`, and what must not disturb it."""

import threading
import time
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

from tests.lab.cluster import Cluster, eventually

MANIFEST = Path(__file__).parents[2] / "examples" / "guestbook" / "guestbook.yaml"
COUNTS = {"redis-master": 1, "redis-slave": 2, "frontend": 3}


@pytest.fixture(scope="module")
def guestbook(cluster: Cluster) -> str:
    """The frontend's URL by the node's own address."""
    text = MANIFEST.read_text().replace("    nodePort: 30080\n", "")
    cluster.apply(text)
    for name, count in COUNTS.items():
        eventually(
            lambda n=name, c=count: cluster.get("rc", n)["status"].get("readyReplicas") == c,
            within_s=120,
        )
    service = cluster.get("service", "frontend")
    return f"http://127.0.0.1:{service['spec']['ports'][0]['nodePort']}"


def fetch(url: str) -> str:
    with urllib.request.urlopen(url, timeout=5) as answer:
        return str(answer.read().decode())


@pytest.mark.conformance(170)
@pytest.mark.seed("X03", "X04")
def test_a_message_posted_through_one_replica_is_read_through_the_others(
    cluster: Cluster, guestbook: str
) -> None:
    message = f"hello-{time.time_ns()}"
    addresses = [p["status"]["podIP"] for p in cluster.running("app=guestbook,tier=frontend")]
    assert len(addresses) == 3
    value = urllib.parse.quote(message)
    fetch(f"http://{addresses[0]}/?cmd=set&key=messages&value={value}")
    for address in addresses[1:]:
        eventually(
            lambda a=address: message in fetch(f"http://{a}/?cmd=get&key=messages"), within_s=10
        )
    assert message in fetch(f"{guestbook}/?cmd=get&key=messages")
    cluster_ip = cluster.get("service", "frontend")["spec"]["clusterIP"]
    assert message in fetch(f"http://{cluster_ip}/?cmd=get&key=messages")


@pytest.mark.seed("S15")
def test_pods_know_services_by_environment(cluster: Cluster, guestbook: str) -> None:
    pod = cluster.running("app=guestbook,tier=frontend")[0]["metadata"]["name"]
    logs = cluster.kubectl("logs", pod)
    assert guestbook
    assert "REDIS_MASTER_SERVICE_HOST" in logs, "the frontend prints its service variables at start"


@pytest.mark.seed("E01")
def test_traffic_goes_on_while_server_and_agent_are_killed(
    cluster: Cluster, guestbook: str
) -> None:
    def ids() -> dict[str, tuple[str, int]]:
        return {
            p["metadata"]["name"]: (c["containerID"], c["restartCount"])
            for p in cluster.get("pods")["items"]
            for c in p["status"]["containerStatuses"]
        }

    before = ids()
    revision = cluster.revision()
    failures: list[str] = []
    done = threading.Event()

    def traffic() -> None:
        while not done.wait(0.02):
            try:
                fetch(f"{guestbook}/healthz")
            except OSError as error:
                failures.append(str(error))

    thread = threading.Thread(target=traffic)
    thread.start()
    try:
        agent = cluster.agent_pid()
        cluster.kill()
        eventually(lambda: not Path(f"/proc/{agent}").exists(), within_s=20)
        cluster.start()
        eventually(lambda: ids() == before, within_s=30)
    finally:
        done.set()
        thread.join()
    assert failures == []
    assert cluster.revision() >= revision
    cluster.kubectl("label", "rc", "frontend", f"touched=t{time.time_ns()}")
    assert int(cluster.get("rc", "frontend")["metadata"]["resourceVersion"]) > revision
