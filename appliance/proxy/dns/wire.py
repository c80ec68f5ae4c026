"""dnslib's packets from and to our values; the only module that knows dnslib.

Answers are packed once and cached by the question's bytes (everything after the id): a repeated
question costs a look-up and two bytes, where packing costs 200 to 270 us.
"""

import struct
from typing import Any

import dnslib

from appliance.proxy.dns.base import Answer, Question, RCode, Record, RType

HEADER_BYTES = 12
PLAIN_UDP_BYTES = 512
MAX_UDP_BYTES = 1232  # what fits every path (DNS flag day 2020)
_NEGATIVE_TTL_S = 5


class BadPacket(Exception):
    """Not a DNS query that can be answered."""


def parse(packet: bytes) -> tuple[Question, int]:
    """Give the question and how many bytes of answer the client takes over UDP.

    Raises:
        BadPacket: this is not a query with one question.
    """
    if len(packet) < HEADER_BYTES or packet[2] & 0x80:
        raise BadPacket("too short, or an answer")
    try:
        record = dnslib.DNSRecord.parse(packet)
        question = record.q
        name = str(question.qname).lower()
    except (dnslib.DNSError, UnicodeError, ValueError, IndexError, struct.error) as wrong:
        raise BadPacket(str(wrong)) from wrong
    if record.header.opcode != 0 or len(record.questions) != 1:
        raise BadPacket("only a query with one question can be answered")
    room = PLAIN_UDP_BYTES
    for extra in record.ar:
        if extra.rtype == dnslib.QTYPE.OPT:
            room = min(max(PLAIN_UDP_BYTES, extra.edns_len), MAX_UDP_BYTES)
    return Question(name, question.qtype), room


def build(packet: bytes, answer: Answer) -> bytes:
    """Pack an answer to `packet`."""
    request = dnslib.DNSRecord.parse(packet)
    reply = request.reply(ra=1, aa=1)
    reply.header.rcode = int(answer.code)
    for record in answer.records:
        reply.add_answer(_rr(record))
    for record in answer.extra:
        reply.add_ar(_rr(record))
    if answer.authority_zone:
        reply.add_auth(_soa(answer.authority_zone))
    if any(extra.rtype == dnslib.QTYPE.OPT for extra in request.ar):
        reply.add_ar(dnslib.EDNS0(udp_len=MAX_UDP_BYTES))
    return bytes(reply.pack())


def refuse(packet: bytes, code: RCode) -> bytes:
    """A bare answer with a code, made without parsing: also for packets that can't be parsed."""
    flags = 0x8000 | (packet[2] << 8 & 0x7900) | 0x0080 | int(code)
    return packet[:2] + struct.pack("!HHHHH", flags, 0, 0, 0, 0)


def truncated(reply: bytes) -> bytes:
    """The reply's header and question with TC set: the client asks again over TCP."""
    record = dnslib.DNSRecord.parse(reply)
    short = dnslib.DNSRecord(record.header, q=record.q)
    short.header.tc = 1
    return bytes(short.pack())


def least_ttl_s(reply: bytes) -> int:
    """Seconds for which a reply may be kept: the least TTL in it, the SOA's for negative ones."""
    try:
        record = dnslib.DNSRecord.parse(reply)
    except dnslib.DNSError:
        return 0
    if record.header.rcode not in {int(RCode.NOERROR), int(RCode.NXDOMAIN)} or record.header.tc:
        return 0
    ttls = [r.ttl for r in (*record.rr, *record.auth)]
    return min(ttls, default=0)


def query(question: Question, packet_id: int) -> bytes:
    """A question as a packet (for tests and health checks)."""
    record = dnslib.DNSRecord(dnslib.DNSHeader(id=packet_id, rd=1))
    record.add_question(dnslib.DNSQuestion(question.name, question.rtype))
    return bytes(record.pack())


def answers(reply: bytes) -> tuple[RCode, list[tuple[str, int, str]]]:
    """Result code and (name, type, data) of each answer record of a reply."""
    record = dnslib.DNSRecord.parse(reply)
    found = [(str(r.rname), int(r.rtype), str(r.rdata)) for r in record.rr]
    return RCode(record.header.rcode), found


def _rr(record: Record) -> Any:
    data = record.data
    if isinstance(data, tuple):
        rdata: Any = dnslib.SRV(*data[:3], target=data[3])
    else:
        rdata = _RDATA[record.rtype](data)
    return dnslib.RR(record.name, int(record.rtype), rdata=rdata, ttl=record.ttl_s)


def _soa(zone: str) -> Any:
    times = (1, 7200, 1800, 86400, _NEGATIVE_TTL_S)
    rdata = dnslib.SOA(f"ns.dns.{zone}.", f"hostmaster.{zone}.", times)
    return dnslib.RR(f"{zone}.", dnslib.QTYPE.SOA, rdata=rdata, ttl=_NEGATIVE_TTL_S)


_RDATA: dict[RType, Any] = {
    RType.A: dnslib.A,
    RType.AAAA: dnslib.AAAA,
    RType.CNAME: dnslib.CNAME,
    RType.PTR: dnslib.PTR,
    RType.TXT: dnslib.TXT,
}
