"""Our values as packets; the only module that knows dnslib.

Records are packed by dnslib (some 100 us each time), once per name and change: `packed.py` keeps
the bytes. Answers that say no are put together from ready parts, for names that don't exist are
without number. An answer that is too long keeps the records that fit and is marked as cut: stub
resolvers that can't ask over TCP still get some addresses.
"""

import struct
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import dnslib

from appliance.proxy.dns.base import Answer, Question, RCode, Record, RType
from appliance.proxy.dns.query import HEADER_BYTES, MAX_UDP_BYTES, Query

NEGATIVE_TTL_S = 5
_ANSWER, _AUTHORITATIVE, _CUT = 0x8000, 0x0400, 0x0200
_RECURSION_WANTED, _RECURSION_THERE = 0x0100, 0x0080
_TIMES = (1, 7200, 1800, 86400, NEGATIVE_TTL_S)  # of the SOA; only the last one matters to clients
_BAD_DATA = (
    dnslib.DNSError, dnslib.DNSLabelError, dnslib.BufferError, dnslib.BimapError,
    ValueError, IndexError, TypeError, struct.error,
)  # fmt: skip


class Unanswerable(Exception):
    """Data that can't be packed or read."""


def build(packet: bytes, query: Query, answer: Answer, *, room: int = 0xFFFF) -> bytes:
    """Pack an answer to `packet` into at most `room` bytes.

    Raises:
        Unanswerable: a record's data is no data of its type.
    """
    if not answer.records:
        return _negative(packet, query, answer)
    try:
        records = [_rr(record) for record in answer.records]
        extra = [_rr(record) for record in answer.extra]
        return _fitted(packet, query, answer.code, (records, extra), room=room)
    except _BAD_DATA as wrong:
        raise Unanswerable(str(wrong)) from wrong


def with_target(
    packet: bytes, query: Query, answer: Answer, reply: bytes, *, room: int = 0xFFFF
) -> bytes:
    """The same, with the records that another server's reply has for the alias's target.

    Raises:
        Unanswerable: the reply can't be read.
    """
    try:
        found = dnslib.DNSRecord.parse(reply)
        records = [*(_rr(record) for record in answer.records), *found.rr]
        code = RCode(found.header.rcode)
        return _fitted(packet, query, code, (records, []), room=room)
    except _BAD_DATA as wrong:
        raise Unanswerable(str(wrong)) from wrong


def refuse(packet: bytes, code: RCode) -> bytes:
    """A bare answer with a code, made without parsing: also for packets that can't be parsed."""
    flags = _ANSWER | (packet[2] << 8 & 0x7900) | _RECURSION_THERE | (int(code) & 0xF)
    if code <= 0xF:
        return packet[:2] + struct.pack("!HHHHH", flags, 0, 0, 0, 0)
    return packet[:2] + struct.pack("!HHHHH", flags, 0, 0, 0, 1) + _edns(code >> 4)


def question(asked: Question, packet_id: int) -> bytes:
    """A question as a packet; the answer may be as long as fits every path."""
    record = dnslib.DNSRecord(dnslib.DNSHeader(id=packet_id, rd=1))
    record.add_question(dnslib.DNSQuestion(asked.name, asked.rtype))
    record.add_ar(dnslib.EDNS0(udp_len=MAX_UDP_BYTES))
    return bytes(record.pack())


def answers(reply: bytes) -> tuple[RCode, list[tuple[str, int, str]]]:
    """Result code and (name, type, data) of each answer record of a reply."""
    record = dnslib.DNSRecord.parse(reply)
    found = [(str(r.rname), int(r.rtype), str(r.rdata)) for r in record.rr]
    return RCode(record.header.rcode), found


def _negative(packet: bytes, query: Query, answer: Answer) -> bytes:
    soa = _soa(answer.authority_zone) if answer.authority_zone else b""
    edns = _edns() if query.edns else b""
    flags = _flags(packet) | int(answer.code)
    counts = struct.pack("!HHHHH", flags, 1, 0, bool(soa), bool(edns))
    return packet[:2] + counts + packet[HEADER_BYTES : query.end] + soa + edns


def _fitted(
    packet: bytes,
    query: Query,
    code: RCode,
    parts: tuple[Sequence[Any], Sequence[Any]],
    *,
    room: int,
) -> bytes:
    """Additional records go first, then answers from the end."""
    records, extra = parts
    whole = len(records)
    while True:
        reply = dnslib.DNSRecord(dnslib.DNSHeader(bitmap=_flags(packet) | int(code)))
        reply.header.id = struct.unpack("!H", packet[:2])[0]
        reply.add_question(dnslib.DNSQuestion(query.question.name, query.question.rtype))
        reply.add_answer(*records)
        reply.add_ar(*extra)
        if query.edns:
            reply.add_ar(dnslib.EDNS0(udp_len=MAX_UDP_BYTES))
        if len(records) < whole:
            reply.header.tc = 1
        packed = bytes(reply.pack())
        # What was asked comes back in the asker's own spelling (0x20, RFC 5452).
        packed = packed[:HEADER_BYTES] + packet[HEADER_BYTES : query.end] + packed[query.end :]
        if len(packed) <= room or not (records or extra):
            return packed
        if extra:
            extra = []
        else:
            records = records[: min(len(records) - 1, len(records) * room // len(packed))]


def _flags(packet: bytes) -> int:
    return _ANSWER | _AUTHORITATIVE | (packet[2] << 8 & _RECURSION_WANTED) | _RECURSION_THERE


def _edns(code_above: int = 0) -> bytes:
    return b"\0" + struct.pack("!HHBBHH", RType.OPT, MAX_UDP_BYTES, code_above, 0, 0, 0)


@lru_cache(maxsize=64)
def _soa(zone: str) -> bytes:
    """The record with its names in full, so that it can stand behind any question."""
    data = _name(f"ns.dns.{zone}") + _name(f"hostmaster.{zone}") + struct.pack("!5I", *_TIMES)
    head = struct.pack("!HHIH", RType.SOA, 1, NEGATIVE_TTL_S, len(data))
    return _name(zone) + head + data


def _name(name: str) -> bytes:
    labels = [label.encode("ascii") for label in name.split(".")]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def _rr(record: Record) -> Any:
    data = record.data
    if isinstance(data, tuple):
        rdata: Any = dnslib.SRV(*data[:3], target=data[3])
    elif record.rtype == RType.SOA:
        rdata = dnslib.SOA(f"ns.dns.{data}.", f"hostmaster.{data}.", _TIMES)
    else:
        rdata = _RDATA[record.rtype](data)
    return dnslib.RR(record.name, int(record.rtype), rdata=rdata, ttl=record.ttl_s)


_RDATA: dict[RType, Any] = {
    RType.A: dnslib.A,
    RType.NS: dnslib.NS,
    RType.AAAA: dnslib.AAAA,
    RType.CNAME: dnslib.CNAME,
    RType.PTR: dnslib.PTR,
    RType.TXT: dnslib.TXT,
}
