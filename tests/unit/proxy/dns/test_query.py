"""What may be asked, and what is said to the rest; dnslib is the witness of how packets look."""

import random
import struct

import dnslib
import pytest

from appliance.proxy.dns.base import Question, RCode, RType
from appliance.proxy.dns.query import Refused, parse


def packet(name: str, rtype: int = 1, *, edns: int = 0, version: int = 0) -> bytes:
    record = dnslib.DNSRecord(dnslib.DNSHeader(id=7, rd=1))
    record.add_question(dnslib.DNSQuestion(name, rtype))
    if edns:
        record.add_ar(dnslib.EDNS0(udp_len=edns, version=version))
    return bytes(record.pack())


def refusal(data: bytes) -> RCode | None:
    with pytest.raises(Refused) as caught:
        parse(data)
    return caught.value.code


def test_a_question_is_read() -> None:
    query = parse(packet("Web.d.SVC.cluster.local", 28))
    assert query.question == Question("web.d.svc.cluster.local.", RType.AAAA)
    assert (query.room, query.edns) == (512, False)
    assert parse(packet(".")).question.name == "."


@pytest.mark.parametrize(("said", "room"), [(100, 512), (1000, 1000), (4096, 1232)])
def test_edns_says_how_much_fits(said: int, room: int) -> None:
    query = parse(packet("a.b", edns=said))
    assert (query.room, query.edns) == (room, True)


def test_what_is_no_question_for_us() -> None:
    good = packet("a.b")
    assert refusal(b"") is None
    assert refusal(good[:11]) is None
    assert refusal(good[:2] + b"\x81" + good[3:]) is None, "answers are never answered: no loops"
    assert refusal(good[:2] + b"\x29" + good[3:]) == RCode.NOTIMP, "an update"
    assert refusal(good[:4] + b"\0\2" + good[6:]) == RCode.FORMERR, "two questions"
    assert refusal(good[:4] + b"\0\0" + good[6:]) == RCode.FORMERR
    assert refusal(good[:-2] + b"\0\3") == RCode.REFUSED, "class CHAOS"
    assert refusal(good[:12] + b"\xc0\x0c" + good[14:]) == RCode.FORMERR, "a pointer"
    assert refusal(good[:-4]) == RCode.FORMERR
    assert refusal(packet("a.b", edns=1232, version=1)) == RCode.BADVERS
    twice = packet("a.b", edns=1232)
    twice = twice[:10] + b"\0\2" + twice[12:] + twice[len(good) :]
    assert refusal(twice) == RCode.FORMERR
    long = b".".join([b"a" * 63] * 5)
    head = struct.pack("!HHHHHH", 1, 256, 1, 0, 0, 0)
    name = b"".join(bytes([len(p)]) + p for p in long.split(b".")) + b"\0"
    assert refusal(head + name + b"\0\1\0\1") == RCode.FORMERR, "over 255 bytes"


def test_a_dot_within_a_label_is_not_one_between_labels() -> None:
    head = struct.pack("!HHHHHH", 1, 256, 1, 0, 0, 0)
    sly = head + b"\x05web.d\x03svc\0" + b"\0\1\0\1"
    assert parse(sly).question.name == "web\\.d.svc."


def test_any_bytes_are_read_or_refused() -> None:
    chance = random.Random(7)  # noqa: S311 - the same packets every time
    seeds = [packet("web.d.svc.cluster.local"), packet("a.b", edns=1232), packet("x", 33)]
    for _ in range(3000):
        data = bytearray(chance.choice(seeds))
        for _ in range(chance.randrange(6)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        try:
            query = parse(bytes(data[: chance.randrange(len(data) + 1)] or data))
        except Refused:
            continue
        assert query.question.name.endswith(".")
        assert 512 <= query.room <= 1232
