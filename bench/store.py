"""In-process speed of `SqlStore` on this machine's disk: `python -m bench.store [--dir D]`.

Prints one line per measurement: operations per second, and p50/p99 of one operation.
"""

import argparse
import asyncio
import os
import resource
import tempfile
import time
from collections.abc import Awaitable, Callable
from itertools import count
from pathlib import Path

from appliance.kit.clock import SystemClock
from appliance.store import ops
from appliance.store.base import FROM_KEY, Range, WatchRequest
from appliance.store.options import StoreOptions
from appliance.store.sql.store import SqlStore

VALUE = os.urandom(256)
KEYS = 10_000
SECONDS = 2.0


async def run(name: str, clients: int, operation: Callable[[int], Awaitable[object]]) -> None:
    """Let `clients` call `operation` for a while and print what it took."""
    numbers, took = count(), []
    cpu = time.process_time()
    started = time.perf_counter()

    async def client() -> None:
        while time.perf_counter() - started < SECONDS:
            before = time.perf_counter()
            await operation(next(numbers))
            took.append(time.perf_counter() - before)

    await asyncio.gather(*(client() for _ in range(clients)))
    wall = time.perf_counter() - started
    cpu = time.process_time() - cpu
    took.sort()
    p50, p99 = (took[int(len(took) * q)] * 1000 for q in (0.5, 0.99))
    print(
        f"{name:32} {len(took) / wall:9.0f}/s  p50 {p50:7.3f} ms  p99 {p99:7.3f} ms"
        f"  cpu {cpu / len(took) * 1e6:6.0f} us"
    )


async def measure(directory: Path) -> None:
    """All measurements on a new store."""
    store = await SqlStore.open(directory / "state.db", StoreOptions(), SystemClock())

    async def put(n: int) -> object:
        return await ops.put(store, b"/registry/pods/default/%06d" % (n * 7919 % KEYS), VALUE)

    async def overwrite(n: int) -> object:
        return await ops.put(store, b"/one/%d" % (n % 10), VALUE)

    for clients in (1, 10, 100):
        await run(f"put, {clients} in flight", clients, put)
    for n in range(KEYS):
        await put(n) if n % 500 == 0 else None
    await asyncio.gather(*(put(n) for n in range(KEYS)))
    get = Range(key=b"/registry/pods/default/000500")
    await run("get", 1, lambda _: store.range(get))
    page = Range(key=b"/registry/pods/", end=b"/registry/pods0", limit=500)
    await run(f"range 500 of {KEYS}", 1, lambda _: store.range(page))
    count_only = Range(key=FROM_KEY, end=FROM_KEY, count_only=True)
    await run(f"count of {KEYS}", 1, lambda _: store.range(count_only))
    watchers = [
        store.watch(WatchRequest(key=b"/registry/%d/" % n, end=b"/registry/%d0" % n))
        for n in range(150)
    ]
    await run("put, 100 in flight, 150 watches", 100, put)
    revision = (await store.status()).revision
    await store.compact(revision)
    await run("put, 10 in flight, compacting", 10, overwrite)
    await store.compacted()
    status = await store.status()
    print(f"revisions {status.revision}, file {status.size_bytes >> 20} MiB,", end=" ")
    print(f"in use {status.size_in_use_bytes >> 20} MiB,", end=" ")
    print(f"peak RSS {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10} MiB")
    for watcher in watchers:
        watcher.close()
    await store.close()
    before = time.perf_counter()
    store = await SqlStore.open(directory / "state.db", StoreOptions(), SystemClock())
    print(f"reopened in {(time.perf_counter() - before) * 1000:.0f} ms")
    await store.close()


def main() -> None:
    """Measure in a temporary directory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dir", type=Path, default=Path("/var/tmp"))
    with tempfile.TemporaryDirectory(dir=parser.parse_args().dir) as directory:
        asyncio.run(measure(Path(directory)))


if __name__ == "__main__":
    main()
