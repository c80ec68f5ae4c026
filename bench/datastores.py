"""Write and read rates of any datastore: `python -m bench.datastores [ENDPOINT…]`, as for a server.

With `--masters 2` two stores share the work, as two servers would. Prints operations per second,
p50 and p99 of one operation.
"""

import argparse
import asyncio
import os
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from itertools import count

from appliance.assembly.datastore import open_store
from appliance.config.schema import Config
from appliance.kit import log as logs
from appliance.kit.clock import SystemClock
from appliance.store import ops
from appliance.store.base import Compare, CompareTarget, Put, Store, Txn, WatchRequest
from appliance.store.options import StoreOptions

VALUE = os.urandom(1024)
KEYS = 5_000
SECONDS = 2.0


async def run(name: str, clients: int, operation: Callable[[int], Awaitable[object]]) -> None:
    """Let `clients` call `operation` for a while and print what it took."""
    numbers, took = count(), []
    started = time.perf_counter()

    async def client() -> None:
        while time.perf_counter() - started < SECONDS:
            before = time.perf_counter()
            await operation(next(numbers))
            took.append(time.perf_counter() - before)

    await asyncio.gather(*(client() for _ in range(clients)))
    wall = time.perf_counter() - started
    took.sort()
    p50, p99 = (took[int(len(took) * q)] * 1000 for q in (0.5, 0.99))
    print(f"{name:28} {len(took) / wall:8.0f}/s  p50 {p50:7.2f} ms  p99 {p99:7.2f} ms", flush=True)


async def measure(stores: list[Store]) -> None:
    """All measurements."""

    def at(n: int) -> Store:
        return stores[n % len(stores)]

    async def put(n: int) -> object:
        return await ops.put(at(n), b"/bench/%06d" % (n * 7919 % KEYS), VALUE)

    async def create(n: int) -> object:
        key = b"/bench/%d/%d" % (time.monotonic_ns(), n)
        absent = Compare(key=key, target=CompareTarget.MOD, operand=0)
        return await at(n).txn(Txn(compares=(absent,), success=(Put(key=key, value=VALUE),)))

    async def get(n: int) -> object:
        return await ops.get(at(n), b"/bench/%06d" % (n * 7919 % KEYS))

    for clients in (1, 10, 100):
        await run(f"put 1 KiB, {clients} clients", clients, put)
    await run("create if absent, 50 clients", 50, create)
    for clients in (1, 100):
        await run(f"linearizable get, {clients} clients", clients, get)
    watcher = stores[-1].watch(WatchRequest(key=b"/news"))

    async def tell(n: int) -> object:
        await ops.put(stores[0], b"/news", b"%d" % n)
        return await anext(watcher)

    await run("put here, event there", 1, tell)


async def main(endpoint: str, masters: int) -> None:
    """Measure one endpoint."""
    print(f"== {endpoint.rpartition('@')[2]} ({masters} masters)")
    config = Config(role="server", datastore_endpoint=endpoint)
    options = StoreOptions(keep_history_s=0)
    async with AsyncExitStack() as stack:
        stores = []
        for _ in range(masters):
            stores.append(await open_store(config, options, SystemClock()))
            stack.push_async_callback(stores[-1].close)
        await measure(stores)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("endpoints", nargs="*", help="default: a new file")
    parser.add_argument("--masters", type=int, default=1)
    given = parser.parse_args()
    logs.configure("text", "warning")
    with tempfile.TemporaryDirectory() as folder:
        for one in given.endpoints or [f"sqlite://{folder}/state.db"]:
            asyncio.run(main(one, given.masters))
