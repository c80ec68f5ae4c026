"""`etcdctl snapshot save` from ours: a real etcd restores it and has the same history."""

import json
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


async def test_what_etcdctl_says_of_a_snapshot(tmp_path: Path) -> None:
    """Equal data: the same revision and columns; keys but for the member's own two entries."""
    told = []
    async with ours(tmp_path) as our_url, real(tmp_path) as its_url:
        for name, url in (("ours.db", our_url), ("real.db", its_url)):
            async with etcd_client(url) as client:
                for number in range(50):
                    await put(client, b"key-%d" % (number % 30), b"value")
                mark = kv.CompactionRequest(revision=20, physical=True)
                await client.call(KV + "Compact", mark, kv.CompactionResponse)
            file = str(tmp_path / name)
            etcdctl = Etcdctl(url)
            assert (await etcdctl("snapshot", "save", file)).code == 0
            status = json.loads((await etcdctl("snapshot", "status", file, "-w", "json")).out)
            table = (await etcdctl("snapshot", "status", file, "-w", "table")).out
            told.append((status, [cell.strip() for cell in table.splitlines()[1].split("|")]))
    (mine, my_columns), (theirs, its_columns) = told
    assert my_columns == its_columns == ["", "HASH", "REVISION", "TOTAL KEYS", "TOTAL SIZE", ""]
    assert mine.keys() == theirs.keys()
    assert mine["revision"] == theirs["revision"] == 51
    assert theirs["totalKey"] - mine["totalKey"] == 2, "a member and the cluster's version"


async def test_users_and_roles_go_to_a_real_etcd(tmp_path: Path) -> None:
    file = str(tmp_path / "snapshot.db")
    async with ours(tmp_path) as url:
        etcdctl = Etcdctl(url)
        for argv in (
            ("user", "add", "ann:word"),
            ("role", "add", "reader"),
            ("role", "grant-permission", "reader", "read", "a", "b"),
            ("user", "grant-role", "ann", "reader"),
            ("snapshot", "save", file),
        ):
            done = await etcdctl(*argv)
            assert done.code == 0, done.err
    data = f"--data-dir={tmp_path / 'real'}"
    assert (await etcdctl("snapshot", "restore", file, data)).code == 0
    async with real(tmp_path) as url:
        etcdctl = Etcdctl(url)
        assert "Roles: reader" in (await etcdctl("user", "get", "ann")).out
        assert "[a, b)" in (await etcdctl("role", "get", "reader")).out
