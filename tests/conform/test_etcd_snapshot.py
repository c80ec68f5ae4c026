"""`etcdctl snapshot save` from ours: a real etcd restores it and has the same history."""

from pathlib import Path

import pytest

from appliance.store.serve.messages import kv, lease, maintenance
from tests.conform.etcd_endpoints import ETCD, ETCDCTL, Etcdctl, ours, real
from tests.lab.etcd_client import EtcdClient, etcd_client

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not ETCDCTL or not ETCD, reason="etcd-client or etcd-server is missing"),
]

KV = "/etcdserverpb.KV/"


async def put(client: EtcdClient, key: bytes, value: bytes, lease_id: int = 0) -> None:
    request = kv.PutRequest(key=key, value=value, lease=lease_id)
    assert (await client.call(KV + "Put", request, kv.PutResponse)).code == 0


async def look(client: EtcdClient) -> tuple[object, object, object]:
    """Everything there is, its hash, and the leases."""
    everything = kv.RangeRequest(key=b"\x00", range_end=b"\x00")
    found = (await client.call(KV + "Range", everything, kv.RangeResponse)).answer
    hashed = await client.call(
        "/etcdserverpb.Maintenance/HashKV", maintenance.HashKVRequest(), maintenance.HashKVResponse
    )
    leases = await client.call(
        "/etcdserverpb.Lease/LeaseLeases", lease.LeaseLeasesRequest(), lease.LeaseLeasesResponse
    )
    assert isinstance(found, kv.RangeResponse)
    assert isinstance(hashed.answer, maintenance.HashKVResponse)
    assert isinstance(leases.answer, lease.LeaseLeasesResponse)
    return found.kvs, hashed.answer.hash, [status.ID for status in leases.answer.leases]


async def test_a_real_etcd_goes_on_from_our_snapshot(tmp_path: Path) -> None:
    file = str(tmp_path / "snapshot.db")
    async with ours(tmp_path) as url, etcd_client(url) as client:
        grant = lease.LeaseGrantRequest(TTL=600, ID=7)
        await client.call("/etcdserverpb.Lease/LeaseGrant", grant, lease.LeaseGrantResponse)
        for number in range(400):  # enough for branches above the leaves
            await put(client, b"key-%d" % (number % 300), bytes([number % 256]) * (number % 60))
        await put(client, b"large", b"x" * 100_000, 7)
        gone = kv.DeleteRangeRequest(key=b"key-1", range_end=b"key-2")
        await client.call(KV + "DeleteRange", gone, kv.DeleteRangeResponse)
        mark = kv.CompactionRequest(revision=200, physical=True)
        await client.call(KV + "Compact", mark, kv.CompactionResponse)
        await put(client, b"last", b"")
        saved = await Etcdctl(url)("snapshot", "save", file)
        assert saved.code == 0, saved.err
        before = await look(client)
    etcdctl = Etcdctl("http://127.0.0.1:1")
    assert (await etcdctl("snapshot", "status", file)).code == 0
    restored = await etcdctl("snapshot", "restore", file, f"--data-dir={tmp_path / 'real'}")
    assert restored.code == 0, restored.err
    async with real(tmp_path) as url, etcd_client(url) as client:
        assert await look(client) == before
        await put(client, b"and", b"on")
