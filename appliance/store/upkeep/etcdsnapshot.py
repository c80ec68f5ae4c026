"""A snapshot of etcd becomes a store's file: `etcdctl snapshot save` there, restore here.

Revisions, versions, leases and history are taken over; times and authors were not kept by etcd,
so every change bears the time of the import. Users and roles come along, and that calls are
checked; their passwords can't be checked here (`serve.auth.carrying`). Alarms are left behind.

Source: etcd server/storage/mvcc (keys of the bucket `key`), server/storage/schema.
"""

import contextlib
import hashlib
import sqlite3
import struct
from collections.abc import Iterator
from pathlib import Path

from appliance.store.serve.auth.book import BOOK
from appliance.store.serve.auth.carrying import AUTH, ROLES, USERS, to_notes
from appliance.store.serve.messages.kv import KeyValue
from appliance.store.serve.messages.maintenance import SnapshotLease
from appliance.store.serve.wire import WireError
from appliance.store.sql import tables
from appliance.store.sql.engine import Database
from appliance.store.sql.tables import SUB_SHIFT
from appliance.store.upkeep.boltread import BoltReader, BrokenSnapshot

_REVISION = struct.Struct(">QcQ")
_NONSENSE = (WireError, struct.error, sqlite3.DatabaseError, OverflowError, UnicodeError)
_SUM_BYTES = 32
_SECTOR = 512
AUTHOR = "etcd"


def is_snapshot(path: Path) -> bool:
    """Whether the file looks like one: bbolt's magic number stands in its first page."""
    with path.open("rb") as file:
        return file.read(20)[16:] == struct.pack("<I", 0xED0CDAED)


def import_snapshot(snapshot: Path, target: Path, *, now_ms: int, auth: bool = True) -> int:
    """Write the snapshot's history into a new store, with its users if `auth`.

    Returns its newest revision.

    Raises:
        BrokenSnapshot: the file is damaged; nothing usable has been written.
    """
    _check_sum(snapshot)
    bolt = BoltReader(snapshot)
    with contextlib.closing(Database(target)) as database:
        try:
            return _fill(database.writer, bolt, now_ms, auth=auth)
        except _NONSENSE as error:
            raise BrokenSnapshot(f"{snapshot}: something in it makes no sense ({error})") from error


def _fill(writer: sqlite3.Connection, bolt: BoltReader, now_ms: int, *, auth: bool) -> int:
    """Write all in one transaction; closed before its end, the file stays empty."""
    writer.execute("BEGIN")
    writer.executemany(tables.INSERT_ROW, _rows(bolt, now_ms))
    writer.executemany(tables.SET_LEASE, _leases(bolt, now_ms))
    for key, value in bolt.bucket(b"meta"):
        if key == b"finishedCompactRev":
            done = _REVISION.unpack(value)[0]
            for name in (tables.COMPACT_WANTED, tables.COMPACT_DONE):
                writer.execute(tables.SET_FACT, (name, done))
    if auth:
        kept = [list(bolt.bucket(name)) for name in (AUTH, ROLES, USERS)]
        notes = to_notes(dict(kept[0]), *kept[1:])
        writer.executemany(tables.SET_NOTE, [(BOOK, name, data) for name, data in notes])
    writer.execute("COMMIT")
    newest = writer.execute(tables.SELECT_NEWEST).fetchone()[0]
    return int(newest or 0)


def _check_sum(snapshot: Path) -> None:
    """`etcdctl snapshot save` puts a SHA-256 behind the database; a copied file has none."""
    data = snapshot.read_bytes()
    if len(data) % _SECTOR != _SUM_BYTES:
        return
    if hashlib.sha256(data[:-_SUM_BYTES]).digest() != data[-_SUM_BYTES:]:
        raise BrokenSnapshot(f"{snapshot}: its checksum is wrong; it was cut or changed on its way")


def _rows(bolt: BoltReader, now_ms: int) -> Iterator[tuple[int | bytes | str, ...]]:
    for name, value in bolt.bucket(b"key"):
        revision, _, sub = _REVISION.unpack_from(name)
        deleted = name[_REVISION.size :] == b"t"
        kv = KeyValue.decode(value)
        yield (
            revision << SUB_SHIFT | sub,
            kv.key,
            0 if deleted else kv.create_revision,
            0 if deleted else kv.version,
            kv.lease,
            int(deleted),
            now_ms,
            AUTHOR,
            kv.value,
        )


def _leases(bolt: BoltReader, now_ms: int) -> Iterator[tuple[int, int, int]]:
    for _, value in bolt.bucket(b"lease"):
        lease = SnapshotLease.decode(value)
        yield lease.ID, lease.TTL, now_ms + lease.TTL * 1000
