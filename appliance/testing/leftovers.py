"""What a test run that was killed left in the engine: found by the next one and removed.

Each container and network of ours bears a label with the process that owns it: host, number and
start time. `sweep` removes those whose process is gone; those of other hosts are left alone.
"""

import os
import socket
from collections.abc import Callable
from functools import partial
from pathlib import Path

import docker
import docker.errors

OWNER = "appliance.test.owner"


def labels() -> dict[str, str]:
    """The label that says that something belongs to this process."""
    return {OWNER: f"{socket.gethostname()}/{os.getpid()}/{_start_ticks(os.getpid())}"}


def sweep(client: docker.DockerClient) -> None:
    """Remove containers and networks whose owner has gone."""
    for container in client.containers.list(
        all=True, filters={"label": OWNER}, ignore_removed=True
    ):
        if orphaned(container.labels[OWNER]):
            _quietly(partial(container.remove, force=True, v=True))
    for network in client.networks.list(filters={"label": OWNER}):
        if orphaned(network.attrs["Labels"][OWNER]):
            _quietly(network.remove)


def orphaned(owner: str) -> bool:
    """Whether an owner was a process of this host and is no more."""
    host, pid, ticks = owner.rsplit("/", 2)
    return host == socket.gethostname() and _start_ticks(int(pid)) != int(ticks)


def _quietly(remove: Callable[[], None]) -> None:
    """Another run may sweep at the same time."""
    try:
        remove()
    except docker.errors.APIError as error:
        if error.status_code not in {404, 409}:
            raise


def _start_ticks(pid: int) -> int:
    """When a process started, in clock ticks since boot; 0 if it is gone: proc(5)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return int(stat.rpartition(")")[2].split()[19])
