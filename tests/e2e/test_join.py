"""Three nodes on two links: two join with a token; pods, services and logs across them."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from appliance.node.runtimes.detect import default_endpoint
from examples.guestbook.images.closure import PYTHON_HOME
from tests.e2e.conftest import prepare
from tests.lab.cluster import eventually
from tests.lab.fleet import Fleet, ask, into_pod, resolve
from tests.lab.netns import can_make_namespaces

REPLICAS = 6
WHO = """
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = (os.environ["HOSTNAME"] + " " + self.client_address[0]).encode()
        if self.path == "/big":
            body = b"x" * 1000000
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
print("I am", os.environ["HOSTNAME"], flush=True)
http.server.ThreadingHTTPServer(("", 80), Handler).serve_forever()
"""
MANIFEST = f"""
apiVersion: v1
kind: Service
metadata: {{name: who}}
spec:
  type: NodePort
  selector: {{app: who}}
  ports: [{{port: 80}}]
---
apiVersion: v1
kind: ReplicationController
metadata: {{name: who}}
spec:
  replicas: {REPLICAS}
  selector: {{app: who}}
  template:
    metadata: {{labels: {{app: who}}}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: who
        image: appliance.local/guestbook-frontend:1
        imagePullPolicy: IfNotPresent
        command: ["{PYTHON_HOME}/bin/python3", "-I", "-S", "-c", {json.dumps(WHO)}]
        readinessProbe: {{httpGet: {{path: /, port: 80}}, periodSeconds: 1}}
"""


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    if not can_make_namespaces():
        pytest.skip("needs root and ip")
    if why := asyncio.run(prepare("docker")):
        pytest.skip(why)
    made = Fleet(tmp_path_factory.mktemp("fleet"), "docker", default_endpoint("docker"))
    try:
        took_s = made.start()
        print(f"both workers ready {took_s:.1f} s after they began to join")
        assert took_s < 20
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def pods(fleet: Fleet) -> dict[str, list[dict[str, Any]]]:
    """The pods of a replication controller, by node."""
    fleet.master.apply(MANIFEST)
    eventually(lambda: len(fleet.master.running("app=who")) == REPLICAS, within_s=60)
    return by_node(fleet)


def by_node(fleet: Fleet) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for pod in fleet.master.running("app=who"):
        found.setdefault(pod["spec"]["nodeName"], []).append(pod)
    return found


def names(pods: dict[str, list[dict[str, Any]]]) -> set[str]:
    return {pod["metadata"]["name"] for group in pods.values() for pod in group}


def who_answer(enter: tuple[str, ...], url: str, count: int) -> set[str]:
    """Names of the pods behind a service, asked at random until `count` have answered."""
    seen: set[str] = set()
    for _ in range(5):
        answers = ask(enter, *[url] * 40)
        assert not [a for a in answers if a.startswith("fault")]
        seen |= {a.split()[0] for a in answers}
        if len(seen) == count:
            break
    return seen


@pytest.mark.seed("N01")
def test_pods_spread_over_nodes_each_with_a_range_of_its_own(
    fleet: Fleet, pods: dict[str, list[dict[str, Any]]]
) -> None:
    assert {node: len(group) for node, group in pods.items()} == dict.fromkeys(fleet.hosts, 2)
    for node in fleet.master.get("nodes")["items"]:
        prefix = node["spec"]["podCIDR"].removesuffix("0/24")
        here = [pod["status"]["podIP"] for pod in pods[node["metadata"]["name"]]]
        assert all(address.startswith(prefix) for address in here)


@pytest.mark.seed("N02", "N03", "N04")
def test_pods_reach_pods_on_every_node_by_their_own_address(
    fleet: Fleet, pods: dict[str, list[dict[str, Any]]]
) -> None:
    everybody = [pod for group in pods.values() for pod in group]
    urls = [f"http://{pod['status']['podIP']}/" for pod in everybody]
    for group in pods.values():
        me = group[0]
        expected = [f"{pod['metadata']['name']} {me['status']['podIP']}" for pod in everybody]
        inside = into_pod(me)
        assert ask(inside, *urls) == expected
        assert {len(body) for body in ask(inside, *[f"{url}big" for url in urls])} == {1000000}
    for host in fleet.hosts.values():
        answers = host.ask(*urls)
        assert [a.split()[0] for a in answers] == [p["metadata"]["name"] for p in everybody]


@pytest.mark.seed("S08", "S19")
def test_services_and_names_work_from_every_node(
    fleet: Fleet, pods: dict[str, list[dict[str, Any]]]
) -> None:
    spec = fleet.master.get("service", "who")["spec"]
    by_service = f"http://{spec['clusterIP']}/"
    dns = fleet.master.get("service", "kubernetes")["spec"]["clusterIP"].removesuffix("1") + "10"
    for node, group in pods.items():
        inside = into_pod(group[0])
        assert who_answer(inside, by_service, len(names(pods))) == names(pods), node
        assert resolve(inside, dns, "who.default.svc.cluster.local") == [spec["clusterIP"]]
    port = spec["ports"][0]["nodePort"]
    for host in fleet.hosts.values():
        url = f"http://{host.address}:{port}/"
        assert who_answer(fleet.outside.enter, url, len(names(pods))) == names(pods), host.name


def test_logs_and_commands_reach_every_node(
    fleet: Fleet, pods: dict[str, list[dict[str, Any]]]
) -> None:
    for group in pods.values():
        name = group[0]["metadata"]["name"]
        assert f"I am {name}" in fleet.master.kubectl("logs", name)
        program = [f"{PYTHON_HOME}/bin/python3", "-I", "-S", "-c", "print(6 * 7)"]
        assert fleet.master.kubectl("exec", name, "--", *program) == "42\n"


def test_a_worker_can_say_how_the_cluster_is(fleet: Fleet) -> None:
    near = fleet.workers["near"]
    argv = [sys.executable, "-m", "appliance", "status", "--data-dir", str(near.data)]
    done = near.host.run(*argv, "-o", "json")
    assert done.returncode == 0, done.stdout
    assert {node["name"] for node in json.loads(done.stdout)["nodes"]} == set(fleet.hosts)


@pytest.fixture(scope="module")
def refusals(fleet: Fleet) -> dict[str, subprocess.CompletedProcess[str]]:
    """What hosts that can't join are told, all at once."""
    good, deleted, expired = fleet.token(), fleet.token(), fleet.token("--ttl", "100ms")
    token_id = deleted.partition("::")[2].partition(".")[0]
    fleet.master.appliance("token", "delete", token_id, "--data-dir", str(fleet.master.data))
    time.sleep(1.1)  # a token's end is kept in whole seconds
    cases = {
        "wrong": (fleet.url, good[:-1] + ("a" if good[-1] != "a" else "b")),
        "deleted": (fleet.url, deleted),
        "expired": (fleet.url, expired),
        "other CA": (fleet.url, f"K10{'0' * 64}::{good.partition('::')[2]}"),
        "nobody there": ("198.18.1.77:6443", good),
    }
    near = fleet.workers["near"]

    def refused(case: str) -> subprocess.CompletedProcess[str]:
        argv = near.argv(*cases[case])
        argv[argv.index("--data-dir") + 1] += f"-{case.replace(' ', '-')}"
        return near.host.run(*argv[len(near.host.enter) :])

    with ThreadPoolExecutor(len(cases)) as pool:
        return dict(zip(cases, pool.map(refused, cases), strict=True))


@pytest.mark.parametrize(
    ("case", "code", "message"),
    [
        ("wrong", 3, "does not know the token"),
        ("deleted", 3, "does not know the token"),
        ("expired", 4, "expired at"),
        ("other CA", 5, "is not the one that the token was made by"),
        ("nobody there", 6, "can't reach the master"),
    ],
)
def test_who_can_not_join_is_told_why_by_message_and_code(
    refusals: dict[str, subprocess.CompletedProcess[str]], case: str, code: int, message: str
) -> None:
    done = refusals[case]
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
