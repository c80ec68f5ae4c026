"""Which client sticks to which endpoint: what the kernel has learned, read and pruned. Pure.

The map `affinity` is the kernel's own: the rules in `nft_rules` add and refresh elements as
connections are made, and they time out by themselves. We touch it twice: to take out what points
at endpoints that are gone, and to carry it over when the whole table is loaded anew.

    10.42.0.7 . 10.43.0.9 . tcp . 80 timeout 10800s expires 10200s : 10.42.0.5 . 8080

Reading costs about 26 microseconds a client; the kernel holds at most CLIENTS_MAX,
later ones do not stick.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

CLIENTS_MAX = 65536
_PROTOCOLS = {6: "tcp", 17: "udp", 132: "sctp"}
_BATCH = 500

Stuck = frozenset[tuple[str, str]]
"""(service or node port, endpoint) that a client may stick to, as elements spell them."""


@dataclass(frozen=True, slots=True)
class Stick:
    """One client of one service port."""

    client: str
    address: str
    port: str
    """`tcp . 80`"""
    endpoint: str
    timeout_s: int
    left_s: int

    @property
    def key(self) -> str:
        """As the map spells it."""
        return f"{self.client} . {self.address} . {self.port}"

    def fits(self, stuck: Stuck) -> bool:
        """Whether the endpoint may still be used, by service address or by node port."""
        return (f"{self.address} . {self.port}", self.endpoint) in stuck or (
            self.port,
            self.endpoint,
        ) in stuck


def read(objects: Iterable[Mapping[str, Any]]) -> Iterator[Stick]:
    """Read what `list map` gives as JSON."""
    for found in objects:
        for key, value in found.get("map", {}).get("elem", ()):
            element = key["elem"]
            client, address, protocol, port = element["val"]["concat"]
            end, end_port = value["concat"]
            yield Stick(
                client=client,
                address=address,
                port=f"{_PROTOCOLS.get(protocol, protocol)} . {port}",
                endpoint=f"{end} . {end_port}",
                timeout_s=element["timeout"],
                left_s=element["expires"],
            )


def forget(table: str, sticks: Iterable[Stick]) -> str:
    """Text that takes elements out."""
    return _statements("delete", table, [stick.key for stick in sticks])


def remember(table: str, sticks: Iterable[Stick]) -> str:
    """Text that puts them in again, with the time they have left."""
    texts = [
        f"{s.key} timeout {s.timeout_s}s expires {s.left_s}s : {s.endpoint}"
        for s in sticks
        if s.left_s > 0
    ]
    return _statements("add", table, texts)


def _statements(verb: str, table: str, texts: list[str]) -> str:
    parts = (texts[at : at + _BATCH] for at in range(0, len(texts), _BATCH))
    return "\n".join(f"{verb} element ip {table} affinity {{ {', '.join(p)} }}" for p in parts)
