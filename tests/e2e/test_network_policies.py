"""Network policies on real engines: who reaches whom, as pods themselves see it."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.lab import shell_image
from tests.lab.cluster import Cluster, eventually
from tests.lab.pods import Json, box, many, pod

SPACE = "walls"
SERVE = "mkdir -p /www; echo hello > /www/index.html; exec httpd -f -p 8080 -h /www"
WAIT = "trap exit TERM; while :; do usleep 200000; done"
READY: Json = {
    "readinessProbe": {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1},
    "ports": [{"name": "http", "containerPort": 8080}],
}


@pytest.fixture
def walls(cluster: Cluster, engine: str) -> Iterator[Cluster]:
    """A namespace with web and its service, friend and stranger."""
    shell_image.load(engine)
    cluster.kubectl("create", "namespace", SPACE)
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web"},
        "spec": {"selector": {"pod": "web"}, "ports": [{"port": 80, "targetPort": "http"}]},
    }
    pods = (
        pod("web", box("c", SERVE, **READY)),
        pod("friend", box("c", WAIT)),
        pod("stranger", box("c", WAIT)),
    )
    cluster.run("apply", "-n", SPACE, "-f", "-", stdin=many(service, *pods))
    cluster.kubectl("wait", "-n", SPACE, "--for=condition=Ready", "pod", "--all", "--timeout=60s")
    yield cluster
    cluster.kubectl("delete", "namespace", SPACE)


def reaches(cluster: Cluster, who: str, address: str, port: int) -> bool:
    asked = cluster.run("exec", "-n", SPACE, who, "--", "sh", "-c", ask(address, port))
    return "hello" in asked.stdout


def ask(address: str, port: int) -> str:
    return f"printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 1 {address} {port}"


def wall(cluster: Cluster, name: str, spec: dict[str, Any]) -> None:
    body = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name},
        "spec": spec,
    }
    done = cluster.run("apply", "-n", SPACE, "-f", "-", stdin=json.dumps(body))
    assert done.returncode == 0, done.stderr


def select(name: str) -> Json:
    return {"podSelector": {"matchLabels": {"pod": name}}}


def test_policies_hold_between_pods_of_one_node_and_go_with_their_objects(walls: Cluster) -> None:
    web = walls.get("pod", "-n", SPACE, "web")["status"]["podIP"]
    direct, service = (
        (web, 8080),
        (walls.get("service", "-n", SPACE, "web")["spec"]["clusterIP"], 80),
    )
    assert reaches(walls, "stranger", *direct)
    assert reaches(walls, "stranger", *service)

    wall(walls, "nobody", {"podSelector": {}, "policyTypes": ["Ingress"]})
    eventually(lambda: not reaches(walls, "stranger", *direct), within_s=10)
    assert not reaches(walls, "friend", *service)

    friend_may = {**select("web"), "ingress": [{"from": [select("friend")],
                  "ports": [{"port": "http"}]}]}  # fmt: skip
    wall(walls, "friend-may", friend_may)
    eventually(lambda: reaches(walls, "friend", *service), within_s=10)
    assert reaches(walls, "friend", *direct)
    assert not reaches(walls, "stranger", *service)
    conditions = walls.get("pod", "-n", SPACE, "web")["status"]["conditions"]
    ready = next(c["status"] for c in conditions if c["type"] == "Ready")
    assert ready == "True", "probes come from the node"

    wall(walls, "stay", {**select("friend"), "policyTypes": ["Egress"]})
    eventually(lambda: not reaches(walls, "friend", *service), within_s=10)

    walls.kubectl("delete", "networkpolicy", "-n", SPACE, "--all")
    eventually(lambda: reaches(walls, "stranger", *service), within_s=10)
    assert reaches(walls, "friend", *direct)


def test_a_new_pod_is_guarded_from_its_first_packet_on(walls: Cluster) -> None:
    wall(walls, "stay", {**select("early"), "policyTypes": ["Egress"]})
    web = walls.get("pod", "-n", SPACE, "web")["status"]["podIP"]
    early = pod("early", box("c", f"{ask(web, 8080)}; echo asked; {WAIT}"))
    walls.run("apply", "-n", SPACE, "-f", "-", stdin=many(early))
    logs = eventually(lambda: _asked(walls.run("logs", "-n", SPACE, "early").stdout), within_s=60)
    assert "hello" not in logs


def _asked(logs: str) -> str:
    return logs if "asked" in logs else ""
