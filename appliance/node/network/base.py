"""The `Network` protocol: one address per pod, whatever the engine.

The sandbox container is made with network "none"; `attach` gives its namespace (found by the
pause process's pid) an `eth0` with an address out of the node's range and a default route.

What every implementation promises: `attach` twice for the same pod gives the same address;
`detach` of what is gone is fine; addresses in use survive a restart of the agent; everything
made on the host carries the cluster's id in its name and `clean_up` removes it.
"""

from dataclasses import dataclass
from typing import Protocol

from appliance.api.kinds.core.pod.kind import Pod
from appliance.node.network.publish import Published


class NetworkFault(Exception):
    """The network can't be set up; `str()` says what is missing and what to do."""


class NoAddressLeft(NetworkFault):
    """The node's range is used up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PodLink:
    """Whom to attach: the pod's uid, a process in its network namespace, and the ports of the host
    that shall lead to it. The pod itself is for policies.
    """

    pod_uid: str
    pid: int
    ports: tuple[Published, ...] = ()
    pod: Pod | None = None


@dataclass(frozen=True, slots=True)
class Attachment:
    """What a pod got."""

    address: str
    gateway: str
    prefix_length: int


class Network(Protocol):
    """Addresses and links of this node's pods."""

    async def set_up(self, pod_cidr: str) -> None:
        """Make the bridge, forwarding and masquerading; harmless when it is there."""
        ...

    async def attach(self, link: PodLink) -> Attachment:
        """Give a pod its interface, address and ports of the host."""
        ...

    async def detach(self, pod_uid: str) -> None:
        """Take them back."""
        ...

    async def keep_only(self, pod_uids: frozenset[str]) -> None:
        """Free the addresses of all other pods (after a restart)."""
        ...

    async def clean_up(self) -> None:
        """Remove everything that `set_up` and `attach` made."""
        ...
