"""Cluster DNS beside other name servers on this host: answers a second on one core, and waiting.

    make bench-dns; or PYTHONPATH=. .venv/bin/python bench/dns.py [--rounds 3] [--seconds 5] [--check 1000000]

Needs dnsperf, and knot or unbound (apt: dnsperf, knot, unbound). Each server has one core, dnsperf
another; 2,000 names with an address each, from cache, servers in turn. Then, at half of our own
rate, how long an answer takes; and a client that compares every answer with what it must be.
"""

import argparse
import asyncio
import contextlib
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from appliance.kit.clock import SystemClock
from appliance.kit.tasks import Tasks
from appliance.proxy.dns import wire
from appliance.proxy.dns.base import Question, RCode, Record, RType
from appliance.proxy.dns.forward import Upstream
from appliance.proxy.dns.responder import Responder
from appliance.proxy.dns.server import DnsServer
from appliance.proxy.dns.servers import Servers
from appliance.proxy.dns.zone import Zone

NAMES = 2000
DOMAIN = "cluster.local"
CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE, CLIENT_CORE = CORES[0], CORES[-1]
START_S = 20.0


def name(number: int) -> str:
    return f"svc-{number}.default.svc.{DOMAIN}."


def address(number: int) -> str:
    return f"10.43.{number >> 8}.{number & 255}"


async def serve(port: int) -> None:
    """Ours, as the agent runs it; ends with the one that started it."""
    async with Tasks("bench") as tasks:
        clock = SystemClock()
        zone = Zone(DOMAIN)
        for number in range(NAMES):
            record = Record(name(number), RType.A, 5, address(number))
            _ = zone.put("default", f"svc-{number}", (record,))
        zone.complete = True
        servers = Servers(clock=clock, path=Path("/nonexistent"))
        responder = Responder(zone, Upstream(servers, clock=clock, tasks=tasks))
        await DnsServer(responder, host="127.0.0.1", port=port, tasks=tasks).start()
        await asyncio.Event().wait()


def ours(_folder: Path, port: int) -> list[str]:
    return [sys.executable, "-m", "bench.dns", "--serve", str(port)]


def knot(folder: Path, port: int) -> list[str]:
    records = "".join(f"{name(n)} 5 IN A {address(n)}\n" for n in range(NAMES))
    soa = f"{DOMAIN}. 5 IN SOA ns.{DOMAIN}. admin.{DOMAIN}. 1 2 3 4 5\n"
    (folder / "zone").write_text(soa + f"{DOMAIN}. 5 IN NS ns.{DOMAIN}.\n" + records)
    (folder / "knot.conf").write_text(
        f"""server:
    rundir: {folder}
    listen: 127.0.0.1@{port}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
database:
    storage: {folder}
log:
  - target: {folder}/log
    any: error
zone:
  - domain: {DOMAIN}
    file: {folder}/zone
"""
    )
    return ["knotd", "-c", str(folder / "knot.conf")]


def unbound(folder: Path, port: int) -> list[str]:
    data = "".join(f'  local-data: "{name(n)} 5 IN A {address(n)}"\n' for n in range(NAMES))
    (folder / "unbound.conf").write_text(
        f"""server:
  interface: 127.0.0.1
  port: {port}
  num-threads: 1
  do-daemonize: no
  username: ""
  chroot: ""
  directory: "{folder}"
  pidfile: "{folder}/pid"
  use-syslog: no
  logfile: "{folder}/log"
  local-zone: "{DOMAIN}." static
{data}"""
    )
    return ["unbound", "-d", "-c", str(folder / "unbound.conf")]


SERVERS = {"knot": ("knotd", knot), "unbound": ("unbound", unbound), "ours": ("python3", ours)}


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextlib.contextmanager
def running(which: str) -> Iterator[int]:
    """One server on its core; gives its port."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        argv = SERVERS[which][1](Path(folder), port)
        process = subprocess.Popen(
            ["taskset", "-c", str(SERVER_CORE), *argv],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            wait_for(port, which)
            yield port
        finally:
            process.terminate()
            process.wait(10)


def wait_for(port: int, which: str) -> None:
    packet = wire.question(Question(name(1), RType.A), 1)
    end = time.monotonic() + START_S
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect(("127.0.0.1", port))
        client.settimeout(0.2)
        while time.monotonic() < end:
            with contextlib.suppress(OSError):
                client.send(packet)
                if wire.answers(client.recv(4096))[0] == RCode.NOERROR:
                    return
    raise SystemExit(f"{which} does not answer")


def dnsperf(port: int, seconds: float, *more: str) -> str:
    with tempfile.NamedTemporaryFile("w") as questions:
        questions.writelines(f"{name(n)} A\n" for n in range(NAMES))
        questions.flush()
        argv = ["taskset", "-c", str(CLIENT_CORE), "dnsperf", "-s", "127.0.0.1", "-p", str(port),
                "-d", questions.name, "-l", str(seconds), "-c", "4", *more]  # fmt: skip
        done = subprocess.run(argv, capture_output=True, text=True, check=True)
    return done.stdout


def rate(text: str) -> tuple[float, float]:
    """Answers a second, and the share of questions without one."""
    second = re.search(r"Queries per second:\s+([\d.]+)", text)
    lost = re.search(r"Queries lost:\s+\d+ \(([\d.]+)%\)", text)
    assert second is not None
    assert lost is not None
    return float(second[1]), float(lost[1])


def waits(text: str) -> list[float]:
    """Milliseconds that each answer took, in order of length; `-v` tells each."""
    return sorted(1000 * float(took) for took in re.findall(r"^> .* ([\d.]+)$", text, re.MULTILINE))


def check(port: int, count: int) -> int:
    """Ask so many questions, a hundred at a time; how many answers were wrong or missing."""
    os.sched_setaffinity(0, {CLIENT_CORE})
    asked = [wire.question(Question(name(n), RType.A), 0)[2:] for n in range(NAMES)]
    wrong = left = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect(("127.0.0.1", port))
        client.settimeout(2)
        for first in range(0, count, 100):
            batch = {}
            for number in range(first, min(first + 100, count)):
                packet_id = (number & 0xFFFF).to_bytes(2, "big")
                batch[packet_id] = number % NAMES
                client.send(packet_id + asked[number % NAMES])
            for _ in range(len(batch)):
                try:
                    reply = client.recv(4096)
                except TimeoutError:
                    break
                number = batch.pop(reply[:2], -1)
                wrong += number < 0 or not is_right(reply, asked[number], address(number))
            left += len(batch)
    return wrong + left


def is_right(reply: bytes, asked: bytes, expected: str) -> bool:
    """The question is ours, there is one answer, an address, the right one."""
    question = asked[10:-11]  # behind the counts, before the EDNS part
    end = 12 + len(question)
    return (
        reply[12:end] == question
        and reply[3] & 0xF == 0
        and reply[6:8] == b"\0\1"
        and reply[end : end + 12] == b"\xc0\x0c\0\1\0\1\0\0\0\5\0\4"
        and reply[end + 12 : end + 16] == socket.inet_aton(expected)
    )


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--serve", type=int, default=0)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--seconds", type=float, default=5.0)
    options.add_argument("--check", type=int, default=100_000)
    told = options.parse_args()
    if told.serve:
        asyncio.run(serve(told.serve))
        return
    if shutil.which("dnsperf") is None:
        print("dnsperf is not here (apt install dnsperf knot unbound): nothing to compare")
        return
    found = [which for which, (program, _) in SERVERS.items() if shutil.which(program)]
    rates: dict[str, list[float]] = {which: [] for which in found}
    for _ in range(told.rounds):
        for which in found:
            with running(which) as port:
                _ = dnsperf(port, 1, "-q", "100")
                second, lost = rate(dnsperf(port, told.seconds, "-q", "100"))
                rates[which].append(second if lost < 0.1 else 0.0)
    middle = {which: statistics.median(seen) for which, seen in rates.items()}
    best = middle.get("knot") or middle.get("unbound") or middle["ours"]
    for which, value in middle.items():
        print(f"{which:<8} {value:>9,.0f} answers/s  {value / best:.2f}")
    half = int(middle["ours"] / 2)
    for which in found:
        with running(which) as port:
            text = dnsperf(port, told.seconds, "-Q", str(half), "-v")
            took = waits(text)
            shown = " ".join(
                f"p{100 * share:g} {took[int(share * (len(took) - 1))]:.2f} ms"
                for share in (0.5, 0.99, 0.999)
            )
            print(f"{which:<8} at {half:,}/s: {shown}, lost {rate(text)[1]} %")
    with running("ours") as port:
        wrong = check(port, told.check)
    print(f"ours     {wrong} wrong or missing of {told.check:,} answers")


if __name__ == "__main__":
    main()
