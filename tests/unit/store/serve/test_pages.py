"""Probes and metrics, as their readers want them."""

import re
from pathlib import Path

import pytest

from appliance.kit.clock import FakeClock
from appliance.kit.tasks import Tasks
from appliance.store import ops
from appliance.store.base import Store
from appliance.store.memory import MemoryStore
from appliance.store.options import StoreOptions
from appliance.store.serve.alarms import CORRUPT, NOSPACE, Alarms
from appliance.store.serve.auth.guard import Guard
from appliance.store.serve.calls import Methods
from appliance.store.serve.grpc import GrpcOptions
from appliance.store.serve.health import Pages
from appliance.store.serve.http1 import HttpRequest
from appliance.store.serve.messages import kv, watch
from appliance.store.serve.parts import Parts
from appliance.store.serve.quota import Quota
from appliance.store.serve.server import all_methods
from appliance.store.serve.tally import Tallies
from appliance.store.sql.store import SqlStore
from tests.unit.store.serve.conftest import ME, Client


class Site:
    def __init__(self, store: Store) -> None:
        self.alarms = Alarms(store)
        self.tallies = Tallies()
        self._pages = Pages(store, ME, Quota(store, self.alarms, ME.member_id), self.tallies)

    async def get(self, path: str, **query: str) -> tuple[int, str]:
        fields = {name: [value] for name, value in query.items()}
        request = HttpRequest("GET", path, fields, {}, b"", keep_alive=True)
        response = await self._pages.answer(request)
        return response.status, response.body.decode()


@pytest.fixture
def site(store: MemoryStore) -> Site:
    return Site(store)


async def test_probes_say_ok_and_more_if_asked(site: Site) -> None:
    assert await site.get("/livez") == (200, "ok\n")
    assert await site.get("/livez", verbose="") == (200, "[+]serializable_read ok\nok\n")
    assert await site.get("/livez/serializable_read") == (200, "ok\n")
    _, told = await site.get("/readyz", verbose="", exclude="non_learner")
    assert told.splitlines() == [
        "[+]data_corruption ok",
        "[+]linearizable_read ok",
        "[+]serializable_read ok",
        "ok",
    ]
    assert (await site.get("/readyz/nothing"))[0] == 404


async def test_corrupt_data_are_alive_but_not_ready(site: Site) -> None:
    await site.alarms.raise_(ME.member_id, CORRUPT)
    assert (await site.get("/livez"))[0] == 200
    status, told = await site.get("/readyz")
    assert status == 503
    assert "[-]data_corruption failed: alarm activated: CORRUPT\n" in told
    assert "[+]linearizable_read ok\n" in told
    assert (await site.get("/readyz", exclude="data_corruption"))[0] == 200
    assert (await site.get("/readyz/linearizable_read"))[0] == 200


async def test_a_full_store_is_ready_but_not_healthy(site: Site) -> None:
    await site.alarms.raise_(ME.member_id, NOSPACE)
    assert (await site.get("/readyz"))[0] == 200
    assert await site.get("/health") == (503, '{"health":"false","reason":"ALARM NOSPACE"}')
    assert (await site.get("/health", exclude="NOSPACE"))[0] == 200


async def test_a_closed_store_is_neither(site: Site, store: MemoryStore) -> None:
    await store.close()
    for probe in ("/livez", "/readyz", "/readyz/serializable_read"):
        assert (await site.get(probe))[0] == 503


async def test_calls_are_counted_by_how_they_end(
    site: Site, methods: Methods, clock: FakeClock
) -> None:
    async with Tasks("test", clock) as tasks:
        client = Client(GrpcOptions(methods, tasks, site.tallies))
        for _ in range(2):
            await client.call(
                "/etcdserverpb.KV/Put", kv.PutRequest(key=b"a", value=b"1"), kv.PutResponse
            )
        await client.refused("/etcdserverpb.KV/Put", kv.PutRequest())
        client.begin("/etcdserverpb.Watch/Watch")
    _, text = await site.get("/metrics")
    of_put = 'grpc_method="Put",grpc_service="etcdserverpb.KV",grpc_type="unary"'
    assert f"grpc_server_started_total{{{of_put}}} 3\n" in text
    assert f'grpc_server_handled_total{{grpc_code="OK",{of_put}}} 2\n' in text
    assert f'grpc_server_handled_total{{grpc_code="InvalidArgument",{of_put}}} 1\n' in text
    assert "etcd_mvcc_put_total 2\n" in text
    assert "etcd_debugging_mvcc_keys_total 1\n" in text
    assert 'grpc_type="bidi_stream"} 1\n' in text
    assert f"grpc_server_msg_received_total{{{of_put}}} 3\n" in text
    assert f"grpc_server_msg_sent_total{{{of_put}}} 2\n" in text
    assert not re.search(r"_bytes_total 0$", text, re.MULTILINE)
    assert int(re.findall(r"process_resident_memory_bytes (\d+)", text)[0]) > 1_000_000
    assert all(re.fullmatch(r"(# .*|\w+(\{.*\})? [\d.e+]+)", line) for line in text.splitlines())


async def test_watches_and_their_events_are_counted(
    store: MemoryStore, guard: Guard, clock: FakeClock
) -> None:
    quota = Quota(store, Alarms(store), ME.member_id)
    parts = Parts(store, ME, quota, guard, clock)
    pages = Pages(store, ME, quota, parts.tallies)

    async def counted() -> list[int]:
        request = HttpRequest("GET", "/metrics", {}, {}, b"", keep_alive=True)
        text = (await pages.answer(request)).body.decode()
        names = ("watch_stream", "watcher", "events")
        found = [re.findall(rf"etcd_debugging_mvcc_{name}_total (\d+)", text) for name in names]
        return [int(number) for (number,) in found]

    async with Tasks("test", clock) as tasks:
        client = Client(GrpcOptions(all_methods(parts), tasks, parts.tallies))
        stream_id = client.begin("/etcdserverpb.Watch/Watch")
        create = watch.WatchCreateRequest(key=b"a")
        for _ in range(2):
            client.send(stream_id, watch.WatchRequest(create_request=create))
        await client.settle()
        await ops.put(store, b"a", b"")
        await client.settle()
        assert await counted() == [1, 2, 2]
        cancel = watch.WatchCancelRequest(watch_id=1)
        client.send(stream_id, watch.WatchRequest(cancel_request=cancel))
        await client.settle()
        assert await counted() == [1, 1, 2]
        client.server.connection_lost(None)
        await client.settle()
        assert await counted() == [0, 0, 2]


async def test_health_and_commits_are_counted(tmp_path: Path) -> None:
    store = await SqlStore.open(tmp_path / "state.db", StoreOptions(), FakeClock())
    site = Site(store)
    await ops.put(store, b"a", b"")
    await site.get("/health")
    await site.alarms.raise_(ME.member_id, NOSPACE)
    for _ in range(2):
        await site.get("/health")
    _, text = await site.get("/metrics")
    assert "etcd_server_health_success 1\n" in text
    assert "etcd_server_health_failures 2\n" in text
    made = int(re.findall(r"etcd_disk_wal_fsync_duration_seconds_count (\d+)", text)[0])
    assert made >= 2
    assert f'etcd_disk_wal_fsync_duration_seconds_bucket{{le="+Inf"}} {made}\n' in text
    await store.close()
