"""The walkthroughs of 2014, step by step, with today's manifests and a stock kubectl.

One small web server stands in for the images of the time: it says which pod it is, of which track,
whom it sees, and what its environment is.
"""

import json
import threading
import urllib.request
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from examples.guestbook.images.build import FRONTEND, PYTHON_HOME
from tests.lab.cluster import Cluster, eventually
from tests.lab.frontends import SECOND, load_second

WEB = """
import http.server, json, os, socket
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        told = {"pod": socket.gethostname(), "track": os.environ.get("TRACK", ""),
                "peer": self.client_address[0], "env": dict(os.environ)}
        body = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args): pass
http.server.ThreadingHTTPServer(("", 80), Page).serve_forever()
"""
COMMAND = [f"{PYTHON_HOME}/bin/python3", "-I", "-S", "-c", WEB]
Json = dict[str, Any]


def spec(*, image: str = FRONTEND, track: str = "", **container: Any) -> Json:
    return {
        "terminationGracePeriodSeconds": 1,
        "containers": [
            {
                "name": "web",
                "image": image,
                "imagePullPolicy": "IfNotPresent",
                "command": COMMAND,
                "env": [{"name": "TRACK", "value": track}],
                "ports": [{"containerPort": 80}],
                "readinessProbe": {"tcpSocket": {"port": 80}, "periodSeconds": 1},
                **container,
            }
        ],
    }


def obj(kind: str, name: str, spec: Json | None, /, **labels: str) -> Json:
    meta = {"name": name, "labels": {"story": "walk", **labels}}
    return {"apiVersion": "v1", "kind": kind, "metadata": meta, **({"spec": spec} if spec else {})}


def controller(
    called: str, replicas: int, /, *, template: Json | None = None, **labels: str
) -> Json:
    pod = {"metadata": {"labels": {"story": "walk", **labels}}, "spec": template or spec()}
    body = {"replicas": replicas, "selector": labels, "template": pod}
    return obj("ReplicationController", called, body, **labels)


def service(name: str, port: int, *, selector: Json | None = None, **more: Any) -> Json:
    body = {"ports": [{"port": port, "targetPort": 80}], **more}
    return obj("Service", name, body | ({"selector": selector} if selector else {}))


@pytest.fixture
def walk(cluster: Cluster) -> Iterator[Cluster]:
    yield cluster
    cluster.kubectl("delete", "rc,svc,pod", "-l", "story=walk", "--grace-period=1")


def make(cluster: Cluster, *objects: Json) -> None:
    cluster.apply("\n---\n".join(json.dumps(one) for one in objects))


def ask(address: str, port: int = 80, timeout_s: float = 5.0) -> Json:
    with urllib.request.urlopen(f"http://{address}:{port}/", timeout=timeout_s) as answer:
        told: Json = json.load(answer)
        return told


def address_of(cluster: Cluster, name: str) -> str:
    return str(cluster.get("service", name)["spec"]["clusterIP"])


def addresses(cluster: Cluster, name: str) -> list[str]:
    """The ready addresses that the Endpoints object names."""
    subsets = cluster.get("endpoints", name).get("subsets", [])
    return [a["ip"] for s in subsets for a in s.get("addresses", [])]


@pytest.mark.seed("X01", "S01", "S08", "S15", "S16", "S17")
def test_pod_then_controller_then_service(walk: Cluster) -> None:
    make(walk, obj("Pod", "nginx", spec()))
    pod = eventually(lambda: walk.running("story=walk"))[0]
    assert ask(pod["status"]["podIP"])["pod"] == "nginx"
    make(
        walk,
        controller("web-rc", 2, name="walk-web"),
        service("walk-example", 8000, selector={"name": "walk-web"}),
    )
    eventually(lambda: len(addresses(walk, "walk-example")) == 2)
    virtual = address_of(walk, "walk-example")
    names = {p["metadata"]["name"] for p in walk.running("name=walk-web")}
    eventually(lambda: {ask(virtual, 8000)["pod"] for _ in range(20)} == names)

    # A pod that comes later knows the service by seven variables; one that was there does not.
    make(walk, obj("Pod", "later", spec(), when="later"))
    later = eventually(lambda: walk.running("when=later"))[0]
    env = ask(later["status"]["podIP"])["env"]
    ours = {k: v for k, v in env.items() if k.startswith("WALK_EXAMPLE_")}
    assert ours == {
        "WALK_EXAMPLE_SERVICE_HOST": virtual,
        "WALK_EXAMPLE_SERVICE_PORT": "8000",
        "WALK_EXAMPLE_PORT": f"tcp://{virtual}:8000",
        "WALK_EXAMPLE_PORT_8000_TCP": f"tcp://{virtual}:8000",
        "WALK_EXAMPLE_PORT_8000_TCP_PROTO": "tcp",
        "WALK_EXAMPLE_PORT_8000_TCP_PORT": "8000",
        "WALK_EXAMPLE_PORT_8000_TCP_ADDR": virtual,
    }
    before = ask(pod["status"]["podIP"])["env"]
    assert not [name for name in before if name.startswith("WALK_EXAMPLE_")]
    assert "KUBERNETES_SERVICE_HOST" in before


@pytest.mark.seed("X01", "H02")
def test_the_health_check_of_the_walkthrough_asks_a_port_that_nobody_has(walk: Cluster) -> None:
    probe = {
        "httpGet": {"path": "/_status/healthz", "port": 8080},
        "initialDelaySeconds": 1,
        "periodSeconds": 1,
        "failureThreshold": 1,
    }
    make(walk, obj("Pod", "checked", spec(livenessProbe=probe), case="checked"))

    def restarts() -> int:
        (pod,) = walk.pods("case=checked")
        return sum(c["restartCount"] for c in pod["status"].get("containerStatuses", []))

    eventually(lambda: restarts() >= 1)


@pytest.mark.conformance(184, 185)
@pytest.mark.seed("X05", "S04", "K03", "K09")
def test_update_demo(walk: Cluster) -> None:
    load_second(walk.runtime)
    second = SECOND
    make(
        walk,
        controller("update-demo", 2, name="update-demo"),
        service("update-demo", 80, selector={"name": "update-demo"}),
    )
    for count in (2, 4, 1, 2):
        walk.kubectl("scale", "rc", "update-demo", f"--replicas={count}")
        eventually(lambda n=count: len(addresses(walk, "update-demo")) == n)
    walk.appliance(
        "rolling-update", "update-demo", "--image", second, "--update-period", "0s",
        "--poll-interval", "200ms", "--kubeconfig", str(walk.kubeconfig),
    )  # fmt: skip
    pods = walk.running("name=update-demo")
    assert [p["spec"]["containers"][0]["image"] for p in pods] == [second] * 2
    assert sorted(addresses(walk, "update-demo")) == sorted(p["status"]["podIP"] for p in pods)
    walk.kubectl("scale", "rc", "update-demo", "--replicas=0")
    # Those that still end their work serve on while nobody else does; then nobody does.
    virtual = address_of(walk, "update-demo")
    eventually(lambda: "refused" in why_not(virtual))
    assert walk.pods("name=update-demo") == []
    walk.kubectl("delete", "rc", "update-demo")


@pytest.mark.seed("B08", "K11")
def test_a_canary_takes_its_share_of_a_service_over_both_tracks(walk: Cluster) -> None:
    make(
        walk,
        controller("stable", 3, template=spec(track="stable"), app="bird", track="stable"),
        controller("canary", 1, template=spec(track="canary"), app="bird", track="canary"),
        service("bird", 80, selector={"app": "bird"}),
    )
    eventually(lambda: len(addresses(walk, "bird")) == 4)
    virtual = address_of(walk, "bird")
    eventually(lambda: len({ask(virtual)["pod"] for _ in range(40)}) == 4)
    share = Counter(ask(virtual)["track"] for _ in range(200))["canary"] / 200
    assert 0.1 < share < 0.45, "a quarter of the pods, so about a quarter of the requests"
    assert len(walk.running("app=bird,track=stable")) == 3
    assert len(walk.running("app=bird,track notin (stable)")) == 1


@pytest.mark.seed("S05")
def test_a_service_without_selector_leads_where_its_endpoints_say(walk: Cluster) -> None:
    host = walk.get("nodes")["items"][0]["status"]["addresses"][0]["address"]

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"pod": "a process of the host"}')

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer((host, 0), Page) as outside:
        threading.Thread(target=outside.serve_forever, daemon=True).start()
        make(walk, service("legacy", 80))
        subsets = [{"addresses": [{"ip": host}], "ports": [{"port": outside.server_port}]}]
        make(walk, obj("Endpoints", "legacy", None) | {"subsets": subsets})
        virtual = address_of(walk, "legacy")
        eventually(lambda: answers(virtual) == "a process of the host")
        assert addresses(walk, "legacy") == [host], "nobody puts other addresses in its place"
        outside.shutdown()


@pytest.mark.seed("E04")
def test_the_node_registered_itself_with_what_it_is_and_has(walk: Cluster) -> None:
    (node,) = walk.get("nodes")["items"]
    labels = node["metadata"]["labels"]
    assert labels["kubernetes.io/hostname"] == walk.node
    assert labels["kubernetes.io/os"] == "linux"
    assert labels["kubernetes.io/arch"] in {"amd64", "arm64"}
    assert {"cpu", "memory", "pods"} <= set(node["status"]["capacity"])
    assert "InternalIP" in [a["type"] for a in node["status"]["addresses"]]


@pytest.mark.seed("S10")
def test_a_backend_that_dies_is_soon_passed_by_and_comes_back(walk: Cluster) -> None:
    make(
        walk,
        controller("mortal", 3, name="mortal"),
        service("mortal", 80, selector={"name": "mortal"}),
    )
    eventually(lambda: len(addresses(walk, "mortal")) == 3)
    virtual = address_of(walk, "mortal")
    victim = walk.running("name=mortal")[0]["metadata"]["name"]
    walk.kubectl("delete", "pod", victim, "--grace-period=0", "--force")
    eventually(lambda: all(answers(virtual) for _ in range(30)), within_s=20)
    eventually(lambda: len(addresses(walk, "mortal")) == 3)


def answers(address: str) -> str:
    try:
        return str(ask(address, timeout_s=3)["pod"])
    except OSError:
        return ""


def why_not(address: str) -> str:
    """Why there is no answer; "" if there is one."""
    try:
        ask(address, timeout_s=3)
    except OSError as fault:
        return str(fault)
    return ""
