"""`ApplianceCluster`: a server and joined workers, each in a container, on a network of their own.

    with ApplianceCluster(agents=2) as cluster:
        cluster.apply(Path("shop.yaml"))
        cluster.node("agent-1").kill()

All containers start at once; workers prepare themselves and wait for the token, which exists when
the server has made its CA. Nothing of a cluster is left when it is stopped; what a killed test run
leaves is swept by the next.
"""

import json
import tempfile
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from testcontainers.core.network import Network

from appliance.testing.api import Api, Manifest
from appliance.testing.container import API_PORT, ApplianceContainer, Phases
from appliance.testing.inside import ORDERS
from appliance.testing.node import Image, NodeContainer, NodeFailed, remove_network
from appliance.testing.nodeimage.contents import Engine

SERVER = "server"
_JOIN_WAIT = "30s"
_WIRE = "appliance.testing.wire"


class Node:
    """One node of a cluster, and what may happen to a host."""

    def __init__(self, container: NodeContainer) -> None:
        self.container = container
        self.name = container.node_name

    @property
    def address(self) -> str:
        """Its address in the nodes' network."""
        return self.container.address

    def kill(self) -> None:
        """As if it lost power: agent, engine and pods are gone at once."""
        self.container.get_wrapped_container().kill()

    def start(self) -> None:
        """Power it on again; its disks are as they were."""
        self.container.get_wrapped_container().start()

    def pause(self) -> None:
        """Everything in it stands still."""
        self.container.get_wrapped_container().pause()

    def unpause(self) -> None:
        """It goes on."""
        self.container.get_wrapped_container().unpause()

    def cut(self) -> None:
        """Nothing comes in or goes out any more; what runs in it runs on."""
        self.container.run_module(_WIRE, "cut")

    def heal(self) -> None:
        """It is connected again."""
        self.container.run_module(_WIRE, "heal")

    def run(self, *argv: str) -> str:
        """Run a program in the node; gives what it printed.

        Raises:
            NodeFailed: it ended with another code than 0.
        """
        return self.container.run(*argv)

    def url(self, port: int) -> str:
        """How to reach a port of the node from the test, such as a NodePort.

        Where the nodes' network can be reached from the test (Linux) any port will do; elsewhere
        it must be one of the cluster's `ports`.
        """
        if str(port) in self.container.ports:
            host = self.container.get_container_host_ip()
            return f"http://{host}:{self.container.get_exposed_port(port)}"
        return f"http://{self.address}:{port}"


class ApplianceCluster:
    """A cluster for tests; `start` and `stop` it, or use it with `with`."""

    def __init__(
        self,
        agents: int = 2,
        *,
        image: str = "",
        engine: Engine | None = None,
        images: Iterable[Image] = (),
        ports: Sequence[int] = (),
        server_args: Sequence[str] = (),
        docker_host: str = "",
        timeout_s: float = 90.0,
    ) -> None:
        """`agents` workers beside the server; `images` for all nodes, see `with_image`;
        `ports` of every node are made reachable from where the engine's host is."""
        common: dict[str, Any] = {"engine": engine, "docker_host": docker_host}
        self.server = ApplianceContainer(
            image, name=SERVER, args=server_args, timeout_s=timeout_s, **common
        )
        self._workers = [
            NodeContainer(image, name=f"agent-{number}", command=["follow"], **common)
            for number in range(1, agents + 1)
        ]
        self._containers: list[NodeContainer] = [self.server, *self._workers]
        self.nodes = {one.node_name: Node(one) for one in self._containers}
        for one in self._containers:
            one.with_exposed_ports(*ports)
        for wanted in images:
            archive = self.server.archive(wanted)
            for one in self._containers:
                one.with_image(archive)
        self._network: Network | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    @property
    def phases(self) -> Phases:
        """How long it took to start."""
        return self.server.phases

    @property
    def client(self) -> Api:
        """A client with the administrator's rights."""
        return self.server.api

    @property
    def kubeconfig(self) -> Path:
        """A kubeconfig file for kubectl and others, there as long as the cluster is."""
        if self._folder is None:
            raise NodeFailed("the cluster has not been started")
        return Path(self._folder.name) / "kubeconfig"

    def node(self, name: str) -> Node:
        """A node by name: `server`, `agent-1`, …"""
        return self.nodes[name]

    def apply(self, manifest: Manifest) -> list[dict[str, Any]]:
        """Server-side apply of YAML text, a file or an object."""
        return self.client.apply(manifest)

    def start(self) -> Self:
        """Start all nodes and wait until every one is ready.

        Raises:
            NodeFailed: one ended, or is not ready in time; the message has the ends of all logs.
        """
        try:
            self._start()
        except BaseException as fault:
            fault.add_note("\n".join(f"--- {n.node_name}\n{n.tail()}" for n in self._containers))
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Remove everything."""
        self._all([one.stop for one in self._containers])
        if self._network is not None:
            remove_network(self._network)
            self._network = None
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _start(self) -> None:
        server = self.server
        image = server.find_image()
        self._network = server.own_network()
        for one in self._containers:
            one.image = image
            one.with_network(self._network).with_network_aliases(one.node_name)
        self._all([server.begin, *[worker.start for worker in self._workers]])
        server.wait_api()
        for worker in self._workers:
            worker.copy_into_container(json.dumps(self._orders(worker)).encode(), str(ORDERS))
        server.wait_nodes(set(self.nodes))
        self._folder = tempfile.TemporaryDirectory(prefix="appliance-cluster-")
        self.kubeconfig.write_text(server.get_kubeconfig())

    def _orders(self, worker: NodeContainer) -> list[str]:
        master = f"https://{SERVER}:{API_PORT}"
        token = self.server.join_token()
        return [
            "join",
            master,
            "--token",
            token,
            "--wait",
            _JOIN_WAIT,
            "--node-name",
            worker.node_name,
        ]

    @staticmethod
    def _all(calls: Sequence[Callable[[], Any]]) -> None:
        """Call all of them side by side; the first fault is raised when all have ended."""
        with ThreadPoolExecutor(len(calls)) as pool:
            ends = [pool.submit(call) for call in calls]
        for end in ends:
            end.result()
