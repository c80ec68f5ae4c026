"""Answers as bytes, by the question's bytes: what makes a repeated question cost a look-up.

The key is everything after the packet's id: name in its spelling, type, flags, EDNS. Several
addresses are given in turn in another order, so that clients that take the first are spread.
At most `_MAX` answers are kept; past that all are dropped, which costs one packing per name.
"""

import struct
from collections.abc import Iterable, Iterator
from itertools import cycle

_MAX = 20_000
_ORDERS_MAX = 8
"""Orders that are kept of one answer; more would fill memory for hardly any evener spread."""
_ID_BYTES = 2
_RECORD_HEAD = struct.Struct("!HHHIH")  # a pointer as name, type, class, TTL, length of the data
_TO_QUESTION = 0xC00C
_ADDRESS_TYPES = {1, 28}


class Packed:
    """A bounded table that can forget by name."""

    def __init__(self) -> None:
        self._replies: dict[bytes, Iterator[bytes]] = {}
        self._keys: dict[str, set[bytes]] = {}
        # The look-up itself, for the loop that drains the socket.
        self.get = self._replies.get

    def __len__(self) -> int:
        """How many questions can be answered from here."""
        return len(self._replies)

    def keep(self, packet: bytes, name: str, reply: bytes, *, end: int) -> None:
        """Remember the reply to a packet that asks for `name`; the question ends at `end`."""
        if len(self._replies) >= _MAX:
            self.clear()
        key = packet[_ID_BYTES:]
        self._replies[key] = cycle([order[_ID_BYTES:] for order in orders(reply, end)])
        self._keys.setdefault(name, set()).add(key)

    def forget(self, names: Iterable[str]) -> None:
        """Drop what is said of these names."""
        for name in names:
            for key in self._keys.pop(name, ()):
                del self._replies[key]

    def clear(self) -> None:
        """Drop everything."""
        self._replies.clear()
        self._keys.clear()


def orders(reply: bytes, end: int) -> list[bytes]:
    """The reply with its addresses turned round, each order once; itself, if it is of other kind.

    Addresses of the asked name are records of one size right behind the question.
    """
    (count,) = struct.unpack_from("!H", reply, 6)
    if count < 2:
        return [reply]
    _, rtype, _, _, length = _RECORD_HEAD.unpack_from(reply, end)
    size = _RECORD_HEAD.size + length
    till = end + count * size
    heads = {reply[at : at + 4] for at in range(end, till, size)}
    if rtype not in _ADDRESS_TYPES or till > len(reply) or len(heads) > 1:
        return [reply]
    if reply[end : end + 2] != _TO_QUESTION.to_bytes(2, "big"):
        return [reply]
    return [
        reply[:end] + reply[at:till] + reply[end:at] + reply[till:]
        for at in range(end, till, size)[: min(count, _ORDERS_MAX)]
    ]
