"""`kill -9` under 50 clients, seen from outside: over the wire, by its writers and one watcher.

Each round starts the real program on the same folder, lets clients write, and kills it at any
moment. Its clients then hold it to its word: every acknowledged write is there with its revision,
no revision was ever given out twice, and a watch that is resumed after each kill is told every
revision once, without a gap, acknowledged or not.

`KILLS` says how many; `make prove-store` asks for more than CI does.
"""

import asyncio
import contextlib
import os
import random
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from appliance.store.serve.messages import kv, watch
from tests.conform.etcd_endpoints import until_open
from tests.lab.etcd_client import EtcdClient, etcd_client

KILLS = int(os.environ.get("KILLS", "4"))
CLIENTS = 50
KV = "/etcdserverpb.KV/"

pytestmark = pytest.mark.slow


class Ledger:
    """What was acknowledged, and what the watcher was told."""

    def __init__(self) -> None:
        self.acknowledged: dict[int, bytes] = {}
        self.told: dict[int, bytes] = {}
        self.fresh: dict[int, bytes] = {}
        """Acknowledged since the last look."""
        self._news = asyncio.Event()

    async def until(self, done: Callable[[], bool]) -> None:
        while not done():
            self._news.clear()
            await self._news.wait()

    def acknowledge(self, revision: int, key: bytes) -> None:
        assert revision not in self.acknowledged, "a revision was given out twice"
        self.acknowledged[revision] = self.fresh[revision] = key
        self._news.set()

    def tell(self, revision: int, key: bytes) -> None:
        assert revision not in self.told, "told twice"
        assert revision == max(self.told, default=1) + 1, "a gap"
        assert self.acknowledged.get(revision, key) == key, "not what was acknowledged"
        self.told[revision] = key
        self._news.set()

    @property
    def last(self) -> int:
        return max(self.told, default=1)


@asynccontextmanager
async def store(folder: Path) -> AsyncIterator[tuple[str, asyncio.subprocess.Process]]:
    """The program on a folder; killed at the end."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    with (folder / "log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "appliance", "store", "--data-dir", str(folder / "data")),
            *("--listen-client-urls", url),
            stdout=log,
            stderr=log,
        )
    try:
        await until_open(url)
        yield url, process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def write(client: EtcdClient, name: bytes, ledger: Ledger) -> None:
    """Write keys of its own, one after the other, until the server is gone."""
    for number in range(1_000_000):
        key = b"%b/%d" % (name, number)
        ended = await client.call(KV + "Put", kv.PutRequest(key=key, value=key), kv.PutResponse)
        assert isinstance(ended.answer, kv.PutResponse), ended
        assert ended.answer.header is not None
        ledger.acknowledge(ended.answer.header.revision, key)


async def follow(client: EtcdClient, ledger: Ledger) -> None:
    """A watch of everything from where the last one ended."""
    stream_id = client.open("/etcdserverpb.Watch/Watch")
    create = watch.WatchCreateRequest(
        key=b"\x00", range_end=b"\x00", start_revision=ledger.last + 1
    )
    client.send(stream_id, watch.WatchRequest(create_request=create))
    seen = 0
    while True:
        messages = await client.received(stream_id, seen + 1)
        for message in messages[seen:]:
            for event in watch.WatchResponse.decode(message).events:
                assert event.kv is not None
                ledger.tell(event.kv.mod_revision, event.kv.key)
        seen = len(messages)


async def look(client: EtcdClient, ledger: Ledger) -> None:
    """Every write that was acknowledged since the last look is there."""
    for revision, key in ledger.fresh.items():
        found = (await client.call(KV + "Range", kv.RangeRequest(key=key), kv.RangeResponse)).answer
        assert isinstance(found, kv.RangeResponse)
        assert [(one.value, one.mod_revision) for one in found.kvs] == [(key, revision)]
    ledger.fresh.clear()


async def life(folder: Path, turn: int, ledger: Ledger, wanted: int) -> None:
    """Start, look, write, kill."""
    async with store(folder) as (url, process), etcd_client(url) as client:
        before = len(ledger.acknowledged)
        await look(client, ledger)
        async with asyncio.TaskGroup() as group:
            work = [
                group.create_task(write(client, b"%d/%d" % (turn, number), ledger))
                for number in range(CLIENTS)
            ]
            work.append(group.create_task(follow(client, ledger)))
            await ledger.until(lambda: len(ledger.acknowledged) - before >= wanted)
            process.kill()
            await process.wait()
            await client.over()  # what was sent before the end has been read
            for task in work:
                task.cancel()


@pytest.mark.timeout(60 + 10 * KILLS)
async def test_kills(tmp_path: Path) -> None:
    rng = random.Random(int(os.environ.get("SEED", "1")))  # noqa: S311 - a seed repeats it
    ledger = Ledger()
    for turn in range(KILLS):
        async with asyncio.timeout(60):
            await life(tmp_path, turn, ledger, wanted=rng.randint(1, 600))
    async with store(tmp_path) as (url, _), etcd_client(url) as client:
        await look(client, ledger)
        newest = max(ledger.acknowledged)
        async with asyncio.timeout(30), asyncio.TaskGroup() as group:
            following = group.create_task(follow(client, ledger))
            await ledger.until(lambda: ledger.last >= newest)
            following.cancel()
    assert ledger.acknowledged.items() <= ledger.told.items()
    unacknowledged = len(ledger.told) - len(ledger.acknowledged)
    print(f"{KILLS} kills, {len(ledger.acknowledged)} acknowledged writes, {unacknowledged} more")
