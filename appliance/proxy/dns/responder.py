"""Packets in, packets out: packed cluster answers, else upstream. No sockets in here."""

from collections.abc import Iterable

import structlog

from appliance.proxy.dns import wire
from appliance.proxy.dns.base import Answer, Question, RCode, Resolver
from appliance.proxy.dns.counts import Counts
from appliance.proxy.dns.packed import Packed
from appliance.proxy.dns.query import Query, Refused, parse
from appliance.proxy.dns.zone import Zone

log = structlog.get_logger(__name__)

_OVER_TCP = 0xFFFF


class Responder:
    """Answers from `zone`; other names go to `upstream`.

    Whoever changes the zone says which names changed (`forget`).
    """

    def __init__(self, zone: Zone, upstream: Resolver, *, counts: Counts | None = None) -> None:
        self.zone = zone
        self.counts = counts or Counts()
        self._upstream = upstream
        self._packed = Packed()
        self._known = self._packed.get

    def forget(self, names: Iterable[str]) -> None:
        """These names changed in the zone."""
        self._packed.forget(names)

    def forget_all(self) -> None:
        """Any name may have changed."""
        self._packed.clear()

    def quick(self, packet: bytes) -> bytes | None:
        """The answer over UDP if it is at hand; None: use `resolve`; b"": say nothing."""
        known = self._known(packet[2:])
        if known is not None:
            self.counts.packed += 1
            return packet[:2] + next(known)
        try:
            query = parse(packet)
        except Refused as why:
            return self._refused(packet, why)
        answer = self.zone.answer(query.question)
        if answer is None:
            return self._upstream.at_hand(packet, tcp=False)
        if answer.follow:
            return None
        reply = self._built(packet, query, answer, room=query.room)
        if answer.whole and answer.code != RCode.SERVFAIL:
            self._packed.keep(packet, query.question.name, reply, end=query.end)
        return reply

    async def resolve(self, packet: bytes, *, tcp: bool) -> bytes:
        """Answer over either transport; b"" means: say nothing."""
        if not tcp and (quick := self.quick(packet)) is not None:
            return quick
        try:
            query = parse(packet)
        except Refused as why:
            return self._refused(packet, why)
        room = _OVER_TCP if tcp else query.room
        answer = self.zone.answer(query.question)
        if answer is None:
            return await self._outside(packet, query.question, tcp=tcp)
        if answer.follow:
            return await self._followed(packet, query, answer, room=room)
        return self._built(packet, query, answer, room=room)

    async def _outside(self, packet: bytes, question: Question, *, tcp: bool) -> bytes:
        reply = self._upstream.at_hand(packet, tcp=tcp) if tcp else None
        reply = reply or await self._upstream.resolve(packet, question, tcp=tcp)
        if reply is None:
            self.counts.failed += 1
            return wire.refuse(packet, RCode.SERVFAIL)
        return reply

    async def _followed(self, packet: bytes, query: Query, answer: Answer, *, room: int) -> bytes:
        """An alias that leads outside, with what is there; alone, if nobody can be asked."""
        target = Question(answer.follow, query.question.rtype)
        asked = wire.question(target, 0)
        reply = self._upstream.at_hand(asked, tcp=False)
        reply = reply or await self._upstream.resolve(asked, target, tcp=False)
        if reply is not None:
            try:
                return wire.with_target(packet, query, answer, reply, room=room)
            except wire.Unanswerable as why:
                log.info("an alias's answer can't be read", target=target.name, why=str(why))
        return self._built(packet, query, answer, room=room)

    def _built(self, packet: bytes, query: Query, answer: Answer, *, room: int) -> bytes:
        self.counts.built += 1
        try:
            return wire.build(packet, query, answer, room=room)
        except wire.Unanswerable as why:
            log.warning("a name can't be answered", name=query.question.name, why=str(why))
            return wire.refuse(packet, RCode.SERVFAIL)

    def _refused(self, packet: bytes, why: Refused) -> bytes:
        self.counts.refused += 1
        return b"" if why.code is None else wire.refuse(packet, why.code)
