"""Names of others: asked once, kept, fallen over, given when nobody answers, never in a circle."""

import asyncio
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import dnslib
import pytest

from appliance.kit.clock import FakeClock
from appliance.kit.tasks import Tasks
from appliance.proxy.dns import exchange, wire
from appliance.proxy.dns.base import Question, RCode, RType
from appliance.proxy.dns.counts import Counts
from appliance.proxy.dns.forward import Upstream
from appliance.proxy.dns.servers import Server, Servers

ONE, TWO = Server("192.0.2.1"), Server("192.0.2.2")
NAME = Question("example.org.", RType.A)
PACKET = wire.question(NAME, 5)
Say = Callable[[bytes], Awaitable[bytes]]


def reply(body: bytes, address: str = "198.51.100.1", code: int = 0) -> bytes:
    record = dnslib.DNSRecord.parse(b"\0\0" + body).reply()
    if not code:
        record.add_answer(
            dnslib.RR(record.q.qname, 1, rdata=dnslib.A(address), ttl=60),
        )
    record.header.rcode = code
    return bytes(record.pack())[2:]


async def well(body: bytes) -> bytes:
    return reply(body)


async def failing(body: bytes) -> bytes:
    return reply(body, code=RCode.SERVFAIL)


async def silent(_body: bytes) -> bytes:
    raise TimeoutError


class World:
    """Servers by what they say; loop probes are not told of."""

    def __init__(self, tasks: Tasks, says: dict[Server, Say]) -> None:
        self.says = says
        self.asked: list[Server] = []
        self.probes: list[bytes] = []
        self.clock = FakeClock()
        self.counts = Counts()
        nowhere = Path("/nonexistent/resolv.conf")
        servers = Servers(clock=self.clock, fixed=list(says), path=nowhere)
        self.upstream = Upstream(
            servers, clock=self.clock, tasks=tasks, counts=self.counts, ask=self.ask
        )

    async def ask(self, server: Server, body: bytes, *, tcp: bool) -> bytes:
        assert isinstance(tcp, bool)
        if body.endswith(PACKET[2:][-11:]) and b"\x07example\x03org" not in body:
            self.probes.append(body)
            return reply(body, code=RCode.NXDOMAIN)
        self.asked.append(server)
        return await self.says[server](body)

    async def resolve(self, *, tcp: bool = False) -> tuple[RCode, list[str]] | None:
        got = await self.upstream.resolve(PACKET, NAME, tcp=tcp)
        if got is None:
            return None
        assert got[:2] == PACKET[:2]
        code, records = wire.answers(got)
        return code, [data for _, _, data in records]


@pytest.fixture
async def tasks() -> AsyncIterator[Tasks]:
    async with Tasks("test") as tasks:
        yield tasks


GOOD = (RCode.NOERROR, ["198.51.100.1"])


async def test_an_answer_is_kept_for_its_time(tasks: Tasks) -> None:
    world = World(tasks, {ONE: well})
    assert world.upstream.at_hand(PACKET, tcp=False) is None
    assert await world.resolve() == GOOD
    assert world.upstream.at_hand(PACKET, tcp=False) is not None
    assert world.upstream.at_hand(PACKET, tcp=True) is None, "that one may be longer"
    await world.clock.advance(61)
    assert world.upstream.at_hand(PACKET, tcp=False) is None
    assert await world.resolve() == GOOD
    assert world.asked == [ONE, ONE]


async def test_one_question_in_flight_is_asked_once(tasks: Tasks) -> None:
    release = asyncio.Event()

    async def slow(body: bytes) -> bytes:
        await release.wait()
        return reply(body)

    world = World(tasks, {ONE: slow})
    both = asyncio.gather(world.resolve(), world.resolve())
    for _ in range(10):
        await asyncio.sleep(0)
    release.set()
    assert await both == [GOOD, GOOD]
    assert world.asked == [ONE]


@pytest.mark.parametrize("broken", [silent, failing])
async def test_the_next_server_is_asked(tasks: Tasks, broken: Say) -> None:
    world = World(tasks, {ONE: broken, TWO: well})
    assert await world.resolve() == GOOD
    assert world.asked == [ONE, TWO]


async def test_a_server_that_was_silent_is_asked_last(tasks: Tasks) -> None:
    world = World(tasks, {ONE: silent, TWO: well})
    await world.resolve()
    await world.clock.advance(20)
    world.says[TWO] = failing
    other = wire.question(Question("www.example.org.", RType.A), 1)
    await world.upstream.resolve(other, Question("www.example.org.", RType.A), tcp=False)
    assert world.asked == [ONE, TWO, TWO, ONE]


async def test_if_all_fail_that_is_said_and_if_all_are_silent_none(tasks: Tasks) -> None:
    world = World(tasks, {ONE: failing, TWO: failing})
    assert await world.resolve() == (RCode.SERVFAIL, [])
    world = World(tasks, {ONE: silent})
    assert await world.resolve() is None
    assert world.asked == [ONE, ONE], "a packet may be lost"
    assert world.counts.asked[str(ONE), "silent"] == 2
    world = World(tasks, {})
    assert await world.resolve() is None


async def test_when_nobody_answers_any_more_what_was_known_is_said_on(tasks: Tasks) -> None:
    world = World(tasks, {ONE: well})
    await world.resolve()
    world.says[ONE] = silent
    await world.clock.advance(3600)
    got = await world.upstream.resolve(PACKET, NAME, tcp=False)
    assert got is not None
    record = dnslib.DNSRecord.parse(got)
    assert [(str(r.rdata), r.ttl) for r in record.rr] == [("198.51.100.1", 30)]
    asked = len(world.asked)
    assert world.upstream.at_hand(PACKET, tcp=False) is not None
    assert len(world.asked) == asked, "upstream is not tried at each question"
    assert world.counts.stale == 1


async def test_a_server_that_asks_us_is_left_out_and_named(tasks: Tasks) -> None:
    """A resolver on the host that asks cluster DNS: our probe comes back as a question."""
    world = World(tasks, {TWO: well})

    async def leads_back(body: bytes) -> bytes:
        name = str(dnslib.DNSRecord.parse(b"\0\0" + body).q.qname)
        got = await world.upstream.resolve(b"id" + body, Question(name, RType.TXT), tcp=False)
        assert got is None, "said SERVFAIL, not asked again"
        return reply(body, code=RCode.SERVFAIL)

    async def ask(server: Server, body: bytes, *, tcp: bool) -> bytes:
        if server == ONE:
            world.asked.append(ONE)
            return await leads_back(body)
        return await world.ask(server, body, tcp=tcp)

    servers = Servers(clock=world.clock, fixed=[ONE, TWO])
    world.upstream = Upstream(servers, clock=world.clock, tasks=tasks, counts=world.counts, ask=ask)
    world.upstream.look_for_loops()
    for _ in range(50):
        await asyncio.sleep(0)
    assert world.counts.asked[str(ONE), "loop"] == 1
    world.asked.clear()
    assert await world.resolve() == GOOD
    assert world.asked == [TWO]


async def test_each_server_is_probed_once(tasks: Tasks) -> None:
    world = World(tasks, {ONE: well, TWO: well})
    for _ in range(3):
        world.upstream.look_for_loops()
        for _ in range(20):
            await asyncio.sleep(0)
    assert len(world.probes) == 2


async def test_a_reply_must_be_to_our_question() -> None:
    answer = b"\0\5" + reply(PACKET[2:])
    assert exchange.answers_to(PACKET, answer)
    assert not exchange.answers_to(PACKET, b"\0\6" + answer[2:]), "another id"
    assert not exchange.answers_to(PACKET, PACKET), "a question"
    other = wire.question(Question("example.net.", RType.A), 5)
    assert not exchange.answers_to(other, answer)
    assert exchange.answers_to(PACKET, wire.refuse(PACKET, RCode.REFUSED))


async def test_forged_answers_over_udp_are_not_looked_at_and_tcp_has_its_own_way() -> None:
    class Sly(asyncio.DatagramProtocol):
        def connection_made(self, transport: Any) -> None:
            self.transport = transport

        def datagram_received(self, data: bytes, addr: object) -> None:
            forged = bytes([data[0] ^ 1]) + data[1:2] + reply(data[2:], "203.0.113.66")
            for packet in (b"", b"\0", forged, data, data[:2] + reply(data[2:])):
                self.transport.sendto(packet, addr)

    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(Sly, local_addr=("127.0.0.1", 0))
    port = transport.get_extra_info("sockname")[1]
    got = await exchange.ask(Server("127.0.0.1", port), PACKET[2:], tcp=False)
    assert wire.answers(b"\0\0" + got)[1][0][2] == "198.51.100.1"
    transport.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        size = struct.unpack("!H", await reader.readexactly(2))[0]
        data = await reader.readexactly(size)
        said = data[:2] + reply(data[2:])
        writer.write(struct.pack("!H", len(said)) + said)
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    got = await exchange.ask(Server("127.0.0.1", port), PACKET[2:], tcp=True)
    assert wire.answers(b"\0\0" + got)[0] == RCode.NOERROR
    server.close()
    await server.wait_closed()
