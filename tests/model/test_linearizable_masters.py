"""Calls on two masters over one PostgreSQL form one order on each key, though it is killed thrice.

`LINEAR_CALLS` says how many calls, as in `test_linearizable`.
"""

import asyncio
import os
import random
from collections.abc import Callable
from dataclasses import replace
from itertools import count

from appliance.kit.clock import SystemClock
from appliance.store import ops
from appliance.store.base import Compare, CompareTarget, Put, Store, Txn
from appliance.store.errors import Unavailable
from appliance.store.options import StoreOptions
from appliance.store.sql.postgres.store import PostgresStore
from tests.contract.databases import PostgresServer, postgres
from tests.model.linearizable import Call, linearizable

CALLS = int(os.environ.get("LINEAR_CALLS", "2000"))
CLIENTS = 10
KEYS = CALLS // 100
OPTIONS = StoreOptions(answer_within_s=5)


class Client:
    """Calls on one master or the other, with the times at which they began and ended."""

    def __init__(self, stores: list[Store], rng: random.Random, values: "count[int]") -> None:
        self._stores = stores
        self._rng = rng
        self._values = values
        self._seen: dict[int, str] = {}
        self._time: Callable[[], float] = asyncio.get_running_loop().time
        self.history: dict[int, list[Call]] = {}

    async def call(self, number: int) -> None:
        store = self._rng.choice(self._stores)
        op = self._rng.choice(["get", "get", "put", "cas", "cas", "delete"])
        key, value = b"key-%d" % number, str(next(self._values))
        began = self._time()
        asked = Call(op, began)
        if op in {"put", "cas"}:
            asked = replace(asked, value=value, expected=self._seen.get(number, "0"))
        try:
            call = replace(await self._answer(store, key, asked), ended=self._time())
        except Unavailable:
            if op == "get":
                return
            call = asked  # it may have happened, or may still
        self.history.setdefault(number, []).append(call)
        self._seen[number] = call.value or call.found or "0"

    async def _answer(self, store: Store, key: bytes, call: Call) -> Call:
        match call.op:
            case "get":
                kv = await ops.get(store, key)
                return replace(call, found=kv and kv.value.decode())
            case "put":
                await ops.put(store, key, str(call.value).encode())
                return call
            case "delete":
                gone = (await ops.delete(store, key, prev_kv=True)).prev_kvs
                return replace(call, found=gone[0].value.decode() if gone else None)
            case _:
                expected = str(call.expected).encode()
                same = Compare(key=key, target=CompareTarget.VALUE, operand=expected)
                put = Put(key=key, value=str(call.value).encode())
                done = await store.txn(Txn(compares=(same,), success=(put,)))
                return replace(call, succeeded=done.succeeded)


async def histories(server: PostgresServer) -> dict[int, list[Call]]:
    """Let the clients call side by side while the database is killed thrice."""
    rng = random.Random(int(os.environ.get("SEED", "1")))  # noqa: S311 - a seed repeats it
    stores: list[Store] = [
        await PostgresStore.open(server.conninfo("linear"), OPTIONS, SystemClock())
        for _ in range(2)
    ]
    values, done, progress = count(1), 0, asyncio.Event()
    clients = [
        Client(stores, random.Random(rng.getrandbits(32)), values)  # noqa: S311 - as above
        for _ in range(CLIENTS)
    ]

    async def one(client: Client) -> None:
        nonlocal done
        for n in range(CALLS // CLIENTS):
            await client.call(n * KEYS // (CALLS // CLIENTS))
            done += 1
            progress.set()

    async def kill_at(calls: int) -> None:
        while done < calls:
            progress.clear()
            await progress.wait()
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)

    async with asyncio.timeout(100), asyncio.TaskGroup() as group:
        for client in clients:
            group.create_task(one(client))
        for part in (1, 2, 3):
            await kill_at(part * CALLS // 4)
    for store in stores:
        await store.close()
    found: dict[int, list[Call]] = {}
    for client in clients:
        for number, calls in client.history.items():
            found.setdefault(number, []).extend(calls)
    return found


async def test_calls_on_two_masters_have_an_order() -> None:
    with postgres("fsync=on") as server:
        server.make_schema("linear")
        found = await histories(server)
    calls = [call for of_key in found.values() for call in of_key]
    assert len(calls) > CALLS * 0.9
    assert sum(call.succeeded for call in calls) > CALLS // 100
    for number, of_key in found.items():
        assert linearizable(of_key), f"key {number}"
