"""Hear of it when somebody else takes rules of ours away.

The kernel tells a multicast group of every change of rules, with the netlink port of who made it.
Only what goes concerns us: tables, chains, rules, sets and their elements, of one table. Elements
that time out bear port 0 and are passed over. Where a burst overflows the socket,
what is lost is lost: the next change of services finds drift, too.

Source: linux/netfilter/nf_tables.h, nfnetlink.h.
"""

import asyncio
import errno
import socket
import struct
from collections.abc import Iterator
from typing import Self

_NETLINK_NETFILTER = 12
_GROUP_NFTABLES = 7
_SOL_NETLINK, _ADD_MEMBERSHIP = 270, 1
_SUBSYSTEM = 10
# DELTABLE, DELCHAIN, DELRULE, DELSET, DELSETELEM
_DELETES = {2, 5, 8, 11, 14}
_HEADER = struct.Struct("=IHHII")
_FAMILY = 4  # bytes of nfgenmsg
_TABLE = 1  # the attribute that names the table has this number in all of these messages
_READ = 1 << 16


class NftWatch:
    """Deletions in one table, in the network namespace of the thread that made it."""

    def __init__(self, table: str) -> None:
        self._table = table
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER)
        self._socket.bind((0, 0))
        self._socket.setsockopt(_SOL_NETLINK, _ADD_MEMBERSHIP, _GROUP_NFTABLES)
        self._socket.setblocking(False)

    def close(self) -> None:
        """Stop hearing."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def drain(self) -> bool:
        """Forget what has been told so far, such as our own changes; whether there was any loss."""
        lost = False
        while True:
            try:
                heard = self._socket.recv(_READ)
            except BlockingIOError:
                return lost
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                continue
            lost = lost or loses(heard, self._table)

    async def heard(self) -> None:
        """Return when something can be read; `drain` says whether it was a loss."""
        loop = asyncio.get_running_loop()
        readable = asyncio.Event()
        loop.add_reader(self._socket, readable.set)
        try:
            await readable.wait()
        finally:
            loop.remove_reader(self._socket)


def loses(heard: bytes, table: str) -> bool:
    """Whether messages tell of a deletion in a table, by a process."""
    return any(name == table for name in _deletions(heard))


def _deletions(heard: bytes) -> Iterator[str]:
    at = 0
    while at + _HEADER.size <= len(heard):
        length, kind, _, _, port = _HEADER.unpack_from(heard, at)
        if length < _HEADER.size:
            return
        if kind >> 8 == _SUBSYSTEM and kind & 0xFF in _DELETES and port:
            yield _table_in(heard[at + _HEADER.size + _FAMILY : at + length])
        at += (length + 3) & ~3


def _table_in(attributes: bytes) -> str:
    at = 0
    while at + 4 <= len(attributes):
        length, kind = struct.unpack_from("=HH", attributes, at)
        if length < 4:
            break
        if kind == _TABLE:
            return attributes[at + 4 : at + length].rstrip(b"\0").decode(errors="replace")
        at += (length + 3) & ~3
    return ""
