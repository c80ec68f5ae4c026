"""The responder over real loopback sockets, with a scripted upstream on another port."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator

import pytest

from appliance.kit.clock import FakeClock
from appliance.kit.tasks import Tasks
from appliance.proxy.dns import wire
from appliance.proxy.dns.base import Question, RCode, Record, RType
from appliance.proxy.dns.counts import Counts
from appliance.proxy.dns.forward import Upstream
from appliance.proxy.dns.responder import Responder
from appliance.proxy.dns.server import DnsServer
from appliance.proxy.dns.servers import Server, Servers
from appliance.proxy.dns.zone import Zone

DOMAIN = "cluster.local"
WEB = "web.d.svc.cluster.local."


class NoUpstream:
    def at_hand(self, packet: bytes, *, tcp: bool) -> bytes | None:  # noqa: ARG002
        return None

    async def resolve(self, packet: bytes, question: Question, *, tcp: bool) -> bytes | None:  # noqa: ARG002
        return None


@pytest.fixture
async def tasks() -> AsyncIterator[Tasks]:
    async with Tasks("test") as tasks:
        yield tasks


def put(responder: Responder, *records: Record) -> None:
    """Let these be all records of a service."""
    responder.zone.complete = True
    responder.forget(responder.zone.put("d", "web", records))


def a(name: str, address: str) -> Record:
    return Record(name, RType.A, 5, address)


async def listening(responder: Responder, tasks: Tasks) -> DnsServer:
    server = DnsServer(responder, host="127.0.0.1", port=0, tasks=tasks)
    await server.start()
    return server


async def udp(port: int, packet: bytes, *, host: str = "127.0.0.1") -> bytes:
    loop = asyncio.get_running_loop()
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as client:
        client.setblocking(False)
        client.bind((host, 0))
        await loop.sock_sendto(client, packet, (host, port))
        async with asyncio.timeout(5):
            return (await loop.sock_recvfrom(client, 4096))[0]


async def tcp(port: int, packet: bytes, *, host: str = "127.0.0.1") -> bytes:
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(struct.pack("!H", len(packet)) + packet)
    size = struct.unpack("!H", await reader.readexactly(2))[0]
    reply = await reader.readexactly(size)
    writer.close()
    await writer.wait_closed()
    return reply


async def test_a_cluster_name_is_answered_over_udp_and_tcp(tasks: Tasks) -> None:
    responder = Responder(Zone(DOMAIN), NoUpstream())
    put(responder, a(WEB, "10.43.0.9"))
    server = await listening(responder, tasks)
    packet = wire.question(Question(WEB, RType.A), 77)
    for reply in (
        await udp(server.port, packet),
        await udp(server.port, packet),  # from the packed answers this time
        await tcp(server.port, packet),
    ):
        assert reply[:2] == packet[:2]
        assert wire.answers(reply) == (RCode.NOERROR, [(WEB, RType.A, "10.43.0.9")])
    await server.stop()


async def test_a_new_zone_is_answered_from_at_once() -> None:
    responder = Responder(Zone(DOMAIN), NoUpstream())
    put(responder, a(WEB, "10.43.0.9"))
    packet = wire.question(Question(WEB, RType.A), 1)
    await responder.resolve(packet, tcp=False)
    put(responder, a(WEB, "10.43.0.10"))
    reply = await responder.resolve(packet, tcp=False)
    assert wire.answers(reply)[1] == [(WEB, RType.A, "10.43.0.10")]


async def test_a_long_answer_is_cut_over_udp_and_whole_over_tcp(tasks: Tasks) -> None:
    responder = Responder(Zone(DOMAIN), NoUpstream())
    put(responder, *(a(WEB, f"10.42.0.{n}") for n in range(1, 101)))
    server = await listening(responder, tasks)
    packet = wire.question(Question(WEB, RType.A), 1)
    for _ in range(2):
        short = await udp(server.port, packet)
        assert short[2] & 0x02, "TC is set"
        assert len(short) <= 1232
    assert len(wire.answers(await tcp(server.port, packet))[1]) == 100
    await server.stop()


async def test_other_names_go_upstream_and_cluster_names_survive_its_death(tasks: Tasks) -> None:
    far = Responder(Zone("org"), NoUpstream())
    put(far, a("example.org.", "192.0.2.1"))
    upstream_server = await listening(far, tasks)
    clock = FakeClock()
    servers = Servers(clock=clock, fixed=[Server("127.0.0.1", upstream_server.port)])
    counts = Counts()
    upstream = Upstream(servers, clock=clock, tasks=tasks, counts=counts)
    near = Responder(Zone(DOMAIN), upstream, counts=counts)
    put(near, a(WEB, "10.43.0.9"))
    server = await listening(near, tasks)
    outside = wire.question(Question("example.org.", RType.A), 5)
    for ask in (udp, udp, tcp, tcp):
        assert wire.answers(await ask(server.port, outside)) == (
            RCode.NOERROR,
            [("example.org.", RType.A, "192.0.2.1")],
        )
    assert counts.kept == 2, "once over each transport"
    await upstream_server.stop()
    unknown = wire.question(Question("other.org.", RType.A), 6)
    assert wire.answers(await udp(server.port, unknown))[0] == RCode.SERVFAIL
    inside = wire.question(Question(WEB, RType.A), 7)
    assert wire.answers(await udp(server.port, inside))[1] == [(WEB, RType.A, "10.43.0.9")]
    assert wire.answers(await udp(server.port, outside))[0] == RCode.NOERROR, "still kept"
    await server.stop()


async def test_before_the_api_was_heard_outside_names_are_answered(tasks: Tasks) -> None:
    far = Responder(Zone("org"), NoUpstream())
    put(far, a("example.org.", "192.0.2.1"))
    upstream_server = await listening(far, tasks)
    servers = Servers(clock=FakeClock(), fixed=[Server("127.0.0.1", upstream_server.port)])
    zone = Zone(DOMAIN)
    assert not zone.complete
    near = Responder(zone, Upstream(servers, clock=FakeClock(), tasks=tasks))
    outside = wire.question(Question("example.org.", RType.A), 5)
    assert wire.answers(await near.resolve(outside, tcp=False))[0] == RCode.NOERROR
    inside = wire.question(Question(WEB, RType.A), 5)
    assert wire.answers(await near.resolve(inside, tcp=False))[0] == RCode.SERVFAIL
    zone.complete = True
    assert wire.answers(await near.resolve(inside, tcp=False))[0] == RCode.NXDOMAIN
    await upstream_server.stop()


async def test_an_alias_that_leads_outside_comes_with_its_addresses(tasks: Tasks) -> None:
    """Stub resolvers such as musl's don't ask for an alias's target themselves."""
    far = Responder(Zone("org"), NoUpstream())
    put(far, a("example.org.", "192.0.2.1"))
    upstream_server = await listening(far, tasks)
    servers = Servers(clock=FakeClock(), fixed=[Server("127.0.0.1", upstream_server.port)])
    near = Responder(Zone(DOMAIN), Upstream(servers, clock=FakeClock(), tasks=tasks))
    put(near, Record(WEB, RType.CNAME, 5, "example.org."))
    packet = wire.question(Question(WEB, RType.A), 1)
    whole = [(WEB, RType.CNAME, "example.org."), ("example.org.", RType.A, "192.0.2.1")]
    for over_tcp in (False, True):
        assert wire.answers(await near.resolve(packet, tcp=over_tcp)) == (RCode.NOERROR, whole)
    put(near, Record(WEB, RType.CNAME, 5, "nobody.org."))
    assert wire.answers(await near.resolve(packet, tcp=False))[0] == RCode.NXDOMAIN
    await upstream_server.stop()
    put(near, Record(WEB, RType.CNAME, 5, "gone.example."))
    alone = await near.resolve(packet, tcp=False)
    assert wire.answers(alone) == (RCode.NOERROR, [(WEB, RType.CNAME, "gone.example.")])


async def test_it_answers_over_ipv6(tasks: Tasks) -> None:
    responder = Responder(Zone(DOMAIN), NoUpstream())
    put(responder, Record(WEB, RType.AAAA, 5, "fd00:43::9"))
    server = DnsServer(responder, host="::1", port=0, tasks=tasks)
    await server.start()
    packet = wire.question(Question(WEB, RType.AAAA), 1)
    for ask in (udp, tcp):
        reply = await ask(server.port, packet, host="::1")
        assert wire.answers(reply)[1] == [(WEB, RType.AAAA, "fd00:43::9")]
    await server.stop()


async def test_what_was_done_is_counted(tasks: Tasks) -> None:
    responder = Responder(Zone(DOMAIN), NoUpstream())
    put(responder, a(WEB, "10.43.0.9"))
    server = await listening(responder, tasks)
    for name in (WEB, WEB, WEB, "example.org."):
        await udp(server.port, wire.question(Question(name, RType.A), 1))
    assert responder.quick(b"nonsense") == b""
    text = responder.counts.text().decode()
    for by, number in (("packed", 2), ("built", 1), ("failed", 1), ("refused", 1)):
        assert f'dns_answers_total{{by="{by}"}} {number}.0' in text
    await server.stop()


async def test_rubbish_gets_a_format_error_or_silence_and_the_server_lives(tasks: Tasks) -> None:
    responder = Responder(Zone(DOMAIN), NoUpstream())
    server = await listening(responder, tasks)
    assert responder.quick(b"") == b""
    assert responder.quick(b"\xff" * 40) == b"", "an answer is not answered: no loops"
    reply = await udp(server.port, b"\x00\x01\x01\x00\x00\x01" + b"\x00" * 6 + b"\x40\xc0")
    assert reply[3] & 0x0F == RCode.FORMERR
    await server.stop()
