"""What the kernel holds of a ServiceTable, and the elements by which another table differs.

Only services that changed are looked at. Two things are shared between services, so they are
counted: addresses of endpoints (a pod behind several services), and ways in that two services
claim by mistake (the same external address and port), where the whole is compared.
"""

from collections import Counter
from collections.abc import Iterable
from typing import TypeVar

from appliance.proxy.backends.nft_elements import Elements, elements
from appliance.proxy.table import ServiceEntry, ServicePort, ServiceTable

Way = tuple[str, str, int]
K = TypeVar("K")


class Held:
    """A table that was applied, and the chains that were made."""

    def __init__(self, table: ServiceTable, chains: set[str]) -> None:
        self.chains = chains
        self._table = table
        self._ways: Counter[Way] = Counter()
        self._ends: Counter[str] = Counter()
        for port in table.ports:
            self._count(port, 1)

    def difference(self, table: ServiceTable) -> tuple[Elements, Elements]:
        """What goes and what comes; from now on `table` is what is held."""
        before, self._table = self._table, table
        gone, come = table.changed_from(before)
        old, new = list(_ports(gone)), list(_ports(come))
        ways = {way for port in (*old, *new) for way in _ways(port)}
        clash = any(self._ways[way] > 1 for way in ways)
        had = {a for port in (*old, *new) for a in _addresses(port) if self._ends[a]}
        for port in old:
            self._count(port, -1)
        for port in new:
            self._count(port, 1)
        if clash or any(self._ways[way] > 1 for way in ways):
            return elements(before.ports), elements(table.ports)
        goes, comes = elements(old), elements(new)
        goes.of["hairpins"] = {_pair(a): "" for a in had if not self._ends[a]}
        comes.of["hairpins"] = {
            _pair(a): "" for port in new for a in _addresses(port) if a not in had and ":" not in a
        }
        _forget_zeros(self._ways, ways)
        _forget_zeros(self._ends, had)
        return goes, comes

    def _count(self, port: ServicePort, step: int) -> None:
        for way in _ways(port):
            self._ways[way] += step
        for address in _addresses(port):
            self._ends[address] += step


def _ports(entries: Iterable[ServiceEntry]) -> Iterable[ServicePort]:
    return (port for entry in entries for port in entry.ports)


def _ways(port: ServicePort) -> Iterable[Way]:
    addresses = (port.cluster_ip, *port.external_ips, *port.balancer_ips)
    yield from ((address, port.protocol, port.port) for address in {*addresses})
    if port.node_port:
        yield "", port.protocol, port.node_port


def _addresses(port: ServicePort) -> set[str]:
    return {endpoint.address for endpoint in (*port.endpoints, *port.local_endpoints)}


def _pair(address: str) -> str:
    return f"{address} . {address}"


def _forget_zeros(counter: Counter[K], keys: Iterable[K]) -> None:
    for key in keys:
        if not counter[key]:
            del counter[key]
