"""A way in to a service: who may use it, and which endpoint is next. Pure but for its counters.

The plan of a front comes as JSON: endpoints for those inside the cluster (pods, and the node
itself), endpoints for all others, and the networks that may use it at all.
"""

import ipaddress
from collections.abc import Callable, Iterable
from typing import Any

from appliance.proxy.balance import Balancer
from appliance.proxy.table import Endpoint

_KNOWN_MAX = 10_000  # clients whose kind is remembered
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Who:
    """Tells the cluster's own from others."""

    def __init__(self, inside: Iterable[str], is_host: Callable[[str], bool]) -> None:
        self._inside = [ipaddress.ip_network(text) for text in inside]
        self._is_host = is_host
        self._known: dict[str, bool] = {}

    def is_inside(self, client: str) -> bool:
        """Whether a client is a pod or this host."""
        found = self._known.get(client)
        if found is None:
            address = ipaddress.ip_address(client)
            found = any(address in network for network in self._inside) or self._is_host(client)
            if len(self._known) >= _KNOWN_MAX:
                self._known.clear()
            self._known[client] = found
        return found


class Front:
    """Picks an endpoint for each connection that comes in here."""

    def __init__(self, plan: dict[str, Any], who: Who) -> None:
        self._who = who
        self._inside = Balancer()
        self._outside: Balancer | None = None
        self._allowed: list[Network] = []
        self.update(plan)

    def update(self, plan: dict[str, Any]) -> None:
        """Take a new plan; clients of endpoints that stay keep theirs."""
        affinity_s = int(plan.get("affinity_s", 0))
        self._inside.update(_endpoints(plan["inside"]), affinity_s)
        if "outside" in plan:
            self._outside = self._outside or Balancer()
            self._outside.update(_endpoints(plan["outside"]), affinity_s)
        else:
            self._outside = None
        self._allowed = [ipaddress.ip_network(text) for text in plan.get("allowed", ())]

    def balancer(self, client: str) -> Balancer | None:
        """Whose turn it is to choose for this client; None if it may not come in."""
        if self._allowed and not self._is_allowed(client):
            return None
        if self._outside is None or self._who.is_inside(client):
            return self._inside
        return self._outside

    def has(self, endpoint: Endpoint) -> bool:
        """Whether it is still one of ours."""
        outside = self._outside.endpoints if self._outside else ()
        return endpoint in self._inside.endpoints or endpoint in outside

    def _is_allowed(self, client: str) -> bool:
        address = ipaddress.ip_address(client)
        return any(address in network for network in self._allowed)


def _endpoints(pairs: Iterable[tuple[str, int]]) -> tuple[Endpoint, ...]:
    return tuple(Endpoint(address, port) for address, port in pairs)
