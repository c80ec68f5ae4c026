"""Pure: the ports of its node that a pod takes, and when two pods can't have theirs together.

The scheduler keeps such pods apart, the node refuses those that come all the same (static pods)
and publishes the others.
"""

from dataclasses import dataclass

from appliance.api.kinds.core.pod.kind import Pod

EVERY_ADDRESS = "0.0.0.0"  # noqa: S104 - no bind


@dataclass(frozen=True, slots=True)
class HostPort:
    """A port on a node's own address; ip "0.0.0.0" is every address."""

    ip: str
    protocol: str
    port: int

    def clashes(self, other: "HostPort") -> bool:
        """Whether both can't be on one node."""
        same_ip = self.ip == other.ip or EVERY_ADDRESS in {self.ip, other.ip}
        return same_ip and (self.protocol, self.port) == (other.protocol, other.port)


def host_ports(pod: Pod) -> dict[HostPort, int]:
    """The ports of the node that a pod takes → the container port each leads to.

    On the node's own network every port is the node's.
    """
    sidecars = [c for c in pod.spec.initContainers if c.restartPolicy == "Always"]
    return {
        HostPort(
            port.hostIP if port.hostIP not in {"", "::"} else EVERY_ADDRESS,
            port.protocol or "TCP",
            port.hostPort or port.containerPort,
        ): port.containerPort
        for container in (*pod.spec.containers, *sidecars)
        for port in container.ports
        if port.hostPort or pod.spec.hostNetwork
    }
