"""Answers as bytes, read back by dnslib."""

from typing import Any

import dnslib
import pytest

from appliance.proxy.dns import wire
from appliance.proxy.dns.base import Answer, Question, RCode, Record, RType
from appliance.proxy.dns.packed import Packed, orders
from appliance.proxy.dns.query import parse

NAME = "web.d.svc.cluster.local."


def asked(name: str = NAME, rtype: int = 1, *, edns: int = 0) -> bytes:
    record = dnslib.DNSRecord(dnslib.DNSHeader(id=7, rd=1))
    record.add_question(dnslib.DNSQuestion(name, rtype))
    if edns:
        record.add_ar(dnslib.EDNS0(udp_len=edns))
    return bytes(record.pack())


def said(packet: bytes, answer: Answer, room: int = 0xFFFF) -> Any:
    reply = wire.build(packet, parse(packet), answer, room=room)
    assert len(reply) <= room
    return dnslib.DNSRecord.parse(reply)


def many(count: int) -> Answer:
    return Answer(records=tuple(Record(NAME, RType.A, 5, f"10.42.0.{n}") for n in range(count)))


def test_an_answer_has_its_records_flags_and_the_askers_spelling() -> None:
    reply = said(asked("wEb.d.svc.Cluster.local"), many(2))
    assert (reply.header.id, reply.header.qr, reply.header.aa, reply.header.ra) == (7, 1, 1, 1)
    assert (reply.header.rd, reply.header.tc, reply.header.rcode) == (1, 0, 0)
    assert str(reply.q.qname) == "wEb.d.svc.Cluster.local."
    assert [str(r.rdata) for r in reply.rr] == ["10.42.0.0", "10.42.0.1"]
    assert not reply.ar, "no EDNS for those who have none"


def test_every_type_is_packed() -> None:
    records = (
        Record(NAME, RType.AAAA, 5, "fd00::1"),
        Record(NAME, RType.CNAME, 5, "a.b."),
        Record(NAME, RType.PTR, 5, "a.b."),
        Record(NAME, RType.NS, 5, "a.b."),
        Record(NAME, RType.TXT, 5, "1.1.0"),
        Record(NAME, RType.SRV, 5, (0, 100, 80, "a.b.")),
        Record(NAME, RType.SOA, 5, "cluster.local"),
    )
    reply = said(asked(rtype=255), Answer(records=records))
    assert [r.rtype for r in reply.rr] == [r.rtype for r in records]


def test_a_no_comes_with_the_soa_and_for_how_long() -> None:
    for code in (RCode.NXDOMAIN, RCode.NOERROR):
        reply = said(asked(edns=1232), Answer(code, authority_zone="cluster.local"))
        assert reply.header.rcode == code
        (soa,) = reply.auth
        assert (str(soa.rname), soa.ttl) == ("cluster.local.", wire.NEGATIVE_TTL_S)
        assert soa.rdata.times[4] == wire.NEGATIVE_TTL_S
        assert str(soa.rdata.mname) == "ns.dns.cluster.local."
        assert [r.rtype for r in reply.ar] == [RType.OPT]


@pytest.mark.parametrize(("edns", "room"), [(0, 512), (4096, 1232)])
def test_what_is_too_long_is_cut_to_whole_records_and_marked(edns: int, room: int) -> None:
    packet = asked(edns=edns)
    reply = said(packet, many(200), room=parse(packet).room)
    assert reply.header.tc == 1
    assert len(reply.rr) > (room - 100) // 16 - 3, "as many as fit"
    assert bool(reply.ar) == bool(edns), "the EDNS part stays"
    assert said(packet, many(200)).header.tc == 0


def test_records_beside_the_answer_go_before_the_answer_is_cut() -> None:
    srv = tuple(Record(NAME, RType.SRV, 5, (0, 100, 80, f"h{n}.{NAME}")) for n in range(8))
    extra = tuple(Record(f"h{n}.{NAME}", RType.A, 5, f"10.42.0.{n}") for n in range(8))
    reply = said(asked(rtype=33), Answer(records=srv, extra=extra), room=512)
    assert (reply.header.tc, len(reply.rr), len(reply.ar)) == (0, 8, 0)


def test_a_code_beyond_the_headers_four_bits_is_told_by_edns() -> None:
    reply = dnslib.DNSRecord.parse(wire.refuse(asked(), RCode.BADVERS))
    assert reply.header.rcode == 0
    assert reply.ar[0].ttl >> 24 == 1


def test_data_that_cannot_be_packed_is_told() -> None:
    packet = asked()
    for record in (Record(NAME, RType.A, 5, "x"), Record(NAME, RType.CNAME, 5, f"{'x' * 70}.")):
        with pytest.raises(wire.Unanswerable):
            wire.build(packet, parse(packet), Answer(records=(record,)))


def test_an_aliass_target_is_put_behind_it() -> None:
    packet = asked()
    alias = Answer(records=(Record(NAME, RType.CNAME, 5, "example.org."),), follow="example.org.")
    far = dnslib.DNSRecord.parse(wire.question(Question("example.org.", 1), 9)).reply()
    far.add_answer(dnslib.RR("example.org.", 1, rdata=dnslib.A("192.0.2.1"), ttl=60))
    reply = wire.with_target(packet, parse(packet), alias, bytes(far.pack()))
    assert wire.answers(reply) == (
        RCode.NOERROR,
        [(NAME, RType.CNAME, "example.org."), ("example.org.", RType.A, "192.0.2.1")],
    )
    with pytest.raises(wire.Unanswerable):
        wire.with_target(packet, parse(packet), alias, b"nonsense")


def test_several_addresses_are_given_in_turn() -> None:
    packet = asked(edns=1232)
    query = parse(packet)
    reply = wire.build(packet, query, many(3))
    firsts = [wire.answers(one)[1][0][2] for one in orders(reply, query.end)]
    assert firsts == ["10.42.0.0", "10.42.0.1", "10.42.0.2"]
    for one in orders(reply, query.end):
        read = dnslib.DNSRecord.parse(one)
        assert {str(r.rdata) for r in read.rr} == {"10.42.0.0", "10.42.0.1", "10.42.0.2"}
        assert len(read.ar) == 1
    packed = Packed()
    packed.keep(packet, NAME, reply, end=query.end)
    given = packed.get(packet[2:])
    assert given is not None
    seen = [wire.answers(packet[:2] + next(given))[1][0][2] for _ in range(4)]
    assert seen == [*firsts, "10.42.0.0"]


def test_other_answers_have_one_order() -> None:
    packet = asked(rtype=255)
    query = parse(packet)
    mixed = Answer(records=(*many(1).records, Record(NAME, RType.AAAA, 5, "fd00::1")))
    srv = tuple(Record(NAME, RType.SRV, 5, (0, 100, 80, f"h{n}.{NAME}")) for n in range(2))
    for answer in (mixed, Answer(records=srv), many(1), Answer(RCode.NXDOMAIN)):
        reply = wire.build(packet, query, answer)
        assert orders(reply, query.end) == [reply]


def test_packed_answers_are_forgotten_by_name_and_bounded() -> None:
    packed = Packed()
    one, two = asked("one.x."), asked("two.x.")
    for packet, name in ((one, "one.x."), (two, "two.x.")):
        reply = wire.build(packet, parse(packet), Answer(RCode.NXDOMAIN))
        packed.keep(packet, name, reply, end=parse(packet).end)
    packed.forget(["one.x.", "three.x."])
    assert packed.get(one[2:]) is None
    assert packed.get(two[2:]) is not None
    for number in range(20_001):
        packed.keep(b"id" + str(number).encode(), "x.", b"id" + b"\0" * 10, end=12)
    assert len(packed) <= 20_000
