"""Whose turn is it: round robin with client affinity. Pure but for its own counters."""

from dataclasses import dataclass, field

from appliance.proxy.table import Endpoint

_MAX_CLIENTS = 10_000  # affinities kept; past it all are forgotten, which only costs stickiness


@dataclass(slots=True)
class Balancer:
    """Picks an endpoint for each connection of one service port."""

    endpoints: tuple[Endpoint, ...] = ()
    affinity_s: int = 0
    _next: int = 0
    _clients: dict[str, tuple[Endpoint, float]] = field(default_factory=dict)

    def update(self, endpoints: tuple[Endpoint, ...], affinity_s: int) -> None:
        """Take new endpoints; clients of those that stay keep theirs."""
        self.endpoints = endpoints
        self.affinity_s = affinity_s
        self._clients = {c: kept for c, kept in self._clients.items() if kept[0] in endpoints}

    def pick(self, client: str, now: float) -> Endpoint | None:
        """The endpoint for a client's new connection, or None when there is none."""
        if not self.endpoints:
            return None
        if self.affinity_s:
            known = self._clients.get(client)
            if known is not None and now - known[1] < self.affinity_s:
                self._clients[client] = (known[0], now)
                return known[0]
        chosen = self.endpoints[self._next % len(self.endpoints)]
        self._next += 1
        if self.affinity_s:
            if len(self._clients) >= _MAX_CLIENTS:
                self._clients.clear()
            self._clients[client] = (chosen, now)
        return chosen
