"""The responder over real loopback sockets, with a scripted upstream on another port."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator

import pytest

from appliance.kit.clock import FakeClock, SystemClock
from appliance.kit.tasks import Tasks
from appliance.proxy.dns import wire
from appliance.proxy.dns.base import Question, RCode, Record, RType
from appliance.proxy.dns.forward import Upstream
from appliance.proxy.dns.responder import Responder
from appliance.proxy.dns.server import DnsServer
from appliance.proxy.dns.zone import Zone

DOMAIN = "cluster.local"
WEB = "web.d.svc.cluster.local."


class NoUpstream:
    async def resolve(self, packet: bytes, *, tcp: bool) -> bytes | None:  # noqa: ARG002
        return None


@pytest.fixture
async def tasks() -> AsyncIterator[Tasks]:
    async with Tasks("test") as tasks:
        yield tasks


def zone_with(*records: Record) -> Zone:
    zone = Zone(DOMAIN)
    for record in records:
        zone.add(record)
    return zone


def a(name: str, address: str) -> Record:
    return Record(name, RType.A, 5, address)


async def listening(responder: Responder, tasks: Tasks) -> DnsServer:
    server = DnsServer(responder, host="127.0.0.1", port=0, tasks=tasks)
    await server.start()
    return server


async def udp(port: int, packet: bytes) -> bytes:
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.setblocking(False)
        client.bind(("127.0.0.1", 0))
        await loop.sock_sendto(client, packet, ("127.0.0.1", port))
        async with asyncio.timeout(5):
            return (await loop.sock_recvfrom(client, 4096))[0]


async def tcp(port: int, packet: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(struct.pack("!H", len(packet)) + packet)
    size = struct.unpack("!H", await reader.readexactly(2))[0]
    reply = await reader.readexactly(size)
    writer.close()
    await writer.wait_closed()
    return reply


async def test_a_cluster_name_is_answered_over_udp_and_tcp(tasks: Tasks) -> None:
    responder = Responder(DOMAIN, NoUpstream())
    responder.set_zone(zone_with(a(WEB, "10.43.0.9")))
    server = await listening(responder, tasks)
    packet = wire.query(Question(WEB, RType.A), 77)
    for reply in (
        await udp(server.port, packet),
        await udp(server.port, packet),  # from the packed answers this time
        await tcp(server.port, packet),
    ):
        assert reply[:2] == packet[:2]
        assert wire.answers(reply) == (RCode.NOERROR, [(WEB, RType.A, "10.43.0.9")])
    await server.stop()


async def test_a_new_zone_is_answered_from_at_once() -> None:
    responder = Responder(DOMAIN, NoUpstream())
    responder.set_zone(zone_with(a(WEB, "10.43.0.9")))
    packet = wire.query(Question(WEB, RType.A), 1)
    await responder.resolve(packet, tcp=False)
    responder.set_zone(zone_with(a(WEB, "10.43.0.10")))
    reply = await responder.resolve(packet, tcp=False)
    assert wire.answers(reply)[1] == [(WEB, RType.A, "10.43.0.10")]


async def test_a_long_answer_is_cut_over_udp_and_whole_over_tcp(tasks: Tasks) -> None:
    responder = Responder(DOMAIN, NoUpstream())
    responder.set_zone(zone_with(*(a(WEB, f"10.42.0.{n}") for n in range(1, 101))))
    server = await listening(responder, tasks)
    packet = wire.query(Question(WEB, RType.A), 1)
    for _ in range(2):
        short = await udp(server.port, packet)
        assert short[2] & 0x02, "TC is set"
        assert len(short) <= 512
    assert len(wire.answers(await tcp(server.port, packet))[1]) == 100
    await server.stop()


async def test_other_names_go_upstream_and_are_kept_for_their_ttl(tasks: Tasks) -> None:
    asked: list[bytes] = []

    class Recording(Responder):
        def quick(self, packet: bytes) -> bytes | None:
            asked.append(packet)
            return super().quick(packet)

    far = Recording("org", NoUpstream())
    record = Record("example.org.", RType.A, 300, "192.0.2.1")
    far_zone = Zone("org")
    far_zone.add(record)
    far.set_zone(far_zone)
    upstream_server = await listening(far, tasks)
    clock = FakeClock()
    upstream = Upstream(
        ["127.0.0.1"], own="127.0.0.9", clock=clock, tasks=tasks, port=upstream_server.port
    )
    near = Responder(DOMAIN, upstream)
    packet = wire.query(Question("example.org.", RType.A), 5)
    for _ in range(3):
        reply = await near.resolve(packet, tcp=False)
        assert reply[:2] == packet[:2]
        assert wire.answers(reply) == (
            RCode.NOERROR,
            [("example.org.", RType.A, "192.0.2.1")],
        )
    assert len(asked) == 1
    await clock.advance(301)
    await near.resolve(packet, tcp=False)
    assert len(asked) == 2
    await upstream_server.stop()


async def test_a_dead_upstream_is_a_server_failure_and_cluster_names_go_on(tasks: Tasks) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    upstream = Upstream(["127.0.0.1"], own="", clock=SystemClock(), tasks=tasks, port=port)
    responder = Responder(DOMAIN, upstream)
    responder.set_zone(zone_with(a(WEB, "10.43.0.9")))
    far = await responder.resolve(wire.query(Question("example.org.", RType.A), 1), tcp=False)
    assert wire.answers(far)[0] == RCode.SERVFAIL
    near = await responder.resolve(wire.query(Question(WEB, RType.A), 1), tcp=False)
    assert wire.answers(near)[0] == RCode.NOERROR


async def test_rubbish_gets_a_format_error_or_silence_and_the_server_lives(tasks: Tasks) -> None:
    responder = Responder(DOMAIN, NoUpstream())
    server = await listening(responder, tasks)
    assert responder.quick(b"") == b""
    assert responder.quick(b"\xff" * 40) == b"", "an answer is not answered: no loops"
    reply = await udp(server.port, b"\x00\x01\x01\x00\x00\x01" + b"\x00" * 6 + b"\x40\xc0")
    assert reply[3] & 0x0F == RCode.FORMERR
    await server.stop()
