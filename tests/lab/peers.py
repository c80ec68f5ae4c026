"""Pods that answer and ask (`peer.py`), and what a test tells them; with the image they run."""

import asyncio
import http.client
import json
import platform
import socket
import urllib.parse
import urllib.request
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from appliance.kit.clock import SystemClock
from appliance.node.images.archive import File, docker_archive
from appliance.node.runtimes.detect import open_runtime
from examples.guestbook.images.closure import PYTHON_HOME, python_with
from tests.lab.cluster import Cluster, eventually
from tests.lab.manifests import admin_tls
from tests.lab.pods import Json, many

PEER = "appliance.local/lab-peer:1"
SCRIPT = Path(__file__).with_name("peer.py")
_LATE = ("encodings.idna", "encodings.latin_1", "encodings.ascii", "encodings.utf_8")
_WAIT_S = 5.0


def load(kind: str) -> None:
    """Load the image into an engine."""

    async def work() -> None:
        files = await python_with(SCRIPT.read_text(), _LATE)
        files |= {
            "/app.py": File(SCRIPT.read_bytes()),
            "/etc/passwd": File(b"root:x:0:0:root:/:/bin/false\n"),
            "/etc/nsswitch.conf": File(b"hosts: files dns\n"),
            "/tmp/.keep": File(b""),
        }
        config = {
            "Entrypoint": [f"{PYTHON_HOME}/bin/python3", "-I", "-S", "/app.py"],
            "WorkingDir": "/",
        }
        architecture = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
        runtime = await open_runtime(kind, "", SystemClock())
        try:
            await runtime.load(
                docker_archive(PEER, files, architecture=architecture, config=config)
            )
        finally:
            await runtime.close()

    asyncio.run(work())


def peer(
    name: str, *, env: Json | None = None, ports: list[Json] | None = None, **spec: Any
) -> Json:
    """A pod that answers as `name`; labels: pod, and app=peer unless `app` says otherwise."""
    variables = [{"name": k, "value": v} for k, v in {"PEER": name, **(env or {})}.items()]
    box = {
        "name": "peer",
        "image": PEER,
        "imagePullPolicy": "IfNotPresent",
        "env": variables,
        "ports": ports or [{"name": "http", "containerPort": 8080}],
        "readinessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1},
    }
    labels = {"pod": name, "app": spec.pop("app", "peer"), "lab": "peers"}
    body = {"terminationGracePeriodSeconds": 0, "containers": [box], **spec}
    meta = {"name": name, "labels": labels}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": body}


def service(called: str, *ports: Json, selector: Json | None = None, **spec: Any) -> Json:
    """A service; without `selector` it takes the pods with app=peer, with {} it has none."""
    chosen = {"app": "peer"} if selector is None else selector
    body = {**({"selector": chosen} if chosen else {}), "ports": list(ports), **spec}
    meta = {"name": called, "labels": {"lab": "peers"}}
    return {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": body}


def port(number: int, target: int | str = 8080, *, name: str = "", protocol: str = "TCP") -> Json:
    """A port of a service."""
    named = {"name": name} if name else {}
    return {"port": number, "targetPort": target, "protocol": protocol, **named}


class Peers:
    """What pods of a cluster see."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._ips: dict[str, str] = {}

    def start(self, *pods: Json) -> None:
        """Make pods and wait until they are ready."""
        self.cluster.apply(many(*pods))
        names = [pod["metadata"]["name"] for pod in pods]
        eventually(lambda: set(names) <= {p["metadata"]["name"] for p in self.ready()})
        for pod in self.ready():
            self._ips[pod["metadata"]["name"]] = pod["status"]["podIP"]

    def ready(self) -> list[Json]:
        return self.cluster.running("lab=peers")

    def make(self, *objects: Json) -> None:
        self.cluster.apply(many(*objects))

    def drop(self, *names: str) -> None:
        """Delete objects such as `service/web`."""
        self.cluster.kubectl("delete", "--ignore-not-found", "--grace-period=0", *names)

    def ip(self, pod: str) -> str:
        return self._ips[pod]

    def node_ip(self) -> str:
        addresses = self.cluster.get("node", self.cluster.node)["status"]["addresses"]
        return str(next(a["address"] for a in addresses if a["type"] == "InternalIP"))

    def virtual(self, name: str) -> str:
        return str(self.cluster.get("service", name)["spec"]["clusterIP"])

    def ask(self, pod: str, page: str, **query: Any) -> Any:
        """Let a pod do something; the test's process asks it, as a program of the node does."""
        url = f"http://{self.ip(pod)}:8080{page}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(url, timeout=90) as answer:
            return json.load(answer)

    def tcp(self, pod: str, host: str, number: int, tries: int = 1) -> list[str]:
        found: list[str] = self.ask(pod, "/tcp", host=host, port=number, tries=tries)
        return found

    def udp(self, pod: str, host: str, number: int, tries: int = 1) -> list[str]:
        found: list[str] = self.ask(pod, "/udp", host=host, port=number, tries=tries)
        return found

    def look(self, pod: str, name: str) -> Any:
        return self.ask(pod, "/look", name=name)

    def dns(self, pod: str, name: str, rtype: str = "A", **more: Any) -> list[str]:
        """Data of the answer's records of that type."""
        told = self.ask(pod, "/dns", name=name, type=rtype, **more)
        return sorted(data for kind, data in told["records"] if kind == rtype)

    def through_api(self, method: str, path: str, body: str = "") -> tuple[int, Json, Json]:
        """A request to the API server: status, headers in lower case, JSON of the answer."""
        api = http.client.HTTPSConnection(
            "127.0.0.1", self.cluster.port, timeout=20, context=admin_tls(self.cluster.kubeconfig)
        )
        try:
            api.request(method, path, body=body or None)
            answer = api.getresponse()
            data = answer.read()
            headers = {k.lower(): v for k, v in answer.getheaders()}
            return answer.status, headers, json.loads(data) if data[:1] == b"{" else {}
        finally:
            api.close()


def from_host(host: str, number: int, *, udp: bool = False) -> str:
    """Who answers a program of this host there; "" if nobody does."""
    try:
        if not udp:
            with urllib.request.urlopen(f"http://{host}:{number}/who", timeout=_WAIT_S) as answer:
                return str(json.load(answer)["pod"])
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(_WAIT_S)
            client.connect((host, number))
            client.send(b"who")
            return client.recv(2048).decode()
    except (OSError, http.client.HTTPException):
        return ""


def endpoint_addresses(cluster: Cluster, name: str) -> set[tuple[str, int]]:
    """Address and port of each endpoint, as Endpoints and EndpointSlices both say."""
    subsets = cluster.get("endpoints", name).get("subsets") or []
    old = {
        (a["ip"], p["port"])
        for s in subsets
        for a in s.get("addresses", [])
        for p in s.get("ports", [])
    }
    return old if old == slice_addresses(cluster, name) else {("they differ", 0)}


def slice_addresses(cluster: Cluster, name: str) -> set[tuple[str, int]]:
    found: Iterable[Json] = cluster.get(
        "endpointslices", "-l", f"kubernetes.io/service-name={name}"
    )["items"]
    return {
        (address, p["port"])
        for one in found
        for e in one.get("endpoints") or []
        if e.get("conditions", {}).get("ready", True)
        for address in e["addresses"]
        for p in one.get("ports") or []
    }
