"""Other servers' answers, kept for as long as they say (RFC 1035, RFC 2308); pure but for bytes.

What is given out later has its times shortened by its age. Once past its time an answer stays for
a day, to be given if nobody upstream answers any more (RFC 8767). Bounds: `_MAX` answers, the
oldest go first; nothing is kept for more than an hour.
"""

import struct
from collections import OrderedDict
from dataclasses import dataclass

from appliance.proxy.dns.base import RCode, RType
from appliance.proxy.dns.query import HEADER_BYTES

_MAX = 10_000
_LONGEST_S = 3600
_STALE_S = 86_400.0
_STALE_TTL_S = 30
"""What is said of an answer past its time, as RFC 8767 advises."""
_STALE_AGAIN_S = 5.0
"""While nobody answers, upstream is tried this often for a name, and not at each question."""
_POINTER, _CUT = 0xC0, 0x02
_RECORD = struct.Struct("!HHIH")  # type, class, TTL, length of the data


@dataclass(slots=True)
class _Kept:
    body: bytes
    """The packet without its id."""
    ttls: tuple[int, ...]
    """Where in the body the times are."""
    born: float
    until: float
    stale: bool = False


class Kept:
    """Answers by question; times are the caller's monotonic seconds."""

    def __init__(self) -> None:
        self._answers: OrderedDict[bytes, _Kept] = OrderedDict()

    def get(self, key: bytes, now: float) -> bytes | None:
        """The body of an answer that is still good."""
        found = self._answers.get(key)
        if found is None or found.until <= now:
            return None
        return _told(found, now)

    def put(self, key: bytes, body: bytes, now: float) -> None:
        """Keep an answer if it says for how long."""
        life_s, ttls = lifetime(body)
        if life_s <= 0:
            return
        self._answers[key] = _Kept(body, ttls, now, now + min(life_s, _LONGEST_S))
        self._answers.move_to_end(key)
        while len(self._answers) > _MAX:
            self._answers.popitem(last=False)

    def stale(self, key: bytes, now: float) -> bytes | None:
        """The body of an answer past its time, if it is not too old; good for a moment again."""
        found = self._answers.get(key)
        if found is None or found.born + _STALE_S < now:
            return None
        found.stale, found.until = True, now + _STALE_AGAIN_S
        return _told(found, now)


def _told(found: _Kept, now: float) -> bytes:
    age = int(now - found.born)
    if not age and not found.stale:
        return found.body
    body = bytearray(found.body)
    for at in found.ttls:
        (ttl,) = struct.unpack_from("!I", body, at)
        left = _STALE_TTL_S if found.stale else max(0, ttl - age)
        struct.pack_into("!I", body, at, left)
    return bytes(body)


def lifetime(body: bytes) -> tuple[int, tuple[int, ...]]:
    """For how many seconds an answer without its id may be kept, and where its times stand.

    0 if it says nothing, is cut, or can't be read; answers that say no are kept as the SOA beside
    them says.
    """
    try:
        return _lifetime(b"\0\0" + body)
    except (struct.error, IndexError):
        return 0, ()


def _lifetime(packet: bytes) -> tuple[int, tuple[int, ...]]:
    code, cut = packet[3] & 0xF, packet[2] & _CUT
    questions, answers, authorities, extras = struct.unpack_from("!HHHH", packet, 4)
    if cut or questions != 1 or code not in (RCode.NOERROR, RCode.NXDOMAIN):
        return 0, ()
    at = _after_name(packet, HEADER_BYTES) + 4
    lives: list[int] = []
    spots: list[int] = []
    positive = False
    for place in range(answers + authorities + extras):
        at = _after_name(packet, at)
        rtype, _, ttl, length = _RECORD.unpack_from(packet, at)
        data = at + _RECORD.size
        if data + length > len(packet):
            return 0, ()
        if rtype != RType.OPT:
            spots.append(at + 4 - 2)  # the body lacks the id's two bytes
            positive = positive or (place < answers and rtype != RType.CNAME)
            if rtype == RType.SOA and answers <= place < answers + authorities:
                # RFC 2308, 5: the lesser of the record's time and its last field
                ttl = min(ttl, struct.unpack_from("!I", packet, data + length - 4)[0])
                lives.append(ttl)
            elif place < answers:
                lives.append(ttl)
        at = data + length
    has_soa = len(lives) > answers
    if not positive and not has_soa:
        return 0, ()  # says no, and not for how long
    return min(lives, default=0), tuple(spots)


def _after_name(packet: bytes, at: int) -> int:
    while True:
        size = packet[at]
        if size & _POINTER == _POINTER:
            return at + 2
        at += size + 1
        if size == 0:
            return at
