"""Everybody to everybody: sources by ways by protocols on three nodes and two links.

    master ─┬─ link 1 ─ router ─ link 2 ─ far
    near   ─┘

One table per engine and proxy; a cell is right when the answer names one of those that the way
leads to. `make matrix` runs all four and prints them.
"""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest

from appliance.node.runtimes.detect import default_endpoint
from examples.guestbook.images.closure import PYTHON_HOME
from tests.e2e.conftest import prepare
from tests.lab.cluster import eventually
from tests.lab.fleet import Fleet, into_pod
from tests.lab.netns import can_make_namespaces
from tests.lab.probes import SERVER, Question, Steady, answers

pytestmark = pytest.mark.slow  # `make matrix`
BALANCED, EXTERNAL = 8888, "198.19.9.9"
NODES = ("master", "near", "far")
PORTS = [
    {"name": "t", "port": 80, "targetPort": 8080, "protocol": "TCP"},
    {"name": "u", "port": 80, "targetPort": 8080, "protocol": "UDP"},
]
ECHO = {"name": "echo", "port": 81, "targetPort": 8081, "protocol": "TCP"}


@dataclass(frozen=True)
class Way:
    """A row: where to, and what a right answer is for a source."""

    name: str
    question: Question
    right: Callable[[str, str], bool]
    """Called with source and answer."""


@dataclass
class World:
    """The fleet with its pods and services."""

    fleet: Fleet
    title: str
    pods: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By node."""
    services: dict[str, dict[str, Any]] = field(default_factory=dict)

    def ip(self, node: str) -> str:
        return str(self.pods[node]["status"]["podIP"])

    def sources(self) -> dict[str, tuple[str, ...]]:
        found = {f"pod@{node}": into_pod(self.pods[node]) for node in NODES}
        found |= {f"node {node}": self.fleet.hosts[node].enter for node in NODES}
        return found


@pytest.fixture(
    scope="module", params=[(e, p) for e in ("docker", "podman") for p in ("nftables", "userspace")]
)
def world(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    engine, proxy = request.param
    if not can_make_namespaces():
        pytest.skip("needs root and ip")
    if why := asyncio.run(prepare(engine)):
        pytest.skip(why)
    folder = tmp_path_factory.mktemp("fleet")
    fleet = Fleet(folder, engine, default_endpoint(engine), proxy_mode=proxy)
    argv = [*fleet.outside.enter, sys.executable, "-c", SERVER]
    environment = {**os.environ, "HOSTNAME": "outside", "BIND": fleet.outside.address}
    pipe = subprocess.PIPE
    with subprocess.Popen(argv, stdout=pipe, text=True, env=environment) as outside:
        try:
            assert outside.stdout is not None
            assert outside.stdout.readline() == "up\n"
            fleet.start()
            yield furnish(World(fleet, f"{engine}, {proxy}"))
        finally:
            outside.kill()
            fleet.close()


def furnish(world: World) -> World:
    """Make a pod on each node, and a service of each type in front of them."""
    master = world.fleet.master
    world.fleet.route(f"{EXTERNAL}/32", "near")
    master.apply(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects()}))
    eventually(lambda: len(master.running("app=who")) == len(NODES), within_s=90)
    world.pods = {pod["spec"]["nodeName"]: pod for pod in master.running("app=who")}

    def balanced() -> bool:
        world.services = {s["metadata"]["name"]: s for s in master.get("services")["items"]}
        ingress = world.services["balanced"]["status"]["loadBalancer"].get("ingress", [])
        return len(ingress) == len(NODES)

    eventually(balanced, within_s=20)
    return world


def objects() -> list[dict[str, Any]]:
    command = [f"{PYTHON_HOME}/bin/python3", "-I", "-S", "-c", SERVER]
    image = "appliance.local/guestbook-frontend:1"
    probe = {"tcpSocket": {"port": 8080}, "periodSeconds": 1}
    box = {"name": "who", "image": image, "command": command, "readinessProbe": probe}
    pods = [
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": f"on-{node}", "labels": {"app": "who"}},
            "spec": {"nodeName": node, "terminationGracePeriodSeconds": 1, "containers": [box],
                     "hostname": f"on-{node}", "subdomain": "headless"},
        }
        for node in NODES
    ]  # fmt: skip
    balanced = [{**port, "port": BALANCED} for port in PORTS]
    specs: dict[str, dict[str, Any]] = {
        "inner": {"ports": [*PORTS, ECHO], "externalIPs": [EXTERNAL]},
        "node-port": {"type": "NodePort", "ports": PORTS},
        "balanced": {"type": "LoadBalancer", "ports": balanced},
        "headless": {"clusterIP": "None", "ports": PORTS},
    }
    services: list[dict[str, Any]] = [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name},
            "spec": {"selector": {"app": "who"}, **spec},
        }
        for name, spec in specs.items()
    ]
    named = {"type": "ExternalName", "externalName": "inner.default.svc.cluster.local"}
    return [
        *pods,
        *services,
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "named"}, "spec": named},
    ]


def ways(world: World) -> Iterator[Way]:
    everybody = {f"on-{node}" for node in NODES}

    def somebody(_source: str, answer: str) -> bool:
        return answer.split(" ", maxsplit=1)[0] in everybody

    for how in ("tcp", "udp"):
        for node in NODES:
            yield Way(f"pod@{node}", Question(how, world.ip(node), 8080), from_itself(world, node))
        spec = world.services["inner"]["spec"]
        yield Way("cluster IP", Question(how, spec["clusterIP"], 80), somebody)
        yield Way("external IP", Question(how, EXTERNAL, 80), somebody)
        ports = world.services["node-port"]["spec"]["ports"]
        number = next(p["nodePort"] for p in ports if p["protocol"] == how.upper())
        for node in NODES:
            address = world.fleet.hosts[node].address
            yield Way(f"node port {node}", Question(how, address, number), somebody)
            yield Way(f"balancer {node}", Question(how, address, BALANCED), somebody)
        yield Way(
            "outside",
            Question(how, world.fleet.outside.address, 8080),
            lambda source, answer: came_by_its_node(world, source, answer),
        )
    yield from names(world)


def names(world: World) -> Iterator[Way]:
    suffix = "default.svc.cluster.local"
    dns = cluster_dns(world)
    cluster_ip = world.services["inner"]["spec"]["clusterIP"]
    expected = {
        "inner": cluster_ip,
        "named": cluster_ip,
        "headless": " ".join(sorted(world.ip(node) for node in NODES)),
        "on-far.headless": world.ip("far"),
    }
    for how in ("dns/udp", "dns/tcp"):
        for name, wanted in expected.items():
            question = Question(how, dns, 53, f"{name}.{suffix}")
            yield Way(name, question, lambda _s, answer, w=wanted: answer == w)


def cluster_dns(world: World) -> str:
    return world.fleet.master.services.removesuffix("0.0/16") + "0.10"


def from_itself(world: World, node: str) -> Callable[[str, str], bool]:
    """A pod answers, and saw the asking pod's own address: there is no NAT between them."""

    def right(source: str, answer: str) -> bool:
        name, _, seen = answer.partition(" ")
        if name != f"on-{node}":
            return False
        return not source.startswith("pod@") or seen == world.ip(source.removeprefix("pod@"))

    return right


def came_by_its_node(world: World, source: str, answer: str) -> bool:
    """The outside sees the node's address, whoever asks from it."""
    node = source.removeprefix("pod@").removeprefix("node ")
    return answer == f"outside {world.fleet.hosts[node].address}"


def test_everybody_reaches_everybody(world: World) -> None:
    rows, sources = list(ways(world)), world.sources()
    table = ask_all(rows, sources)
    wrong = [
        f"{source} → {row.question.how} {row.name}: {answer!r}"
        for source, found in table.items()
        for row, answer in zip(rows, found, strict=True)
        if not row.right(source, answer)
    ]
    show(world.title, rows, table)
    assert not wrong, "\n".join(wrong)


def test_the_outside_reaches_what_is_meant_for_it(world: World) -> None:
    meant = ("node port", "balancer", "external IP")
    rows = [row for row in ways(world) if row.name.startswith(meant)]
    table = ask_all(rows, {"outside": world.fleet.outside.enter})
    show(world.title, rows, table)
    wrong = [
        f"{row.question.how} {row.name}: {answer!r}"
        for row, answer in zip(rows, table["outside"], strict=True)
        if not row.right("outside", answer)
    ]
    assert not wrong, "\n".join(wrong)


def test_services_go_on_while_an_agent_is_killed_and_started_again(world: World) -> None:
    """Existing and new connections; and what another firewall does to its own tables is its own."""
    worker, master = world.fleet.workers["far"], world.fleet.master
    address = world.services["inner"]["spec"]["clusterIP"]
    steady = Steady(worker.host.enter, address, 80, 81)
    pod = Steady(into_pod(world.pods["far"]), address, 80, 81)
    assert worker.process is not None
    worker.process.kill()
    worker.process.wait()
    for foreign in ("add", "flush", "delete"):
        assert worker.host.run("nft", foreign, "table", "inet", "foreign").returncode == 0
    assert not wrong_answers(world, "far"), "without its agent"
    worker.join(world.fleet.url)
    body = {"ports": PORTS, "selector": {"app": "who"}}
    late = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "late"}, "spec": body}
    master.apply(json.dumps(late))
    new = master.get("service", "late")["spec"]["clusterIP"]
    question = [Question("tcp", new, 80)]
    eventually(lambda: answers(worker.host.enter, question)[0].startswith("on-"), within_s=40)
    for traffic in (steady, pod):
        asked, faults = traffic.end()
        print(
            f"{world.title}: {asked} requests over an agent's kill and restart, {len(faults)} lost"
        )
        assert faults == []
        assert asked > 20
    master.kubectl("delete", "service", "late")


def wrong_answers(world: World, node: str) -> list[str]:
    """What does not work from a node and its pod, but for names, which its agent answers."""
    rows = [row for row in ways(world) if not row.question.how.startswith("dns")]
    sources = {s: enter for s, enter in world.sources().items() if s.endswith(node)}
    return [
        f"{source} → {row.question.how} {row.name}: {answer!r}"
        for source, given in ask_all(rows, sources).items()
        for row, answer in zip(rows, given, strict=True)
        if not row.right(source, answer)
    ]


def ask_all(rows: list[Way], sources: dict[str, tuple[str, ...]]) -> dict[str, list[str]]:
    """Each source asks everything; new rules may be a moment late on some node."""
    questions = [row.question for row in rows]
    found: dict[str, list[str]] = {}

    def all_right() -> bool:
        with ThreadPoolExecutor(3) as pool:
            asked = pool.map(lambda enter: answers(enter, questions), sources.values())
            found.update(zip(sources, asked, strict=True))
        return all(
            row.right(source, answer)
            for source, given in found.items()
            for row, answer in zip(rows, given, strict=True)
        )

    if not all_right():
        all_right()
    return found


def show(title: str, rows: list[Way], table: dict[str, list[str]]) -> None:
    print(f"\n\n{title}")
    print("".join([f"{'':28}", *(f"{source:>12}" for source in table)]))
    for index, row in enumerate(rows):
        cells = (
            "ok" if row.right(source, found[index]) else "WRONG" for source, found in table.items()
        )
        print("".join([f"{row.question.how:8}{row.name:20}", *(f"{cell:>12}" for cell in cells)]))
