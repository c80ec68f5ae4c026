"""Each check on facts of its own: what it finds, how bad that is, and that it says what to do."""

from dataclasses import replace
from typing import Any

import pytest

from appliance.host.checks import (
    cgroups,
    clock,
    disk,
    dns_loop,
    engine,
    firewalls,
    forward_policy,
    forwarding,
    iptables_legacy,
    kernel,
    memory,
    mtu,
    ports,
)
from appliance.host.checks.base import Judge, Level
from appliance.host.checks.facts import Cgroups, Disk, Engine, Facts, Link, Listener, Plan
from appliance.host.checks.table import CHECKS, judge

EVERYWHERE = "0.0.0.0"  # noqa: S104 - a value to compare with
GIB, MIB = 1 << 30, 1 << 20
DOCKER = Engine(kind="docker", endpoint="/d.sock", version="27.1.0")
ETH0 = Link(name="eth0", mtu=1500, default_route=True)
EXT4 = Disk(kind="ext4", size=60 * GIB, free=40 * GIB, inodes_free=3_000_000)
WELL = Facts(
    ip_forward=True,
    nftables_fault="",
    kernel_release="6.1",
    features={"VXLAN": True, "VETH": True},
    listeners=(),
    links=(ETH0,),
    nameservers=("192.0.2.53",),
    wall_s=1_800_000_000.0,
    cgroups=Cgroups(version=2, controllers=frozenset({"cpu", "memory", "pids", "io"})),
    engines=(DOCKER,),
    disk=EXT4,
    memory_total=4 * GIB,
    memory_available=3 * GIB,
)


def listener(port: int, address: str = EVERYWHERE, program: str = "nginx", **more: Any) -> Listener:
    return Listener(
        protocol=more.get("protocol", "tcp"), address=address, port=port, pid=42, program=program
    )


def test_a_host_that_is_well_hears_so_from_every_check() -> None:
    found = judge(WELL)
    assert {one.level for one in found} == {Level.OK}
    assert [one.check for one in found] == list(CHECKS)


def test_a_host_that_tells_nothing_is_unknown_not_well() -> None:
    found = {one.check: one for one in judge(Facts(wall_s=1_800_000_000.0))}
    silent = ("ip-forward", "kernel", "ports", "dns", "cgroups", "disk", "memory", "mtu")
    assert {found[name].level for name in silent} == {Level.UNKNOWN}
    assert all(found[name].remedy for name in silent)


@pytest.mark.parametrize(
    ("check", "changes", "level", "words"),
    [
        (forwarding, {"ip_forward": False}, Level.WARN, "IP forwarding is off"),
        (forward_policy, {"forward_drops": ("filter FORWARD",), "docker_chains": True},
         Level.FAIL, '(filter FORWARD).*"iptables": false'),
        (forward_policy, {"forward_drops": ("mine forward",)}, Level.FAIL, "mine forward"),
        (iptables_legacy, {"legacy_tables": ("nat", "filter")}, Level.WARN, "loaded: nat, filter"),
        (firewalls, {"firewalls": ("ufw",)}, Level.WARN,
         "ufw allow 6443/tcp; ufw allow 10250/tcp; ufw allow 8472/udp"),
        (firewalls, {"firewalls": ("firewalld",)}, Level.WARN, "--add-port=6443/tcp"),
        (kernel, {"features": {"VXLAN": False, "VETH": True}}, Level.WARN,
         "lacks VXLAN.*not on one link"),
        (kernel, {"features": {"VETH": False}}, Level.FAIL, "lacks VETH.*network links"),
        (kernel, {"nftables_fault": "no library"}, Level.WARN, "no library.*relayed"),
        (kernel, {"nftables_fault": "no library", "plan": Plan(proxy_mode="nftables")},
         Level.FAIL, "asked for"),
        (ports, {"listeners": (listener(6443),)}, Level.FAIL,
         r"6443/tcp on 0.0.0.0 is taken by process 42 \(nginx\).*--https-listen-port"),
        (ports, {"listeners": (listener(10250, program="kubelet"),)}, Level.FAIL, "kubelet"),
        (ports, {"listeners": (listener(53, protocol="udp"),)}, Level.FAIL, "cluster DNS listens"),
        (ports, {"listeners": (replace(listener(6443), pid=0),)}, Level.FAIL, "can't be seen"),
        (mtu, {"links": (replace(ETH0, mtu=1400), Link(name="apl1a", mtu=1500))}, Level.WARN,
         "apl1a has MTU 1500.*eth0.* 1400.*ip link set apl1a mtu 1400"),
        (mtu, {"links": (replace(ETH0, mtu=1200),)}, Level.FAIL, "MTU 1200"),
        (dns_loop, {"nameservers": ("10.43.0.10",)}, Level.FAIL, "come back for ever"),
        (dns_loop, {"nameservers": ("127.0.0.53",), "upstream_nameservers": ("10.43.0.10",),
                    "listeners": (listener(53, "127.0.0.53"),)}, Level.FAIL, "cluster DNS"),
        (dns_loop, {"nameservers": ("127.0.0.53",)}, Level.FAIL, "where nobody listens"),
        (dns_loop, {"nameservers": ()}, Level.WARN, "names no server"),
        (clock, {"wall_s": 3600.0}, Level.FAIL, "before 2025.*NTP"),
        (clock, {"clock_ahead_s": -120.0, "clock_source": "pi-1"}, Level.FAIL,
         "120 s behind that of pi-1"),
        (clock, {"clock_source": "pi-1", "clock_fault": "refused"}, Level.UNKNOWN, "pi-1: refused"),
        (cgroups, {"cgroups": Cgroups(version=2, controllers=frozenset({"cpu", "pids"}))},
         Level.FAIL, "memory is off.*cgroup_enable=memory"),
        (cgroups, {"cgroups": Cgroups(version=1, controllers=frozenset({"cpu", "pids", "memory"}))},
         Level.WARN, "version 1"),
        (engine, {"engines": ()}, Level.FAIL, "none was found.*apt install docker.io"),
        (engine, {"engines": (replace(DOCKER, fault="refused"),)}, Level.FAIL,
         "docker on /d.sock: refused.*systemctl start docker"),
        (engine, {"plan": Plan(runtime="podman")}, Level.FAIL, "apt install podman"),
        (engine, {"engines": (replace(DOCKER, version="19.03.15"),)}, Level.WARN,
         "19.03.15 is older than 20.10"),
        (disk, {"disk": replace(EXT4, free=GIB // 2)}, Level.FAIL, "0.5 GiB of 60.0 free"),
        (disk, {"disk": replace(EXT4, free=2 * GIB)}, Level.WARN, "2.0 GiB"),
        (disk, {"disk": replace(EXT4, read_only=True)}, Level.FAIL, "read-only"),
        (disk, {"disk": replace(EXT4, kind="tmpfs")}, Level.WARN, "in memory"),
        (disk, {"disk": replace(EXT4, kind="nfs4")}, Level.FAIL, "on nfs4.*locks"),
        (disk, {"disk": replace(EXT4, inodes_free=10)}, Level.WARN, "only 10 more files"),
        (memory, {"memory_available": 100 * MIB}, Level.WARN, "100 MiB of 4096.*zram"),
        (memory, {"memory_total": 200 * MIB, "memory_available": 100 * MIB}, Level.FAIL, "200"),
    ],
)  # fmt: skip
def test_what_is_wrong(check: Any, changes: dict[str, Any], level: Level, words: str) -> None:
    judgement: Judge = check.judge
    (found,) = judgement(replace(WELL, **changes))
    assert found.level is level
    assert found.check == check.NAME
    assert found.remedy
    text = f"{found.finding} {found.why} {found.remedy}"
    for word in words.split(".*"):
        assert word.replace("\\", "") in text


@pytest.mark.parametrize(
    ("check", "changes"),
    [
        (ports, {"listeners": (listener(6443, program="python -m appliance server"),)}),
        (ports, {"listeners": (listener(53, "127.0.0.53", "systemd-resolved"),)}),
        (ports, {"listeners": (listener(6443),), "plan": Plan(is_server=False)}),
        (ports, {"listeners": (listener(6443),), "plan": Plan(api_port=7443)}),
        (dns_loop, {"nameservers": ("127.0.0.53",), "listeners": (listener(53, "127.0.0.53"),)}),
        (dns_loop, {"nameservers": ("127.0.0.53", "192.0.2.1")}),
        (clock, {"clock_ahead_s": 3.0, "clock_source": "pi-1"}),
        (engine, {"engines": (replace(DOCKER, fault="refused"),
                              Engine(kind="podman", endpoint="/p", version="4.3.1"))}),
        (memory, {"memory_available": 300 * MIB, "plan": Plan(is_server=False)}),
        (mtu, {"links": (ETH0, Link(name="apl1a", mtu=1450), Link(name="tun0", mtu=9000))}),
        (kernel, {"features": {}}),
    ],
)  # fmt: skip
def test_what_is_not(check: Any, changes: dict[str, Any]) -> None:
    judgement: Judge = check.judge
    assert [one.level for one in judgement(replace(WELL, **changes))] == [Level.OK]
