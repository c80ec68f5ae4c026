"""Services side by side in one run: direct, our nftables, our relays, HAProxy.

    make bench-net BENCH="--rounds 5 --seconds 4 --json FILE --only paths|load|crowd"

Three network namespaces: a client, a node that routes, a backend; two pairs of virtual links.
Every round measures each path in turn, so that a noisy machine is noisy for all; medians are
shown. "direct" is the routed path without any rule of ours. Needs root, iperf3, wrk and haproxy.

Then what it costs to load services with 10 endpoints each, to change one endpoint, and what a
packet costs when there are many.
"""

import argparse
import asyncio
import json
import os
import re
import secrets
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from appliance.kit.clock import SystemClock
from appliance.proxy.backends.nftables import NftablesBackend
from appliance.proxy.backends.userspace import RelayOptions, UserspaceBackend
from appliance.proxy.table import Endpoint, ServiceEntry, ServicePort, ServiceTable, table_of
from tests.lab.netns import inside

CLIENT, NODE_OUT, NODE_IN, BACKEND = "192.0.2.9", "192.0.2.1", "10.42.0.1", "10.42.0.5"
HTTP, IPERF, ECHO = 8080, 5201, 7777
VIP, RELAY_VIP, HAPROXY_VIP = "10.43.0.9", "10.43.1.9", "10.43.2.9"
CONNECTIONS, CHURNING = 32, 16
PINGS = 20_000

_ECHO = """
import socket
server = socket.create_server(("", 7777)); print("up", flush=True)
while True:
    taken, _ = server.accept(); taken.setsockopt(6, 1, 1)
    while data := taken.recv(100): taken.sendall(data)
"""
_PING = """
import socket, statistics, sys, time
talk = socket.create_connection((sys.argv[1], 7777)); talk.setsockopt(6, 1, 1)
took, now = [], time.perf_counter_ns
for _ in range(int(sys.argv[2])):
    begun = now(); talk.sendall(b"x" * 64); talk.recv(100); took.append(now() - begun)
print(statistics.median(took) / 1000, sorted(took)[len(took) * 99 // 100] / 1000)
"""
_WEB = f"""
global
  nbthread 1
  maxconn 400
defaults
  mode http
  timeout client 30s
  timeout server 30s
  timeout connect 5s
frontend web
  bind :{HTTP}
  bind :{HTTP + 1}
  http-request return status 200 content-type text/plain string "hello"
"""
_HAPROXY = """
global
  nbthread 1
  maxconn 400
defaults
  mode tcp
  timeout client 60s
  timeout server 60s
  timeout connect 5s
""" + "".join(
    f"listen p{port}\n  bind {HAPROXY_VIP}:{port}\n  server b {BACKEND}:{port}\n"
    for port in (HTTP, IPERF, ECHO)
)


class World:
    """The namespaces and what runs in them."""

    def __init__(self, stack: ExitStack) -> None:
        self._id = f"bench{secrets.token_hex(2)}"
        self._stack = stack
        self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for name in ("client", "node", "backend"):
            sh("ip", "netns", "add", self.name(name))
            stack.callback(sh, "ip", "netns", "del", self.name(name))
            self.sh(name, "ip", "link", "set", "lo", "up")
        self._link("client", CLIENT, NODE_OUT)
        self._link("backend", BACKEND, NODE_IN)
        self.sh("node", "sysctl", "-qw", "net.ipv4.ip_forward=1")
        for name in ("client", "node"):
            self.sh(name, "sysctl", "-qw", "net.ipv4.ip_local_port_range=1024 65535")
            self.sh(name, "sysctl", "-qw", "net.ipv4.tcp_tw_reuse=1")
        self.sh("node", "ip", "route", "add", "local", f"{HAPROXY_VIP}/32", "dev", "lo")
        self.run("backend", sys.executable, "-c", _ECHO, wait_for="up")
        self.run("backend", "iperf3", "-s", "--forceflush", wait_for="listening")
        self._haproxy("backend", _WEB)
        self._haproxy("node", _HAPROXY)
        # Up when it answers.
        for port in (HTTP, IPERF, ECHO):
            self._wait("client", BACKEND if port == HTTP else HAPROXY_VIP, port)

    def name(self, role: str) -> str:
        return f"{self._id}-{role}"

    def sh(self, role: str, *argv: str) -> str:
        return sh("ip", "netns", "exec", self.name(role), *argv)

    def run(self, role: str, *argv: str, wait_for: str = "") -> None:
        process = subprocess.Popen(
            ["ip", "netns", "exec", self.name(role), *argv],
            stdout=subprocess.PIPE if wait_for else subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._stack.callback(process.wait)
        self._stack.callback(process.kill)
        while wait_for and process.stdout is not None:
            if wait_for in process.stdout.readline():
                return

    def _haproxy(self, role: str, config: str) -> None:
        path = self.folder / f"{role}.cfg"
        path.write_text(config)
        self.run(role, "haproxy", "-db", "-q", "-f", str(path))

    def _link(self, role: str, address: str, gateway: str) -> None:
        link = f"{self._id}{role[0]}"
        sh("ip", "link", "add", link, "netns", self.name("node"), "type", "veth",
           "peer", "name", "eth0", "netns", self.name(role))  # fmt: skip
        self.sh("node", "ip", "addr", "add", f"{gateway}/24", "dev", link)
        self.sh("node", "ip", "link", "set", link, "up")
        self.sh(role, "ip", "addr", "add", f"{address}/24", "dev", "eth0")
        self.sh(role, "ip", "link", "set", "eth0", "up")
        self.sh(role, "ip", "route", "add", "default", "via", gateway)

    def _wait(self, role: str, address: str, port: int) -> None:
        deadline = time.monotonic() + 10
        with inside(self.name(role)):
            while True:
                try:
                    socket.create_connection((address, port), timeout=1).close()
                except OSError:
                    if time.monotonic() > deadline:
                        raise
                else:
                    return


@dataclass
class Measured:
    """Medians are taken over rounds."""

    requests: list[float] = field(default_factory=list)
    connections: list[float] = field(default_factory=list)
    gigabits: list[float] = field(default_factory=list)
    p50_us: list[float] = field(default_factory=list)
    p99_us: list[float] = field(default_factory=list)

    def measure(self, world: World, address: str, seconds: int) -> None:
        self.requests.append(wrk(world, address, CONNECTIONS, seconds))
        self.connections.append(wrk(world, address, CHURNING, seconds, "Connection: close"))
        self.gigabits.append(iperf(world, address, seconds))
        self.ping(world, address)

    def ping(self, world: World, address: str) -> None:
        text = world.sh("client", sys.executable, "-c", _PING, address, str(PINGS))
        p50, p99 = (float(word) for word in text.split())
        self.p50_us.append(p50)
        self.p99_us.append(p99)

    def medians(self) -> dict[str, float]:
        return {k: round(statistics.median(v), 2) for k, v in vars(self).items() if v}


def wrk(world: World, address: str, connections: int, seconds: int, header: str = "") -> float:
    more = ["-H", header] if header else []
    url = f"http://{address}:{HTTP}/"
    text = world.sh("client", "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", *more, url)
    found = re.search(r"Requests/sec:\s+([\d.]+)", text)
    assert found is not None, text
    return float(found[1])


def iperf(world: World, address: str, seconds: int) -> float:
    text = world.sh("client", "iperf3", "-J", "-c", address, "-t", str(seconds))
    return float(json.loads(text)["end"]["sum_received"]["bits_per_second"]) / 1e9


def backend_port(port: int) -> int:
    """Another one than the direct way's: the backend remembers closed connections by the client's
    address and port, which are the same on both ways, while their time stamps are not.
    """
    return HTTP + 1 if port == HTTP else port


def ways(vip: str) -> tuple[ServicePort, ...]:
    return tuple(
        ServicePort(
            namespace="bench",
            name=f"p{port}",
            port_name="",
            protocol="tcp",
            cluster_ip=vip,
            port=port,
            endpoints=(Endpoint(BACKEND, backend_port(port)),),
        )
        for port in (HTTP, IPERF, ECHO)
    )


async def paths(world: World, rounds: int, seconds: int) -> dict[str, Measured]:
    found = {name: Measured() for name in ("direct", "nftables", "relays", "haproxy")}
    with inside(world.name("node")):
        relays = UserspaceBackend(
            RelayOptions(
                cluster_id=world.name("r"),
                service_cidr="10.43.1.0/24",
                log=world.folder / "relays.log",
            ),
            clock=SystemClock(),
        )
        await relays.apply(table_of(*ways(RELAY_VIP)))
        for _ in range(rounds):
            found["direct"].measure(world, BACKEND, seconds)
            nftables = NftablesBackend("bench")
            await nftables.apply(table_of(*ways(VIP)))
            found["nftables"].measure(world, VIP, seconds)
            await nftables.clean_up()
            found["relays"].measure(world, RELAY_VIP, seconds)
            found["haproxy"].measure(world, HAPROXY_VIP, seconds)
        await relays.clean_up()
    return found


def service(number: int) -> ServiceEntry:
    ends = tuple(
        Endpoint(f"10.{44 + n // 62500}.{n // 250 % 250}.{n % 250 + 2}", 8080)
        for n in range(number * 10, number * 10 + 10)
    )
    address = f"10.96.{number // 250}.{number % 250 + 1}"
    port = ServicePort(
        namespace="bench",
        name=f"s{number}",
        port_name="",
        protocol="tcp",
        cluster_ip=address,
        port=80,
        endpoints=ends,
    )
    return ServiceEntry((port,))


def many(count: int) -> dict[str, ServiceEntry]:
    return {f"bench/s{number}": service(number) for number in range(count)}


async def timed(work: Callable[[], Awaitable[None]]) -> float:
    begun = time.perf_counter()
    await work()
    return time.perf_counter() - begun


async def costs(world: World, count: int, rounds: int) -> dict[str, float]:
    """Loads, and changes of one endpoint."""
    loads, changes = [], []
    with inside(world.name("node")):
        for _ in range(rounds):
            entries, number = many(count), 1
            backend = NftablesBackend("bench")
            first = ServiceTable(entries, number)
            loads.append(await timed(lambda b=backend, t=first: b.apply(t)))
            for step in range(100):
                key, number = f"bench/s{step * 7 % count}", number + 1
                port = entries[key].ports[0]
                entries = {
                    **entries,
                    key: ServiceEntry((replace(port, endpoints=port.endpoints[1:]),)),
                }
                table = ServiceTable(entries, number, frozenset({key}))
                changes.append(await timed(lambda b=backend, t=table: b.apply(t)))
            await backend.clean_up()
    changes.sort()
    return {
        "load_s": round(statistics.median(loads), 3),
        "change_p50_ms": round(1000 * statistics.median(changes), 3),
        "change_p99_ms": round(1000 * changes[len(changes) * 99 // 100], 3),
    }


async def crowd(world: World, rounds: int, seconds: int) -> dict[str, dict[str, float]]:
    """The same service among 10 and among 10,000."""
    found = {10: Measured(), 10_000: Measured()}
    with inside(world.name("node")):
        for _ in range(rounds):
            for count, measured in found.items():
                backend = NftablesBackend("bench")
                await backend.apply(ServiceTable(many(count) | dict(table_of(*ways(VIP)).entries)))
                measured.measure(world, VIP, seconds)
                await backend.clean_up()
    return {str(count): measured.medians() for count, measured in found.items()}


@contextmanager
def world() -> Iterator[World]:
    with ExitStack() as stack:
        yield World(stack)


def sh(*argv: str) -> str:
    done = subprocess.run(argv, check=False, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(argv)}: {done.stderr or done.stdout}")
    return done.stdout


def show(title: str, rows: dict[str, dict[str, float]]) -> None:
    print(f"\n{title}")
    columns = list(next(iter(rows.values())))
    print("".join([f"{'':12}", *(f"{column:>16}" for column in columns)]))
    for name, row in rows.items():
        print("".join([f"{name:12}", *(f"{row[column]:>16,}" for column in columns)]))


def goals(found: dict[str, dict[str, float]]) -> dict[str, float]:
    direct, nft, relays, haproxy = (found[n] for n in ("direct", "nftables", "relays", "haproxy"))
    return {
        "nftables of direct, bulk (goal 0.97)": round(nft["gigabits"] / direct["gigabits"], 3),
        "nftables added at p50, us (goal 5)": round(nft["p50_us"] - direct["p50_us"], 2),
        "relays of haproxy, requests (goal 0.8)": round(
            relays["requests"] / haproxy["requests"], 3
        ),
        "relays of haproxy, connections (goal 0.8)": round(
            relays["connections"] / haproxy["connections"], 3
        ),
        "relays of haproxy, bulk (goal 1)": round(relays["gigabits"] / haproxy["gigabits"], 3),
    }


async def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--seconds", type=int, default=4)
    options.add_argument("--json", type=Path)
    options.add_argument("--only", choices=("paths", "load", "crowd"))
    chosen = options.parse_args()
    all_found: dict[str, Any] = {"load_average": os.getloadavg()[0]}
    print(f"load average at the start: {os.getloadavg()[0]:.1f}")
    with world() as made:
        if chosen.only in {None, "paths"}:
            found = await paths(made, chosen.rounds, chosen.seconds)
            all_found["paths"] = {name: measured.medians() for name, measured in found.items()}
            show("one service", all_found["paths"])
            all_found["goals"] = goals(all_found["paths"])
            for name, value in all_found["goals"].items():
                print(f"  {name}: {value}")
        if chosen.only in {None, "load"}:
            sizes = (1_000, 10_000)
            rows = {f"{n:,}": await costs(made, n, chosen.rounds) for n in sizes}
            all_found["costs"] = rows
            show("services of 10 endpoints, nftables", rows)
        if chosen.only in {None, "crowd"}:
            all_found["crowd"] = await crowd(made, chosen.rounds, chosen.seconds)
            show("one service among others, nftables", all_found["crowd"])
    if chosen.json:
        chosen.json.write_text(json.dumps(all_found, indent=2) + "\n")


if __name__ == "__main__":
    asyncio.run(main())
