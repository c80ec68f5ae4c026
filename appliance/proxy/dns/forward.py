"""Names that are not ours: asked of name servers, their answers kept.

A server that is silent for `_TRY_S`, or that says it can't, is followed by the next one; all of
it ends after `_WHOLE_S`, before stub resolvers give up (5 s). If nobody answers, an answer past
its time is given if there is one. The same question in flight is asked once; past `_MAX_IN_FLIGHT`
of them a question fails rather than waits.

Loops (a resolver on this host that asks cluster DNS, which asks the host's resolver) are found by
a question that nobody else asks: whose question comes back leads to us, and is left out.
"""

import asyncio
import secrets
from collections.abc import Awaitable
from typing import Protocol

import structlog

from appliance.kit.clock import Clock
from appliance.kit.tasks import Tasks
from appliance.proxy.dns import exchange, wire
from appliance.proxy.dns.base import Question, RCode, RType
from appliance.proxy.dns.counts import Counts
from appliance.proxy.dns.kept import Kept
from appliance.proxy.dns.servers import Server, Servers

log = structlog.get_logger(__name__)

_TRY_S = 1.5
_WHOLE_S = 4.5
_ROUNDS = 2  # packets get lost; a slow server has the answer when it is asked again
_MAX_IN_FLIGHT = 1000
_NO_HELP = {RCode.SERVFAIL, RCode.NOTIMP, RCode.REFUSED}
"""Another server may know better."""


class Ask(Protocol):
    """`exchange.ask`, or a test's stand-in."""

    def __call__(self, server: Server, body: bytes, *, tcp: bool) -> Awaitable[bytes]:
        """The answer of one server; both without their ids."""
        ...


class Upstream:
    """A caching forwarder over `servers`."""

    def __init__(
        self,
        servers: Servers,
        *,
        clock: Clock,
        tasks: Tasks,
        counts: Counts | None = None,
        ask: Ask = exchange.ask,
    ) -> None:
        self._servers = servers
        self._clock = clock
        self._tasks = tasks
        self._counts = counts or Counts()
        self._ask_one = ask
        self._kept = Kept()
        self._flights: dict[bytes, asyncio.Task[bytes | None]] = {}
        self._probes: dict[str, Server] = {}
        self._probed: tuple[Server, ...] = ()

    def at_hand(self, packet: bytes, *, tcp: bool) -> bytes | None:
        """The answer if it is kept."""
        body = self._kept.get(_key(packet, tcp=tcp), self._clock.monotonic())
        if body is None:
            return None
        self._counts.kept += 1
        return packet[:2] + body

    async def resolve(self, packet: bytes, question: Question, *, tcp: bool) -> bytes | None:
        """Ask; None when nobody answers and nothing is kept."""
        if (server := self._probes.pop(question.name, None)) is not None:
            self._loop_found(server)
            return None
        self.look_for_loops()
        key = _key(packet, tcp=tcp)
        flight = self._flights.get(key)
        if flight is None:
            if len(self._flights) >= _MAX_IN_FLIGHT:
                return None
            flight = self._tasks.spawn("upstream", self._fetch(key, packet[2:], question, tcp=tcp))
            self._flights[key] = flight
            flight.add_done_callback(lambda _: self._flights.pop(key, None))
        body = await asyncio.shield(flight)
        return None if body is None else packet[:2] + body

    def look_for_loops(self) -> None:
        """Ask each server that was not asked yet something that nobody else asks."""
        servers = self._servers.all()
        if servers == self._probed:
            return
        self._probed = servers
        self._probes.clear()
        for server in servers:
            name = f"{secrets.token_hex(8)}.{secrets.token_hex(8)}."
            self._probes[name] = server
            _ = self._tasks.spawn("dns loop probe", self._probe(server, name))

    async def _probe(self, server: Server, name: str) -> None:
        body = wire.question(Question(name, RType.TXT), 0)[2:]
        _ = await self._try(server, body, tcp=False)
        self._probes.pop(name, None)

    def _loop_found(self, server: Server) -> None:
        self._servers.looped(server)
        self._counts.upstream(str(server), "loop")
        log.error(
            "dns loop",
            server=str(server),
            why="this name server asks cluster DNS what cluster DNS asks it",
            remedy="name a server outside of the cluster in /etc/resolv.conf, or --dns-upstream",
        )

    async def _fetch(
        self, key: bytes, body: bytes, question: Question, *, tcp: bool
    ) -> bytes | None:
        reply = await self._from_somebody(body, question.name, tcp=tcp)
        now = self._clock.monotonic()
        if reply is not None and _code(reply) not in _NO_HELP:
            self._kept.put(key, reply, now)
            return reply
        stale = self._kept.stale(key, now)
        if stale is not None:
            self._counts.stale += 1
            return stale
        return reply

    async def _from_somebody(self, body: bytes, name: str, *, tcp: bool) -> bytes | None:
        """The first answer that helps, else the last that does not."""
        unhelpful = None
        ends = self._clock.monotonic() + _WHOLE_S
        for _ in range(_ROUNDS):
            for server in self._servers.for_name(name):
                if self._clock.monotonic() >= ends:
                    return unhelpful
                reply = await self._try(server, body, tcp=tcp)
                if reply is None:
                    continue
                if _code(reply) not in _NO_HELP:
                    return reply
                unhelpful = reply
            if unhelpful is not None:
                break  # they all had their say
        return unhelpful

    async def _try(self, server: Server, body: bytes, *, tcp: bool) -> bytes | None:
        try:
            async with asyncio.timeout(_TRY_S):
                reply = await self._ask_one(server, body, tcp=tcp)
        except (TimeoutError, OSError, EOFError):
            self._servers.silent(server)
            self._counts.upstream(str(server), "silent")
            return None
        self._servers.answered(server)
        self._counts.upstream(str(server), "answered" if _code(reply) not in _NO_HELP else "failed")
        return reply


def _key(packet: bytes, *, tcp: bool) -> bytes:
    return packet[2:] + (b"t" if tcp else b"u")


def _code(body: bytes) -> int:
    return body[1] & 0xF
