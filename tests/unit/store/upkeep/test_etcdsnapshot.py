"""Snapshots in etcd's form: what we write we read again, damage is told."""

import asyncio
import hashlib
from pathlib import Path

import pytest

from appliance.kit.clock import FakeClock, SystemClock
from appliance.store import ops
from appliance.store.base import Range
from appliance.store.options import StoreOptions
from appliance.store.serve.auth.book import AuthBook, AuthState
from appliance.store.serve.messages.auth import Permission, User
from appliance.store.serve.snapshot import send_snapshot
from appliance.store.sql.store import SqlStore
from appliance.store.upkeep.boltread import BrokenSnapshot
from appliance.store.upkeep.etcdsnapshot import import_snapshot, is_snapshot


class Pieces:
    """Takes what a snapshot is sent in."""

    def __init__(self) -> None:
        self.data = b""

    async def send(self, message: object) -> None:
        self.data += message.blob  # type: ignore[attr-defined]


async def snapshot_of(store: SqlStore, path: Path) -> Path:
    pieces = Pieces()
    await send_snapshot(store, store, SystemClock(), pieces)  # type: ignore[arg-type]
    _ = await asyncio.to_thread(path.write_bytes, pieces.data)
    return path


async def test_there_and_back(
    store: SqlStore, clock: FakeClock, options: StoreOptions, tmp_path: Path
) -> None:
    await store.lease_grant(100, 7)
    for number in range(300):
        await ops.put(store, b"k%03d" % number, b"v" * number * 20)
    await ops.put(store, b"k000", b"again", lease=7)
    await ops.delete(store, b"k001")
    snapshot = await snapshot_of(store, tmp_path / "snapshot.db")
    assert is_snapshot(snapshot)
    target = tmp_path / "imported" / "state.db"
    now_ms = int(clock.wall() * 1000)
    assert import_snapshot(snapshot, target, now_ms=now_ms) == await store.head()
    imported = await SqlStore.open(target, options, clock)
    for revision in (0, 150):
        everything = Range(key=b"\0", end=b"\0", revision=revision)
        assert await imported.range(everything) == await store.range(everything)
    assert (await imported.lease_info(7)).keys == (b"k000",)
    await imported.close()


async def test_damage_is_told(store: SqlStore, tmp_path: Path) -> None:
    for number in range(100):
        await ops.put(store, b"k%03d" % number, b"v" * 100)
    data = (await snapshot_of(store, tmp_path / "snapshot.db")).read_bytes()
    broken = tmp_path / "broken.db"
    for place in range(0, len(data), 1 << 12):
        changed = bytearray(data)
        changed[place] ^= 0xFF
        broken.write_bytes(changed)
        with pytest.raises(BrokenSnapshot, match="checksum"):
            import_snapshot(broken, tmp_path / f"{place}" / "state.db", now_ms=0)
    broken.write_bytes(b"\0" * 8192)
    assert not is_snapshot(broken)
    with pytest.raises(BrokenSnapshot, match="no snapshot"):
        import_snapshot(broken, tmp_path / "none" / "state.db", now_ms=0)


async def test_no_page_leads_out_of_the_file(store: SqlStore, tmp_path: Path) -> None:
    """Damage with a right checksum: refused, or read as something else, but never a crash."""
    for number in range(40):
        await ops.put(store, b"k%03d" % number, b"v" * 300)
    whole = (await snapshot_of(store, tmp_path / "snapshot.db")).read_bytes()[:-32]
    broken = tmp_path / "broken.db"
    for place in range(8192, len(whole), 509):
        changed = bytearray(whole)
        changed[place : place + 4] = b"\xff\xff\xff\x7f"
        broken.write_bytes(bytes(changed) + hashlib.sha256(changed).digest())
        try:
            import_snapshot(broken, tmp_path / f"{place}" / "state.db", now_ms=0)
        except BrokenSnapshot:
            continue


@pytest.mark.parametrize("auth", [True, False])
async def test_users_come_along_unless_they_are_left_out(
    store: SqlStore, clock: FakeClock, options: StoreOptions, tmp_path: Path, auth: bool
) -> None:
    book = AuthBook(store)
    for name in ("root", "ann"):
        await book.add_user(User(name=name.encode(), password=b"$2a$10$hash"))
    await book.add_role("root")
    await book.add_role("reader")
    await book.grant("reader", Permission(key=b"a", range_end=b"b"))
    await book.grant_role("root", "root")
    await book.grant_role("ann", "reader")
    await book.enable()
    snapshot = await snapshot_of(store, tmp_path / "snapshot.db")
    target = tmp_path / "imported" / "state.db"
    import_snapshot(snapshot, target, now_ms=int(clock.wall() * 1000), auth=auth)
    imported = await SqlStore.open(target, options, clock)
    found = AuthBook(imported)
    await found.load()
    assert found.state == (book.state if auth else AuthState())
    await imported.close()
