"""From a file to PostgreSQL, and from there to a real etcd: the same keys at the same revisions."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.assembly.migrate import migrate
from appliance.config.schema import Config
from appliance.kit.clock import SystemClock
from appliance.store import ops
from appliance.store.base import FROM_KEY, Range, Store, WatchRequest
from appliance.store.errors import Compacted, InUse, Unusable
from appliance.store.options import StoreOptions
from appliance.store.remote.store import EtcdStore
from appliance.store.serve.identity import Identity
from appliance.store.serve.server import EtcdServer
from appliance.store.sql.postgres.importing import MARK
from appliance.store.sql.postgres.store import PostgresStore
from appliance.store.sql.store import SqlStore
from tests.contract.databases import EtcdMember, PostgresServer, postgres

CLOCK = SystemClock()
BEFORE_MARK = Range(key=b"a", end=b"z")


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with postgres() as server:
        yield server


async def filled(path: Path) -> SqlStore:
    options = StoreOptions(ephemeral_prefixes=(b"memory/",), reserve_revisions=100)
    store = await SqlStore.open(path, options, CLOCK)
    for n in range(30):
        await ops.put(store, b"k%d" % (n % 7), b"%d" % n, author="me")
    await ops.delete(store, b"k2")
    await store.compact(20)
    await store.lease_grant(600, 77)
    await ops.put(store, b"leased", b"", 77)
    await ops.put(store, b"memory/a", b"not on disk")
    await store.write_notes("book", {"n": b"note"})
    return store


async def test_all_of_it_goes_to_postgresql(server: PostgresServer, tmp_path: Path) -> None:
    server.make_schema("moved")
    config = Config(role="server", data_dir=str(tmp_path), datastore_endpoint=server.url("moved"))
    source = await filled(tmp_path / "server" / "db" / "state.db")
    with pytest.raises(InUse):
        await migrate(config, CLOCK)
    expected = await source.range(Range(key=b"a", end=b"m"))
    old = await source.range(Range(key=b"a", end=b"m", revision=25))
    highest = await source.head()
    await source.close()

    done = await migrate(config, CLOCK)
    assert done.revision > highest, "what clients have seen is not given out again"
    with pytest.raises(Unusable, match="history already"):
        await migrate(config, CLOCK)
    target = await PostgresStore.open(server.conninfo("moved"), StoreOptions(), CLOCK)
    assert await target.head() == done.revision
    assert (await target.range(Range(key=b"a", end=b"m"))).kvs == expected.kvs
    assert (await target.range(Range(key=b"a", end=b"m", revision=25))).kvs == old.kvs
    assert (await target.lease_info(77)).keys == (b"leased",)
    assert await target.notes("book") == {"n": b"note"}
    assert await ops.get(target, MARK) is not None
    assert await ops.get(target, b"memory/a") is None
    with pytest.raises(Compacted):
        await ops.get(target, b"k1", 19)
    assert (await ops.put(target, b"k0", b"new")).revision == done.revision + 1
    watcher = target.watch(WatchRequest(key=b"k1", start_revision=20))
    assert (await anext(watcher)).events[0].kv.mod_revision >= 20
    await target.close()


async def test_from_postgresql_to_etcd_by_a_snapshot(
    server: PostgresServer, tmp_path: Path
) -> None:
    """As docs/datastores.md says: save from a server's etcd port, restore into a member."""
    if shutil.which("etcdctl") is None:
        pytest.skip("there is no etcdctl on this machine; scripts/test fetches it")
    server.make_schema("leaving")
    store = await PostgresStore.open(server.conninfo("leaving"), StoreOptions(), CLOCK)
    for n in range(30):
        await ops.put(store, b"k%d" % (n % 7), b"%d" % n)
    await ops.delete(store, b"k2")
    await store.compact(20)
    everything = Range(key=FROM_KEY, end=FROM_KEY)
    expected, head = (await store.range(everything)).kvs, await store.head()
    face = EtcdServer(store, Identity(cluster_id=1, member_id=1), CLOCK)
    port = await face.listen("127.0.0.1", 0)
    url, file = f"http://127.0.0.1:{port}", tmp_path / "snapshot.db"
    await etcdctl("--endpoints", url, "snapshot", "save", str(file))
    await face.stop()
    await store.close()
    member = EtcdMember(tmp_path / "etcd")
    await etcdctl(
        "snapshot", "restore", str(file), "--data-dir", str(tmp_path / "etcd"), *member.cluster
    )
    member.start()
    try:
        restored: Store = await EtcdStore.open(member.address, StoreOptions(), CLOCK)
        assert (await restored.range(everything)).kvs == expected
        assert await restored.head() == head
        await restored.close()
    finally:
        member.kill()


async def etcdctl(*argv: str) -> None:
    done = await asyncio.to_thread(
        subprocess.run,
        ["etcdctl", *argv],
        env=os.environ | {"ETCDCTL_API": "3"},
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr.decode()
