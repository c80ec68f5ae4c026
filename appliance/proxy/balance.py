"""Whose turn is it: round robin with client affinity. Pure but for its own counters."""

from dataclasses import dataclass, field

from appliance.proxy.table import Endpoint

_MAX_CLIENTS = 10_000  # affinities kept; past it the one that was idle longest is forgotten


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
            known = self._clients.pop(client, None)
            if known is not None and now - known[1] < self.affinity_s:
                return self._keep(client, known[0], now)
        chosen = self.endpoints[self._next % len(self.endpoints)]
        self._next += 1
        return self._keep(client, chosen, now) if self.affinity_s else chosen

    def failed(self, client: str, endpoint: Endpoint) -> None:
        """An endpoint did not answer: the client's next connection goes elsewhere."""
        if self._clients.get(client, (None, 0.0))[0] == endpoint:
            del self._clients[client]

    def _keep(self, client: str, endpoint: Endpoint, now: float) -> Endpoint:
        """Remember it as the newest; the dictionary's order is that of use."""
        if len(self._clients) >= _MAX_CLIENTS:
            del self._clients[next(iter(self._clients))]
        self._clients[client] = (endpoint, now)
        return endpoint
