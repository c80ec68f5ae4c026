"""`ApplianceContainer`: a one-node cluster in a container, for tests.

    with ApplianceContainer().with_image("shop:dev") as cluster:
        cluster.apply(Path("shop.yaml"))
        cluster.api.wait_running("app=shop", 1)

Its node is the server of an `ApplianceCluster`, too. Everything is ready when `start` returns.
"""

import secrets
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx
from testcontainers.core.network import Network
from typing_extensions import override

from appliance.api.jointoken import ca_hash
from appliance.client.kubeconfig import Access, read_kubeconfig, render
from appliance.kit.clock import SystemClock
from appliance.testing.api import Api, Manifest, is_ready
from appliance.testing.leftovers import sweep
from appliance.testing.node import NodeContainer, NodeFailed, remove_network

API_PORT = 6443
_KUBECONFIG = "/var/lib/appliance/server/admin.kubeconfig"
_LOOK_S = 0.05


@dataclass(slots=True)
class Phases:
    """Seconds from one mark to the next: image present → API ready → nodes ready."""

    image_s: float = 0.0
    """looking for the image, or making it"""
    api_s: float = 0.0
    """from the first container's creation until /readyz answers"""
    ready_s: float = 0.0
    """from then until every node is Ready"""


class ApplianceContainer(NodeContainer):
    """A server with its agent; `args` are flags of `appliance server`."""

    def __init__(
        self,
        image: str = "",
        *,
        name: str = "server",
        args: Sequence[str] = (),
        timeout_s: float = 60.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(image, name=name, **kwargs)
        self._token = secrets.token_hex(24)
        self._own_network: Network | None = None
        self._timeout_s = timeout_s
        self._clock = SystemClock()
        self._began = 0.0
        self._api: Api | None = None
        self._access: Access | None = None
        self.phases = Phases()
        self._args = tuple(args)
        self.with_exposed_ports(API_PORT)

    @override
    def start(self) -> Self:
        """Start, and wait until its node is ready.

        Raises:
            NodeFailed: it ended, or is not ready in time.
        """
        try:
            self.begin()
            self.wait_api()
            self.wait_nodes({self.node_name})
        except BaseException:
            self.stop()
            raise
        return self

    @override
    def find_image(self) -> str:
        began = self._clock.monotonic()
        found = super().find_image()
        self.phases.image_s += self._clock.monotonic() - began
        return found

    def begin(self) -> None:
        """Start, and wait for nothing."""
        sweep(self.client)
        self.find_image()
        if self._network is None:
            self._own_network = self.own_network()
            self.with_network(self._own_network).with_network_aliases(self.node_name)
        self._began = self._clock.monotonic()
        ours = ["server", "--node-name", self.node_name, "--token", self._token]
        names = [part for name in self._host_names() for part in ("--tls-san", name)]
        self.with_command([*ours, *names, *self._args])
        super().start()

    @override
    def stop(self, force: bool = True, delete_volume: bool = True) -> None:
        if self._api is not None:
            self._api.close()
            self._api = None
        super().stop(force, delete_volume)
        if self._own_network is not None:
            remove_network(self._own_network)
            self._own_network, self._network = None, None

    def wait_api(self) -> None:
        """Wait until the API server says that it is ready, and read how to come in.

        Raises:
            NodeFailed: it ended, or is not ready in time.
        """
        url = f"https://{self.get_container_host_ip()}:{self.get_exposed_port(API_PORT)}"
        # Whom to trust is known when the kubeconfig has been read, and that is written by then.
        with httpx.Client(verify=False, timeout=2, trust_env=False) as http:  # noqa: S501
            self._until(lambda: _is_ok(http, f"{url}/readyz"), "the API server is not ready")
        with tempfile.NamedTemporaryFile(prefix="appliance-") as file:
            file.write(self.read_file(_KUBECONFIG))
            file.flush()
            inside = read_kubeconfig(Path(file.name))
        self._access = Access(
            server=url, ca_pem=inside.ca_pem, cert_pem=inside.cert_pem, key_pem=inside.key_pem
        )
        self._api = Api(self._access)
        self.phases.api_s = self._clock.monotonic() - self._began

    def wait_nodes(self, names: set[str]) -> None:
        """Wait until these nodes, and no others, are ready.

        Raises:
            NodeFailed: they are not in time.
        """
        began = self._clock.monotonic()

        def ready() -> bool:
            return {n["metadata"]["name"] for n in self.api.find("Node") if is_ready(n)} == names

        self._until(ready, f"not all of {', '.join(sorted(names))} are ready")
        self.phases.ready_s = self._clock.monotonic() - began

    @property
    def access(self) -> Access:
        """Where the API is, and the administrator's credentials."""
        if self._access is None:
            raise NodeFailed(f"{self.node_name} has not been started")
        return self._access

    @property
    def api(self) -> Api:
        """A client with the administrator's rights."""
        if self._api is None:
            raise NodeFailed(f"{self.node_name} has not been started")
        return self._api

    def apply(self, manifest: Manifest) -> list[dict[str, Any]]:
        """Server-side apply of YAML text, a file or an object."""
        return self.api.apply(manifest)

    def get_kubeconfig(self) -> str:
        """The text of a kubeconfig that works from where the test runs."""
        return render(self.access)

    config_yaml = get_kubeconfig

    def join_token(self) -> str:
        """A token for workers, which pins the cluster's CA."""
        return f"K10{ca_hash(self.access.ca_pem)}::server:{self._token}"

    def _host_names(self) -> list[str]:
        """By what the test may call the API server: the engine's host, seen from here or there."""
        return sorted({self.get_docker_client().host(), *self.gateways()})

    def _until(self, done: Callable[[], bool], late: str) -> None:
        end = self._clock.monotonic() + self._timeout_s
        while not done():
            self.alive()
            if self._clock.monotonic() > end:
                raise NodeFailed(f"{late} after {self._timeout_s:g} s:\n{self.tail()}")
            time.sleep(_LOOK_S)


def _is_ok(http: httpx.Client, url: str) -> bool:
    try:
        return http.get(url).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False
