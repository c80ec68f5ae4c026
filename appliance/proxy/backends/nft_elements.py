"""Services as the elements of our nftables maps and sets. Pure.

The maps are flat: each packet costs one or two look-ups however many services there are, and a
change is a handful of elements. A service port with n endpoints maps to the chain `lb_n`, which
picks a slot 0..n-1 and looks up (slot . address . protocol . port). Layouts with a chain per
service took 62 to 82 s to load 10,000 services where flat maps took 2 s.

    services   10.43.0.9 . tcp . 80                  : goto lb_2     (aff_2 with client affinity)
    endpoints  0 . 10.43.0.9 . tcp . 80              : 10.42.0.5 . 8080
    endpoints  1 . 10.43.0.9 . tcp . 80              : 10.42.0.6 . 8080
    nodeports  tcp . 30080                           : goto np_hide_lb_2
    nodeends   0 . tcp . 30080                       : 10.42.0.5 . 8080
    refused    10.43.0.7 . tcp . 80                  (a port without endpoints)
    hairpins   10.42.0.5 . 10.42.0.5                 (a pod that reaches itself by its service)
    sticky     10.43.0.9 . tcp . 80                  : goto stick_10800     (client affinity)
    fenced     192.0.2.7 . tcp . 80                  (only from certain networks)
    welcome    192.0.2.7 . tcp . 80 . 198.51.100.0/24

What comes from outside goes through `hide_lb_n`, which gives the packet this node's address, so
that answers come back this way. With the policy Local it goes through `split_lb_n_m`: the m
endpoints of this node have the slots from NEAR on and see the client's address; the cluster's own
traffic may use all n (`nft_chains` has their texts).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import collapse_addresses, ip_address, ip_network
from typing import Any

from appliance.proxy.backends.nft_affinity import Stuck
from appliance.proxy.table import Endpoint, ServicePort

MAPS = ("services", "endpoints", "nodeports", "nodeends", "sticky", "sticky_nodeports")
SETS = ("refused", "refused_nodeports", "hairpins", "fenced", "welcome")
LEARNING = ("learn", "learn_input", "learn_output")
FENCING = ("fence", "fence_coming", "fence_output")
NEAR = 32768
"""The first slot of this node's endpoints."""


@dataclass(slots=True)
class Elements:
    """What each map and set holds (value "" in sets), and the balancing chains they need."""

    of: dict[str, dict[str, str]] = field(
        default_factory=lambda: {name: {} for name in (*MAPS, *SETS)}
    )
    chains: set[str] = field(default_factory=set)
    stuck: Stuck = frozenset()
    """What clients of services with affinity may stick to."""


def elements(ports: Iterable[ServicePort]) -> Elements:
    """Give the elements for the IPv4 part of some services."""
    made = Elements()
    for port in ports:
        _Writer(made, port).write()
    made.stuck = frozenset(_stuck(made))
    return made


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a way in stands: in which maps, under which key."""

    map: str
    ends: str
    key: str

    @property
    def node_port(self) -> bool:
        return self.map == "nodeports"


class _Writer:
    """Writes the ways in to one service port."""

    def __init__(self, made: Elements, port: ServicePort) -> None:
        self._made = made
        self._port = port
        self._every = [e for e in port.endpoints if _is_v4(e.address)]
        self._local = [e for e in port.local_endpoints if _is_v4(e.address)]

    def write(self) -> None:
        port = self._port
        if _is_v4(port.cluster_ip):
            self._cluster_address(self._at(port.cluster_ip))
        for address in filter(_is_v4, (*port.external_ips, *port.balancer_ips)):
            self._outside(self._at(address))
        if port.allowed_sources:
            self._fence()
        if port.node_port:
            key = f"{port.protocol} . {port.node_port}"
            self._outside(_Place("nodeports", "nodeends", key))
        for endpoint in (*self._every, *self._local):
            self._made.of["hairpins"][f"{endpoint.address} . {endpoint.address}"] = ""

    def _at(self, address: str) -> _Place:
        key = f"{address} . {self._port.protocol} . {self._port.port}"
        return _Place("services", "endpoints", key)

    def _cluster_address(self, place: _Place) -> None:
        to = self._local if self._port.local_only_internal else self._every
        if to:
            self._send(place, "", str(len(to)))
            _slots(self._made.of["endpoints"], place.key, to)
        elif self._every:  # others have some: the client may try again, a refusal would be wrong
            self._made.of["services"][place.key] = "drop"
        else:
            self._made.of["refused"][place.key] = ""

    def _outside(self, place: _Place) -> None:
        if not self._every:
            self._made.of["refused_nodeports" if place.node_port else "refused"][place.key] = ""
            return
        ends = self._made.of[place.ends]
        _slots(ends, place.key, self._every)
        if self._port.local_only_external:
            self._send(place, "split_", f"{len(self._every)}_{len(self._local)}")
            _slots(ends, place.key, self._local, first=NEAR)
        else:
            self._send(place, "hide_", str(len(self._every)))

    def _send(self, place: _Place, role: str, count: str) -> None:
        prefix = "np_" if place.node_port else ""
        affinity_s = self._port.affinity_s
        chain = f"{prefix}{role}{'aff' if affinity_s else 'lb'}_{count}"
        self._made.chains.add(chain)
        self._made.of[place.map][place.key] = f"goto {chain}"
        if affinity_s:
            stick = f"stick_{affinity_s}"
            self._made.chains |= {stick, *LEARNING}
            kind = "sticky_nodeports" if place.node_port else "sticky"
            self._made.of[kind][place.key] = f"goto {stick}"

    def _fence(self) -> None:
        given = [ip_network(source, strict=False) for source in self._port.allowed_sources]
        self._made.chains |= {*FENCING}
        v4: list[Any] = [network for network in given if network.version == 4]
        for address in filter(_is_v4, self._port.balancer_ips):
            key = self._at(address).key
            self._made.of["fenced"][key] = ""
            # A node that has the address itself asks from it.
            for network in collapse_addresses([*v4, ip_network(address)]):
                self._made.of["welcome"][f"{key} . {network}"] = ""


def _slots(target: dict[str, str], key: str, to: Iterable[Endpoint], first: int = 0) -> None:
    for slot, endpoint in enumerate(to, first):
        target[f"{slot} . {key}"] = f"{endpoint.address} . {endpoint.port}"


def _stuck(made: Elements) -> Iterable[tuple[str, str]]:
    for sticky, ends in (("sticky", "endpoints"), ("sticky_nodeports", "nodeends")):
        if keys := made.of[sticky]:
            for slot, endpoint in made.of[ends].items():
                if (key := slot.partition(" . ")[2]) in keys:
                    yield key, endpoint


def _is_v4(address: str) -> bool:
    return ip_address(address).version == 4
