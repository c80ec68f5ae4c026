"""A store on etcd when members end, restart, are compacted, or want certificates."""

import asyncio
import ssl
from pathlib import Path

import pytest

from appliance.kit.clock import SystemClock
from appliance.kit.pki import Subject, issue, new_ca
from appliance.store import ops
from appliance.store.base import FROM_KEY, Watcher, WatchRequest
from appliance.store.errors import Compacted, Unavailable
from appliance.store.options import StoreOptions
from appliance.store.remote.endpoints import Endpoint, EtcdAddress
from appliance.store.remote.store import EtcdStore
from tests.contract.databases import EtcdMember, etcd, etcd_cluster, free_port

QUICK = StoreOptions(answer_within_s=0.5)
EVERYTHING = WatchRequest(key=FROM_KEY, end=FROM_KEY)


async def open_store(*members: EtcdMember) -> EtcdStore:
    address = EtcdAddress(tuple(member.endpoint for member in members))
    return await EtcdStore.open(address, StoreOptions(answer_within_s=5), SystemClock())


async def revisions(watcher: Watcher, up_to: int) -> list[int]:
    seen: list[int] = []
    async with asyncio.timeout(30):
        while not seen or seen[-1] < up_to:
            seen += [event.kv.mod_revision for event in (await anext(watcher)).events]
    return seen


async def put_when_possible(store: EtcdStore, key: bytes) -> int:
    """As a client that was told Unavailable would: look, try again."""
    async with asyncio.timeout(30):
        while True:
            try:
                return (await ops.put(store, key, b"")).revision
            except Unavailable:
                found = await ops.get(store, key)
                if found is not None:
                    return found.mod_revision


async def test_another_member_is_used_when_one_ends(tmp_path: Path) -> None:
    with etcd_cluster(tmp_path) as members:
        store = await open_store(*members)
        watcher = store.watch(EVERYTHING)
        await ops.put(store, b"a", b"1")
        members[0].kill()  # the first in the list is the one in use
        second = await put_when_possible(store, b"b")
        members[0].start()
        members[1].kill()
        third = await put_when_possible(store, b"c")
        assert await revisions(watcher, third) == [2, second, third]
        assert await store.head() == third
        await store.close()


async def test_a_member_that_is_silent_is_left(tmp_path: Path) -> None:
    """As a host that hangs: it takes connections and answers nothing."""
    with etcd_cluster(tmp_path) as members:
        store = await open_store(*members)
        watcher = store.watch(EVERYTHING)
        await ops.put(store, b"a", b"1")
        members[0].freeze()
        assert await ops.get(store, b"a") is not None, "a read finds another member by itself"
        last = await put_when_possible(store, b"b")
        assert (await revisions(watcher, last))[-1] == last
        await store.close()


async def test_a_watch_goes_on_without_a_gap_after_a_restart(tmp_path: Path) -> None:
    with etcd(tmp_path / "etcd") as member:
        store, other = await open_store(member), await open_store(member)
        watcher = store.watch(EVERYTHING)
        await ops.put(other, b"a", b"1")
        member.kill()
        with pytest.raises(Unavailable):
            async with asyncio.timeout(30):
                await ops.put(store, b"lost", b"1")
        member.start()
        last = 0
        for n in range(5):
            last = await put_when_possible(other, b"k%d" % n)
        assert await revisions(watcher, last) == list(range(2, last + 1))
        await store.close()
        await other.close()


async def test_watchers_are_told_when_history_went_while_nobody_answered(tmp_path: Path) -> None:
    with etcd(tmp_path / "etcd") as member:
        store = await open_store(member)
        watcher = store.watch(EVERYTHING)
        await ops.put(store, b"a", b"1")
        assert await revisions(watcher, 2) == [2]
        store._feed._rpc = Deaf(store._feed._rpc)  # type: ignore[assignment]  # cannot reach it
        channel = await store._endpoints.channel()
        other = await open_store(member)
        channel.abort("cut by the test")
        for _ in range(3):
            await ops.put(other, b"a", b"2")
        await other.compact(5)
        store._feed._rpc.heals.set()  # type: ignore[attr-defined]
        with pytest.raises(Compacted) as caught:
            async with asyncio.timeout(10):
                await anext(watcher)
        assert caught.value.compact_revision == 5
        await ops.put(store, b"a", b"3")
        assert await revisions(store.watch(WatchRequest(key=b"a", start_revision=6)), 6) == [6]
        await store.close()
        await other.close()


class Deaf:
    """A connection whose streams cannot be opened for a while."""

    def __init__(self, rpc: object) -> None:
        self._rpc = rpc
        self.heals = asyncio.Event()

    async def stream(self, path: str) -> object:
        await self.heals.wait()
        return await self._rpc.stream(path)  # type: ignore[attr-defined]

    def leave(self, channel: object) -> None:
        self._rpc.leave(channel)  # type: ignore[attr-defined]


async def test_client_certificates(tmp_path: Path) -> None:
    now = SystemClock().wall()
    ca = new_ca("etcd-ca", now=now)
    subject = Subject(common_name="member", sans=("127.0.0.1",), server=True, client=True)
    server = issue(ca, subject, now=now)
    ours = issue(ca, Subject(common_name="us", client=True), now=now)
    for name, content in {
        "ca.crt": ca.cert_pem,
        "member.crt": server.cert_pem,
        "member.key": server.key_pem,
        "us.crt": ours.cert_pem,
        "us.key": ours.key_pem,
    }.items():
        (tmp_path / name).write_bytes(content)
    flags = ["--client-cert-auth", "--trusted-ca-file", str(tmp_path / "ca.crt")]
    flags += ["--cert-file", str(tmp_path / "member.crt")]
    flags += ["--key-file", str(tmp_path / "member.key")]
    member = EtcdMember(tmp_path / "etcd", *flags, scheme="https")
    member.start()
    try:
        tls = ssl.create_default_context(cafile=str(tmp_path / "ca.crt"))
        tls.set_alpn_protocols(["h2"])
        with pytest.raises(Unavailable):  # no certificate of ours
            await EtcdStore.open(EtcdAddress((member.endpoint,), tls), QUICK, SystemClock())
        tls.load_cert_chain(tmp_path / "us.crt", tmp_path / "us.key")
        store = await EtcdStore.open(
            EtcdAddress((member.endpoint,), tls), StoreOptions(), SystemClock()
        )
        assert (await ops.put(store, b"a", b"1")).revision == 2
        await store.close()
    finally:
        member.kill()


async def test_nobody_there_is_said_so() -> None:
    address = EtcdAddress((Endpoint("127.0.0.1", free_port()),))
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1"):
        await EtcdStore.open(address, QUICK, SystemClock())
