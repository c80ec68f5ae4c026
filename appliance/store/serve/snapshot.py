"""Snapshots as etcd's: the history as a bbolt file that `etcdctl snapshot restore` takes.

Written to a temporary file without a name, then sent in pieces; its checksum is the last one.
Changes that come while it is made have later revisions and are left out. Ephemeral keys have no
rows, so they are not in it.

Source: etcd server/etcdserver/api/v3rpc/maintenance.go, server/storage/schema.
"""

import hashlib
import struct
import tempfile
from typing import BinaryIO

from appliance.kit.clock import Clock
from appliance.store.base import Store
from appliance.store.errors import LeaseNotFound
from appliance.store.notes import Notes
from appliance.store.serve.auth.book import BOOK
from appliance.store.serve.auth.carrying import to_buckets
from appliance.store.serve.boltfile import BoltFile
from appliance.store.serve.calls import Stream
from appliance.store.serve.hashing import HistoryRows, stored
from appliance.store.serve.messages.maintenance import SnapshotLease, SnapshotResponse

_PIECE = 32 << 10
_PAGE_ROWS = 32  # read and written between two yields: a quarter of a MiB if they are large
_EMPTY = (b"alarm", b"cluster", b"members", b"members_removed")


async def send_snapshot(store: Store, rows: HistoryRows, clock: Clock, stream: Stream) -> None:
    """Make a snapshot of now and send it."""
    with tempfile.TemporaryFile() as file:
        await _write(store, rows, clock, file)
        remaining = file.tell()
        file.seek(0)
        digest = hashlib.sha256()
        while piece := file.read(_PIECE):
            digest.update(piece)
            remaining -= len(piece)
            await stream.send(SnapshotResponse(remaining_bytes=remaining, blob=piece))
        await stream.send(SnapshotResponse(blob=digest.digest()))


async def _write(store: Store, rows: HistoryRows, clock: Clock, file: BinaryIO) -> None:
    status = await store.status()
    bolt = BoltFile(file)
    for name in _EMPTY:
        bolt.bucket(name).end()
    notes = await store.notes(BOOK) if isinstance(store, Notes) else {}
    for name, pairs in to_buckets(notes).items():
        bucket = bolt.bucket(name)
        for key, value in pairs:
            bucket.add(key, value)
        bucket.end()
    await _write_history(bolt, rows, clock, status.revision)
    bucket = bolt.bucket(b"lease")
    for lease_id in sorted(await store.lease_list(), key=_lease_key):
        try:
            lease = await store.lease_info(lease_id)
        except LeaseNotFound:  # it ended meanwhile
            continue
        value = SnapshotLease(ID=lease.id, TTL=lease.ttl_s).encode()
        bucket.add(_lease_key(lease_id), value)
    bucket.end()
    meta = bolt.bucket(b"meta")
    compacted = struct.pack(">QcQ", status.compact_revision, b"_", 0)
    meta.add(b"consistent_index", struct.pack(">Q", status.revision))
    if status.compact_revision:
        meta.add(b"finishedCompactRev", compacted)
        meta.add(b"scheduledCompactRev", compacted)
    meta.end()
    bolt.finish()


async def _write_history(bolt: BoltFile, rows: HistoryRows, clock: Clock, last: int) -> None:
    bucket = bolt.bucket(b"key")
    after = (0, -1)
    while page := await rows.history_rows(after, _PAGE_ROWS):
        for revision, sub, event in page:
            after = (revision, sub)
            if revision > last:
                break
            bucket.add(*stored(after, event))
        if after[0] > last:
            break
        await clock.sleep(0)
    bucket.end()


def _lease_key(lease_id: int) -> bytes:
    return struct.pack(">q", lease_id)
