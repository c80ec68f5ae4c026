"""Strangers' packets against a running responder: it says something or nothing, and lives.

`FUZZ_S` is how many seconds; CI gives it one.
"""

import asyncio
import os
import random
import time

import dnslib
import pytest

from appliance.kit.tasks import Tasks
from appliance.proxy.dns import wire
from appliance.proxy.dns.base import Question, RCode, RType
from appliance.proxy.dns.responder import Responder
from appliance.proxy.dns.zone import Zone
from tests.unit.proxy.dns.test_names import DB, HTTP, service, zone_of
from tests.unit.proxy.dns.test_server import NoUpstream, listening, tcp, udp

FUZZ_S = float(os.environ.get("FUZZ_S", "1"))
NAMES = (
    "web.d.svc.cluster.local.", "db.d.svc.cluster.local.", "_http._tcp.db.d.svc.cluster.local.",
    "out.d.svc.cluster.local.", "example.org.", "9.0.43.10.in-addr.arpa.", "cluster.local.",
    "10-42-0-5.d.pod.cluster.local.", ".",
)  # fmt: skip


def zone() -> Zone:
    return zone_of(
        [
            service("web", clusterIP="10.43.0.9", ports=HTTP),
            service("db", clusterIP="None", ports=HTTP),
            service("out", type="ExternalName", externalName="example.org"),
        ],
        [DB],
    )


def mutated(chance: random.Random) -> bytes:
    kind = chance.randrange(10)
    if kind == 0:
        return chance.randbytes(chance.randrange(64))
    record = dnslib.DNSRecord(dnslib.DNSHeader(id=chance.randrange(65536), rd=1))
    record.add_question(dnslib.DNSQuestion(chance.choice(NAMES), chance.choice(list(RType))))
    if kind > 4:
        record.add_ar(dnslib.EDNS0(udp_len=chance.randrange(65536)))
    data = bytearray(record.pack())
    for _ in range(chance.randrange(8)):
        what, at = chance.randrange(3), chance.randrange(len(data))
        if what == 0:
            data[at] = chance.randrange(256)
        elif what == 1:
            data[at:at] = chance.randbytes(chance.randrange(1, 9))
        else:
            del data[at : at + chance.randrange(1, 9)]
        if not data:
            return b""
    return bytes(data)


@pytest.mark.timeout(60 + 2 * FUZZ_S)
async def test_no_packet_stops_it() -> None:
    seed = int(time.time())
    chance = random.Random(seed)  # noqa: S311 - to be repeated by its seed
    responder = Responder(zone(), NoUpstream())
    end = time.monotonic() + FUZZ_S
    count = 0
    while time.monotonic() < end:
        packet = mutated(chance)
        for over_tcp in (False, True):
            reply = await responder.resolve(packet, tcp=over_tcp)
            assert isinstance(reply, bytes), (seed, packet)
            if reply:
                assert reply[:2] == packet[:2], (seed, packet)
                assert reply[2] & 0x80, (seed, packet)
                assert over_tcp or len(reply) <= 1232, (seed, packet)
        count += 1
    assert count > 100


async def test_rubbish_on_the_sockets_harms_nobody_else() -> None:
    chance = random.Random(11)  # noqa: S311 - the same every time
    async with Tasks("test") as tasks:
        server = await listening(Responder(zone(), NoUpstream()), tasks)
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(
            asyncio.DatagramProtocol, remote_addr=("127.0.0.1", server.port)
        )
        writers = []
        for number in range(300):
            transport.sendto(mutated(chance))
            if number % 30 == 0:
                _, writer = await asyncio.open_connection("127.0.0.1", server.port)
                writer.write(chance.randbytes(40))
                writers.append(writer)
        packet = wire.question(Question(NAMES[0], RType.A), 1)
        for ask in (udp, tcp):
            code, records = wire.answers(await ask(server.port, packet))
            assert (code, [data for _, _, data in records]) == (RCode.NOERROR, ["10.43.0.9"])
        transport.close()
        for writer in writers:
            writer.close()
        await server.stop()
