"""A node in a container: what it asks of the engine outside, and what a test can do to it.

A testcontainers `DockerContainer` whose image is made here (see `nodeimage`) unless one is named.
The container asks for the capabilities that an engine inside it needs, rather than for
`privileged`: some hosts can't grant that. Its cgroups are its own, so that pausing and killing it
reaches the pods in it, and nothing of them is left when it is gone.
"""

import io
import os
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import docker
import docker.errors
from testcontainers.core.config import ConnectionMode, testcontainers_config
from testcontainers.core.container import DockerContainer
from testcontainers.core.network import Network
from typing_extensions import override

from appliance.testing.leftovers import labels
from appliance.testing.nodeimage.build import node_image
from appliance.testing.nodeimage.contents import Engine

Image = str | Path | bytes
IMAGES = "/opt/appliance/images"
IMAGE_VARIABLE = "APPLIANCE_TEST_IMAGE"
# What Docker and Podman give by themselves is not enough for an engine, a bridge and mounts.
CAPABILITIES = ("SYS_ADMIN", "NET_ADMIN", "SYS_PTRACE", "SYS_CHROOT", "MKNOD", "SYS_NICE",
                "DAC_READ_SEARCH", "NET_RAW")  # fmt: skip
_ENGINE_TIMEOUT_S = 180  # loading the node image on a slow disk
_LOG_LINES = 40
_PYTHON = "/usr/bin/python3"


class NodeFailed(Exception):
    """A node ended, or did not become ready in time; the message has the end of its log."""


class NodeContainer(DockerContainer):
    """A container that is a node; what runs in it is told by its command."""

    def __init__(
        self,
        image: str = "",
        *,
        name: str,
        engine: Engine | None = None,
        docker_host: str = "",
        **kwargs: Any,
    ) -> None:
        self._client_options: dict[str, Any] = {"timeout": _ENGINE_TIMEOUT_S}
        if docker_host:
            self._client_options["environment"] = {"DOCKER_HOST": docker_host}
        # Without a name the image is looked for, or made, at start.
        given = image or os.environ.get(IMAGE_VARIABLE, "")
        super().__init__(given, self._client_options, **kwargs)
        self.node_name = name
        self._engine: Engine | None = engine
        self._kwargs = {
            "hostname": name,
            "cap_add": list(CAPABILITIES),
            "security_opt": ["seccomp=unconfined", "apparmor=unconfined"],
            "device_cgroup_rules": ["a *:* rwm"],
            "cgroupns": "private",
            "labels": labels(),
            **self._kwargs,
        }
        self.with_tmpfs_mount("/run")

    @property
    def client(self) -> docker.DockerClient:
        """The engine that runs the nodes."""
        return self.get_docker_client().client

    def with_image(self, image: Image) -> Self:
        """Have an image in the node before its first pod, without a registry.

        It is an archive as `docker save` makes it (its path, or its bytes), or the name of an image
        that the engine which runs the nodes has.

        Raises:
            LookupError: there is neither such a file nor such an image.
        """
        number = len(self._transferable_specs)
        return self.with_copy_into_container(self.archive(image), f"{IMAGES}/{number}.tar")

    def archive(self, image: Image) -> bytes:
        """The bytes of such an image.

        Raises:
            LookupError: there is neither such a file nor such an image.
        """
        if isinstance(image, bytes):
            return image
        path = Path(image)
        return path.read_bytes() if path.is_file() else _saved(self.client, str(image))

    def find_image(self) -> str:
        """The node image's name; it is made if it is not there."""
        if not self.image:
            self.image = node_image(self.client, self._engine)
        return self.image

    @override
    def start(self) -> Self:
        self.find_image()
        with _Reaper.only_if_here(self.client):
            return super().start()

    @override
    def stop(self, force: bool = True, delete_volume: bool = True) -> None:
        try:
            super().stop(force, delete_volume)
        except docker.errors.NotFound:
            self._container = None

    def tail(self, lines: int = _LOG_LINES) -> str:
        """The end of what the node printed."""
        if self._container is None:
            return ""
        return bytes(self._container.logs(tail=lines)).decode(errors="replace")

    def alive(self) -> None:
        """Make sure that it runs.

        Raises:
            NodeFailed: it ended.
        """
        self.reload()
        if self.status not in {"running", "paused", "created", "restarting"}:
            raise NodeFailed(f"node {self.node_name} ended:\n{self.tail()}")

    def read_file(self, path: str) -> bytes:
        """A file of the node."""
        stream, _ = self.get_wrapped_container().get_archive(path)
        with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as tar:
            member = tar.extractfile(tar.getmembers()[0])
            return member.read() if member is not None else b""

    @property
    def address(self) -> str:
        """Its address in the nodes' network."""
        container = self.get_wrapped_container()
        container.reload()
        networks = container.attrs["NetworkSettings"]["Networks"]
        return str(next(iter(networks.values()))["IPAddress"])

    def gateways(self) -> list[str]:
        """Addresses of the engine's host in the nodes' network."""
        if self._network is None:
            return []
        network = self.client.networks.get(self._network.name)
        return [
            part["Gateway"] for part in network.attrs["IPAM"]["Config"] or () if "Gateway" in part
        ]

    @override
    def get_container_host_ip(self) -> str:
        mode = self.get_docker_client().get_connection_mode()
        # testcontainers looks in a place that Podman leaves empty; we know the network.
        if mode is ConnectionMode.gateway_ip and (found := self.gateways()):
            return found[0]
        return super().get_container_host_ip()

    def run_module(self, module: str, *argv: str) -> None:
        """Run a module of ours in the node.

        Raises:
            NodeFailed: it did not succeed.
        """
        self.run(_PYTHON, "-m", module, *argv)

    def run(self, *argv: str) -> str:
        """Run a program in the node; gives what it printed.

        Raises:
            NodeFailed: it ended with another code than 0.
        """
        done = self.exec(list(argv))
        text = bytes(done.output).decode(errors="replace")
        if done.exit_code != 0:
            raise NodeFailed(
                f"{argv[0]} on {self.node_name} ended with code {done.exit_code}: {text}"
            )
        return text

    def own_network(self) -> Network:
        """A network for the nodes of one cluster, in the same engine."""
        return Network(self._client_options, {"labels": labels()}).create()


def remove_network(network: Network) -> None:
    """Remove it, and close the connection to the engine that it holds."""
    network.remove()
    network._docker.client.close()  # testcontainers leaves it open


def _saved(client: docker.DockerClient, name: str) -> bytes:
    try:
        return b"".join(client.images.get(name).save(named=name))
    except docker.errors.ImageNotFound:
        raise LookupError(
            f"{name!r} is neither a file nor an image of the engine that runs the nodes; build it "
            "there first, or name an archive made by `docker save`"
        ) from None


class _Reaper:
    """testcontainers' reaper is a container whose image comes from a registry.

    Where its image is not in the engine it is left out for ours, which `leftovers` cares for;
    nothing is downloaded behind the user's back, and offline hosts work. Counted, since nodes
    start side by side.
    """

    _lock = threading.Lock()
    _without = 0

    @classmethod
    @contextmanager
    def only_if_here(cls, client: docker.DockerClient) -> Iterator[None]:
        if testcontainers_config.ryuk_disabled or _is_here(
            client, testcontainers_config.ryuk_image
        ):
            yield
            return
        with cls._lock:
            cls._without += 1
            testcontainers_config.ryuk_disabled = True
        try:
            yield
        finally:
            with cls._lock:
                cls._without -= 1
                testcontainers_config.ryuk_disabled = cls._without > 0


def _is_here(client: docker.DockerClient, image: str) -> bool:
    try:
        client.images.get(image)
    except docker.errors.ImageNotFound:
        return False
    return True
