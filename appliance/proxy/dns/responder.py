"""Packets in, packets out: packed cluster answers, else upstream. No sockets in here.

The packed answers are kept until the zone changes, at most `_MAX_PACKED` of them: past that the
whole table is dropped, which costs one packing per name and bounds memory.
"""

from appliance.proxy.dns import wire
from appliance.proxy.dns.base import RCode, Resolver
from appliance.proxy.dns.zone import Zone

_MAX_PACKED = 10_000


class Responder:
    """Answers from the current zone; other names go to `upstream`."""

    def __init__(self, domain: str, upstream: Resolver) -> None:
        self._zone = Zone(domain)
        self._upstream = upstream
        self._packed: dict[bytes, tuple[bytes, int]] = {}

    def set_zone(self, zone: Zone) -> None:
        """Answer from this zone from now on."""
        self._zone = zone
        self._packed.clear()

    def quick(self, packet: bytes) -> bytes | None:
        """The answer over UDP if it is at hand; None means: use `resolve`."""
        known = self._packed.get(packet[2:])
        if known is not None:
            reply, room = known
            return packet[:2] + (reply if len(reply) + 2 <= room else self._cut(packet, reply))
        try:
            question, room = wire.parse(packet)
        except wire.BadPacket:
            return wire.refuse(packet, RCode.FORMERR) if _is_query(packet) else b""
        answer = self._zone.answer(question)
        if answer is None:
            return None
        reply = wire.build(packet, answer)
        if len(self._packed) >= _MAX_PACKED:
            self._packed.clear()
        self._packed[packet[2:]] = (reply[2:], room)
        return reply if len(reply) <= room else wire.truncated(reply)

    async def resolve(self, packet: bytes, *, tcp: bool) -> bytes:
        """Answer over either transport; b"" means: say nothing."""
        if not tcp:
            quick = self.quick(packet)
            if quick is not None:
                return quick
        else:
            try:
                question, _ = wire.parse(packet)
            except wire.BadPacket:
                return wire.refuse(packet, RCode.FORMERR) if _is_query(packet) else b""
            answer = self._zone.answer(question)
            if answer is not None:
                return wire.build(packet, answer)
        reply = await self._upstream.resolve(packet, tcp=tcp)
        return reply if reply is not None else wire.refuse(packet, RCode.SERVFAIL)

    @staticmethod
    def _cut(packet: bytes, reply: bytes) -> bytes:
        return wire.truncated(packet[:2] + reply)[2:]


def _is_query(packet: bytes) -> bool:
    return len(packet) >= wire.HEADER_BYTES and not packet[2] & 0x80
