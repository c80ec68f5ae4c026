"""A packet that asks, taken apart by hand: this is what strangers can throw at us.

Only the question and the EDNS part are read. Names in a question are never compressed, so there
are no pointers to follow, and nothing here can loop. Sources: RFC 1035 (4.1), RFC 6891 (6.1).
"""

import struct
from dataclasses import dataclass

from appliance.proxy.dns.base import Question, RCode, RType

HEADER_BYTES = 12
PLAIN_UDP_BYTES = 512
MAX_UDP_BYTES = 1232
"""What fits every path without fragments (DNS flag day 2020)."""
_NAME_BYTES = 255
_LABEL_BYTES = 63
_IN, _ANY_CLASS = 1, 255
_POINTER = 0xC0
_RECORD = struct.Struct("!HHIH")  # type, class, TTL, length of the data


class Refused(Exception):
    """Not answered but by `code`; without a code it is not even to be answered."""

    def __init__(self, code: RCode | None, why: str) -> None:
        super().__init__(why)
        self.code = code


@dataclass(frozen=True, slots=True)
class Query:
    """A question that can be answered."""

    question: Question
    end: int
    """Where the question ends in the packet."""
    room: int = PLAIN_UDP_BYTES
    """Bytes of answer that the client takes over UDP."""
    edns: bool = False


def parse(packet: bytes) -> Query:
    """Read a packet.

    Raises:
        Refused: it is no question, or not one for us.
    """
    if len(packet) < HEADER_BYTES or packet[2] & 0x80:
        raise Refused(None, "too short, or itself an answer: to answer those would make loops")
    if packet[2] & 0x78:
        raise Refused(RCode.NOTIMP, "an operation other than a query")
    questions, answers, authorities, extras = struct.unpack_from("!HHHH", packet, 4)
    if questions != 1:
        raise Refused(RCode.FORMERR, f"{questions} questions")
    name, at = _name(packet)
    if at + 4 > len(packet):
        raise Refused(RCode.FORMERR, "the question ends early")
    rtype, rclass = struct.unpack_from("!HH", packet, at)
    if rclass not in (_IN, _ANY_CLASS):
        raise Refused(RCode.REFUSED, f"class {rclass} is not the Internet's")
    end = at + 4
    if answers + authorities + extras == 0:
        return Query(Question(name, rtype), end)
    room = _edns_room(packet, end, answers + authorities + extras)
    if room is None:
        return Query(Question(name, rtype), end)
    return Query(Question(name, rtype), end, room, edns=True)


def _name(packet: bytes) -> tuple[str, int]:
    """The name after the header, and where it ends."""
    labels: list[str] = []
    at = HEADER_BYTES
    while True:
        if at >= len(packet):
            raise Refused(RCode.FORMERR, "the name ends early")
        size = packet[at]
        at += 1
        if size == 0:
            break
        if size > _LABEL_BYTES or at + size > len(packet) or at + size - HEADER_BYTES > _NAME_BYTES:
            raise Refused(RCode.FORMERR, "a label is too long, or a pointer")
        labels.append(_text(packet[at : at + size]))
        at += size
    return ".".join(labels).lower() + ".", at


def _text(label: bytes) -> str:
    """A label as people write it: a dot within it is not one between labels."""
    text = label.decode("latin-1")
    return text.replace("\\", "\\\\").replace(".", "\\.") if b"." in label else text


def _edns_room(packet: bytes, at: int, count: int) -> int | None:
    """Bytes that the client takes, None if it speaks no EDNS."""
    room = None
    for _ in range(count):
        bare = at < len(packet) and packet[at] == 0
        at = _skip_name(packet, at)
        if at + _RECORD.size > len(packet):
            raise Refused(RCode.FORMERR, "a record ends early")
        rtype, size, flags, length = _RECORD.unpack_from(packet, at)
        at += _RECORD.size + length
        if at > len(packet):
            raise Refused(RCode.FORMERR, "a record ends early")
        if rtype != RType.OPT:
            continue
        if room is not None or not bare:
            raise Refused(RCode.FORMERR, "EDNS twice, or under a name")
        if flags >> 16 & 0xFF:
            raise Refused(RCode.BADVERS, "an EDNS that is newer than 0")
        room = min(max(PLAIN_UDP_BYTES, size), MAX_UDP_BYTES)
    return room


def _skip_name(packet: bytes, at: int) -> int:
    while at < len(packet):
        size = packet[at]
        if size & _POINTER == _POINTER:
            return at + 2
        at += size + 1
        if size == 0:
            return at
    raise Refused(RCode.FORMERR, "a name ends early")
