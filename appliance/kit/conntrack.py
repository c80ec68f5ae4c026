"""The kernel's table of connections: read the flows of a protocol, and forget some of them.

The proxy uses it for UDP, where a flow outlives its endpoint for as long as the client keeps
sending. Calls block for about 2 microseconds per connection; loops make them in a thread.

Source: linux/netfilter/nfnetlink_conntrack.h.
"""

import errno
import socket
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

UDP = 17
_NETLINK_NETFILTER = 12
_GET, _DELETE = 0x101, 0x102  # of the subsystem ctnetlink
_REQUEST, _ACK, _DUMP = 1, 4, 0x300
_ERROR, _DONE = 2, 3
_HEADER = struct.Struct("=IHHII")
_ERRNO = struct.Struct("=i")
_PORT = struct.Struct(">H")
_GENERIC = bytes([socket.AF_INET, 0, 0, 0])
_TUPLE_ORIGINAL, _TUPLE_REPLY, _TUPLE_IP, _TUPLE_PROTO = 1, 2, 1, 2
_SOURCE, _TARGET = 1, 2
_NUMBER, _SOURCE_PORT, _TARGET_PORT = 1, 2, 3
_TYPE_MASK = 0x3FFF  # without the flags for nesting and byte order
_READ = 1 << 17
_WAIT_S = 5.0


@dataclass(frozen=True, slots=True)
class Flow:
    """One connection: where the client sent to, and who answers."""

    target: str
    target_port: int
    answers: str
    answers_port: int
    key: bytes
    """How the kernel calls it."""


def flows(protocol: int = UDP) -> list[Flow]:
    """All IPv4 flows of a protocol in this network namespace.

    Raises:
        OSError: the kernel has no such table, or we are not root.
    """
    with _open() as netlink:
        _send(netlink, _GET, _REQUEST | _DUMP, b"")
        return [flow for message in _answers(netlink) if (flow := _flow(message, protocol))]


def forget(which: Iterable[Flow]) -> None:
    """Take flows out; what is gone already is fine.

    Raises:
        OSError: the kernel refused.
    """
    with _open() as netlink:
        for flow in which:
            key = _attribute(0x8000 | _TUPLE_ORIGINAL, flow.key)
            _send(netlink, _DELETE, _REQUEST | _ACK, key)
            try:
                for _ in _answers(netlink):
                    pass
            except FileNotFoundError:
                continue


def _open() -> socket.socket:
    netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER)
    netlink.settimeout(_WAIT_S)
    netlink.bind((0, 0))
    return netlink


def _send(netlink: socket.socket, kind: int, flags: int, attributes: bytes) -> None:
    body = _GENERIC + attributes
    netlink.send(_HEADER.pack(_HEADER.size + len(body), kind, flags, 1, 0) + body)


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + b"\0" * (-len(value) % 4)


def _answers(netlink: socket.socket) -> Iterator[bytes]:
    """The attributes of each message, up to the end of the answer."""
    while True:
        heard = netlink.recv(_READ)
        at = 0
        while at + _HEADER.size <= len(heard):
            length, kind, _, _, _ = _HEADER.unpack_from(heard, at)
            if kind == _DONE:
                return
            if kind == _ERROR:
                code = -_ERRNO.unpack_from(heard, at + _HEADER.size)[0]
                if code:
                    raise OSError(code, errno.errorcode.get(code, "refused by the kernel"))
                return
            yield heard[at + _HEADER.size + len(_GENERIC) : at + length]
            at += (length + 3) & ~3


def _flow(message: bytes, protocol: int) -> Flow | None:
    tuples = dict(_attributes(message))
    original, reply = tuples.get(_TUPLE_ORIGINAL, b""), tuples.get(_TUPLE_REPLY, b"")
    asked, answered = dict(_attributes(original)), dict(_attributes(reply))
    ports = dict(_attributes(asked.get(_TUPLE_PROTO, b"")))
    if ports.get(_NUMBER) != bytes([protocol]):
        return None
    back = dict(_attributes(answered.get(_TUPLE_PROTO, b"")))
    return Flow(
        target=_address(asked, _TARGET),
        target_port=_PORT.unpack(ports[_TARGET_PORT])[0],
        answers=_address(answered, _SOURCE),
        answers_port=_PORT.unpack(back[_SOURCE_PORT])[0],
        key=original,
    )


def _address(parts: dict[int, bytes], which: int) -> str:
    return socket.inet_ntoa(dict(_attributes(parts[_TUPLE_IP]))[which])


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, at)
        if length < 4:
            return
        yield kind & _TYPE_MASK, data[at + 4 : at + length]
        at += (length + 3) & ~3
