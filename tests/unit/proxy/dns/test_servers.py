"""Whom to ask, and in which order."""

from pathlib import Path

import pytest

from appliance.kit.clock import FakeClock
from appliance.proxy.dns.servers import Server, Servers, host_name_servers, parse_server, parse_stub

ONE, TWO = Server("192.0.2.1"), Server("192.0.2.2")


@pytest.mark.parametrize(
    ("text", "server", "shown"),
    [
        ("192.0.2.1", ONE, "192.0.2.1"),
        ("192.0.2.1:5353", Server("192.0.2.1", 5353), "192.0.2.1:5353"),
        ("2001:db8::1", Server("2001:db8::1"), "[2001:db8::1]"),
        ("[2001:db8::1]:5353", Server("2001:db8::1", 5353), "[2001:db8::1]:5353"),
    ],
)
def test_servers_are_written_so(text: str, server: Server, shown: str) -> None:
    assert parse_server(text) == server
    assert str(server) == shown


def test_stubs_are_written_so() -> None:
    assert parse_stub("Corp.Example.=192.0.2.1+192.0.2.2") == ("corp.example", (ONE, TWO))
    for wrong in ("corp.example", "=192.0.2.1", "a=b", "a=192.0.2.1:99999", "a="):
        with pytest.raises(ValueError, match=r"."):
            parse_stub(wrong)


def test_the_hosts_servers_are_read_again_when_their_file_changed(tmp_path: Path) -> None:
    path = tmp_path / "resolv.conf"
    assert host_name_servers(path) == []
    servers = Servers(clock=FakeClock(), own=["10.43.0.10"], path=path)
    assert servers.for_name("example.org.") == []
    path.write_text("search lan\nnameserver 10.43.0.10\nnameserver 192.0.2.1\nnameserver x\n")
    assert servers.for_name("example.org.") == [ONE], "our own address is never asked"
    new = tmp_path / "new"
    new.write_text("nameserver 192.0.2.2\nnameserver fe80::1%eth0\n")
    new.rename(path)
    assert servers.for_name("example.org.") == [TWO, Server("fe80::1%eth0")]


async def test_a_silent_server_is_asked_last_for_a_while() -> None:
    clock = FakeClock()
    servers = Servers(clock=clock, fixed=[ONE, TWO])
    servers.silent(ONE)
    assert servers.for_name("example.org.") == [TWO, ONE]
    await clock.advance(31)
    assert servers.for_name("example.org.") == [ONE, TWO]
    servers.silent(ONE)
    servers.answered(ONE)
    assert servers.for_name("example.org.") == [ONE, TWO]


async def test_a_server_that_leads_back_to_us_is_left_out() -> None:
    clock = FakeClock()
    servers = Servers(clock=clock, fixed=[ONE, TWO])
    servers.looped(ONE)
    assert servers.for_name("example.org.") == [TWO]
    await clock.advance(601)
    assert servers.for_name("example.org.") == [ONE, TWO]


def test_a_stub_domain_has_its_own_servers() -> None:
    inner = Server("192.0.2.9")
    stubs = {"corp.example": (TWO,), "lab.corp.example": (inner,)}
    servers = Servers(clock=FakeClock(), fixed=[ONE], stubs=stubs)
    assert servers.for_name("a.corp.example.") == [TWO]
    assert servers.for_name("corp.example.") == [TWO]
    assert servers.for_name("x.lab.corp.example.") == [inner], "the longest match"
    assert servers.for_name("notcorp.example.") == [ONE]
    assert servers.all() == (ONE, TWO, inner)
