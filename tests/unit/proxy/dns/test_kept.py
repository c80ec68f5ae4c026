"""Answers of others are kept as long as they say, and no longer but when nobody answers."""

from typing import Any

import dnslib
import pytest

from appliance.proxy.dns.base import Question
from appliance.proxy.dns.kept import Kept, lifetime
from appliance.proxy.dns.wire import question

KEY = b"key"


def reply(*ttls: int, code: int = 0, soa: tuple[int, int] | None = None, **flags: Any) -> bytes:
    """Without its id; `soa` is its TTL and its last field."""
    record = dnslib.DNSRecord.parse(question(Question("example.org.", 1), 9)).reply()
    for n, ttl in enumerate(ttls):
        record.add_answer(dnslib.RR("example.org.", 1, rdata=dnslib.A(f"192.0.2.{n}"), ttl=ttl))
    if soa:
        rdata = dnslib.SOA("ns.org.", "admin.org.", (1, 2, 3, 4, soa[1]))
        record.add_auth(dnslib.RR("org.", 6, rdata=rdata, ttl=soa[0]))
    record.header.rcode = code
    for flag, value in flags.items():
        setattr(record.header, flag, value)
    record.add_ar(dnslib.EDNS0(udp_len=1232))
    return bytes(record.pack())[2:]


def ttls_of(body: bytes | None) -> list[int]:
    assert body is not None
    record = dnslib.DNSRecord.parse(b"\0\0" + body)
    return [r.ttl for r in (*record.rr, *record.auth)]


@pytest.mark.parametrize(
    ("body", "seconds"),
    [
        (reply(300, 60), 60),
        (reply(code=3, soa=(900, 30)), 30),
        (reply(code=3, soa=(10, 30)), 10),
        (reply(soa=(900, 20)), 20),  # no such record
        (reply(code=3), 0),  # says no, and not for how long
        (reply(), 0),
        (reply(300, code=2), 0),
        (reply(300, tc=1), 0),
        (b"", 0),
        (reply(300)[:-30], 0),
    ],
)
def test_for_how_long(body: bytes, seconds: int) -> None:
    assert lifetime(body)[0] == seconds


def test_an_answer_ages() -> None:
    kept = Kept()
    kept.put(KEY, reply(300, 60), 100.0)
    assert ttls_of(kept.get(KEY, 100.5)) == [300, 60]
    assert ttls_of(kept.get(KEY, 130.0)) == [270, 30]
    assert kept.get(KEY, 160.0) is None
    assert kept.get(b"other", 100.0) is None


def test_the_edns_part_has_no_time_to_age() -> None:
    kept = Kept()
    kept.put(KEY, reply(60), 0.0)
    body = kept.get(KEY, 10.0)
    assert body is not None
    assert dnslib.DNSRecord.parse(b"\0\0" + body).ar[0].ttl == 0


def test_past_its_time_it_may_be_given_again_for_a_day() -> None:
    kept = Kept()
    kept.put(KEY, reply(60), 0.0)
    assert kept.get(KEY, 61.0) is None
    assert ttls_of(kept.stale(KEY, 61.0)) == [30]
    assert ttls_of(kept.get(KEY, 62.0)) == [30], "for a moment without asking again"
    assert kept.get(KEY, 70.0) is None
    assert kept.stale(KEY, 90_000.0) is None
    assert kept.stale(b"other", 1.0) is None


def test_nothing_is_kept_for_weeks_and_the_oldest_go_first() -> None:
    kept = Kept()
    kept.put(KEY, reply(1_000_000), 0.0)
    assert kept.get(KEY, 3599.0) is not None
    assert kept.get(KEY, 3601.0) is None
    body = reply(60)
    for number in range(10_001):
        kept.put(str(number).encode(), body, 0.0)
    assert kept.get(b"0", 1.0) is None
    assert kept.get(b"10000", 1.0) is not None
