"""Texts of the kernel and of others, read into facts; and this host's own, whatever they are."""

import os
import socket
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

from appliance.host.checks.asking import clock_of
from appliance.host.checks.facts import Listener, Plan
from appliance.host.checks.gather import features, gather, mount_kind, nameservers
from appliance.host.checks.listening import listeners, parse
from appliance.host.checks.rules import of_objects
from appliance.kit.clock import FakeClock, SystemClock

TCP = """  sl  local_address rem_address   st tx_queue rx_queue tr tm->when uid timeout inode
   0: 0100007F:192B 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 777 1 0
   1: 0100007F:192B 0100007F:8888 01 00000000:00000000 00:00000000 00000000     0        0 778 1 0
"""


class Quiet(BaseHTTPRequestHandler):
    def log_message(self, *_: object) -> None: ...


def test_listeners_are_told_from_connections() -> None:
    assert list(parse(TCP, protocol="tcp", state="0A")) == [
        ("777", Listener(protocol="tcp", address="127.0.0.1", port=6443))
    ]


def test_a_listener_of_ours_is_found_with_our_process() -> None:
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        with socket.socket(family) as sock:
            sock.bind((address, 0))
            sock.listen()
            port = sock.getsockname()[1]
            found = [one for one in listeners(Path("/proc")) or () if one.port == port]
        assert [(one.address, one.pid) for one in found] == [(address, os.getpid())]
        assert "python" in found[0].program


def test_without_proc_nothing_is_known(tmp_path: Path) -> None:
    assert listeners(tmp_path) is None


def test_chains_that_drop_what_is_forwarded() -> None:
    chains = [
        {"metainfo": {}},
        {"chain": {"table": "filter", "name": "FORWARD", "hook": "forward", "policy": "drop",
                   "type": "filter"}},
        {"chain": {"table": "filter", "name": "DOCKER-USER"}},
        {"chain": {"table": "ours", "name": "fwd", "hook": "forward", "policy": "accept",
                   "type": "filter"}},
    ]  # fmt: skip
    assert of_objects(chains) == (("filter FORWARD",), True)
    assert of_objects(chains[-1:]) == ((), False)


def test_kernel_options() -> None:
    found = features("CONFIG_VXLAN=m\nCONFIG_VETH=y\n# CONFIG_BRIDGE is not set\n")
    assert (found["VXLAN"], found["VETH"], found["BRIDGE"]) == (True, True, False)
    assert set(features(None).values()) == {None}


def test_name_servers() -> None:
    text = "# by hand\nsearch a b\nnameserver 192.0.2.1\nnameserver fe80::1%eth0\noptions rotate\n"
    assert nameservers(text) == ("192.0.2.1", "fe80::1%eth0")
    assert nameservers(None) is None


def test_the_innermost_mount_counts() -> None:
    mounts = "/dev/a / ext4 rw 0 0\ntmpfs /var/lib tmpfs rw 0 0\nx /var/library xfs rw 0 0\n"
    assert mount_kind(mounts, "/var/lib/appliance") == "tmpfs"
    assert mount_kind(mounts, "/srv") == "ext4"


async def test_a_server_that_is_not_there_leaves_its_fault() -> None:
    ahead, fault = await clock_of("http://127.0.0.1:1", FakeClock())
    assert ahead is None
    assert "refused" in fault


async def test_a_servers_clock_is_compared_with_ours() -> None:
    server = HTTPServer(("127.0.0.1", 0), Quiet)  # its refusals bear a date, too
    thread = Thread(target=server.handle_request)
    thread.start()
    ahead, fault = await clock_of(f"http://127.0.0.1:{server.server_port}", FakeClock(0.0))
    thread.join()
    server.server_close()
    assert fault == ""
    assert ahead is not None
    assert ahead < -1_700_000_000


async def test_every_fact_of_this_host_can_be_looked_for(tmp_path: Path) -> None:
    facts = await gather(Plan(data_dir=str(tmp_path / "not" / "there")), SystemClock())
    assert facts.disk is not None
    assert facts.disk.size > 0
    assert facts.memory_total
    assert facts.listeners is not None
    assert [engine.kind for engine in facts.engines] == ["docker", "podman"]
