"""Snapshots as etcd's: the history as a bbolt file that `etcdctl snapshot restore` takes.

Written to a temporary file without a name, then sent in pieces; its checksum is the last one.
Changes that come while it is made have later revisions and are left out. Ephemeral keys have no
rows, so they are not in it.

Making it takes as much work as writing all that there is. So of a store on disk it is made by a
process of its own (`upkeep.exporting`), of low priority: who writes meanwhile hardly feels it.

Source: etcd server/etcdserver/api/v3rpc/maintenance.go, server/storage/schema.
"""

import hashlib
import struct
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import BinaryIO, Protocol, runtime_checkable

import structlog

from appliance.kit import subproc
from appliance.kit.clock import Clock
from appliance.store.base import Store
from appliance.store.errors import LeaseNotFound
from appliance.store.notes import Notes
from appliance.store.serve.auth.book import BOOK
from appliance.store.serve.auth.carrying import to_buckets
from appliance.store.serve.boltfile import BoltFile
from appliance.store.serve.calls import Stream
from appliance.store.serve.hashing import HistoryRow, HistoryRows, stored
from appliance.store.serve.messages.maintenance import SnapshotLease, SnapshotResponse
from appliance.store.serve.status import Refused, Status

log = structlog.get_logger(__name__)

_PAGE_ROWS = 32  # read and written between two yields: a quarter of a MiB if they are large
_PIECE = 32 << 10
_MAKER = "appliance.store.upkeep.exporting"
_MAKING_S = 3600.0
_EMPTY = (b"alarm", b"cluster", b"members", b"members_removed")


@runtime_checkable
class OnDisk(Protocol):
    """A store of one file, which others may read."""

    @property
    def path(self) -> Path:
        """The file."""
        ...

    async def settle(self) -> None:
        """Return when the file has everything."""
        ...


async def send_snapshot(store: Store, rows: HistoryRows, clock: Clock, stream: Stream) -> None:
    """Make a snapshot of now and send it."""
    with tempfile.NamedTemporaryFile() as file:
        if isinstance(store, OnDisk):
            await _have_made(store, store, Path(file.name))
        else:
            await _make(store, rows, clock, file)  # type: ignore[arg-type]  # it is a BinaryIO
        remaining = file.seek(0, 2)
        file.seek(0)
        digest = hashlib.sha256()
        while piece := file.read(_PIECE):
            digest.update(piece)
            remaining -= len(piece)
            await stream.send(SnapshotResponse(remaining_bytes=remaining, blob=piece))
            await clock.sleep(0)
        await stream.send(SnapshotResponse(blob=digest.digest()))


class Snapshot:
    """The file while it is made: first the history, then the rest."""

    def __init__(self, file: BinaryIO, last: int, users: Mapping[str, bytes]) -> None:
        """`users` are the notes of `auth.book`."""
        self._bolt = BoltFile(file)
        self._last = last
        for name in _EMPTY:
            self._bolt.bucket(name).end()
        for name, pairs in to_buckets(users).items():
            bucket = self._bolt.bucket(name)
            for key, value in pairs:
                bucket.add(key, value)
            bucket.end()
        self._history = self._bolt.bucket(b"key")

    def add(self, page: Iterable[HistoryRow]) -> bool:
        """Add changes; False: those that follow are too new."""
        for revision, sub, event in page:
            if revision > self._last:
                return False
            self._history.add(*stored((revision, sub), event))
        return True

    def finish(self, leases: Iterable[tuple[int, int]], compact_revision: int) -> None:
        """Write what is left; leases are ids and their ttl."""
        self._history.end()
        bucket = self._bolt.bucket(b"lease")
        for key, lease_id, ttl_s in sorted((_lease_key(id_), id_, ttl) for id_, ttl in leases):
            bucket.add(key, SnapshotLease(ID=lease_id, TTL=ttl_s).encode())
        bucket.end()
        meta = self._bolt.bucket(b"meta")
        compacted = struct.pack(">QcQ", compact_revision, b"_", 0)
        meta.add(b"consistent_index", struct.pack(">Q", self._last))
        if compact_revision:
            meta.add(b"finishedCompactRev", compacted)
            meta.add(b"scheduledCompactRev", compacted)
        meta.end()
        self._bolt.finish()


async def _have_made(store: Store, disk: OnDisk, target: Path) -> None:
    last = (await store.status()).revision
    await disk.settle()
    argv = [sys.executable, "-m", _MAKER, str(disk.path), str(target), str(last)]
    ended = await subproc.run(argv, timeout_s=_MAKING_S)
    if ended.code:
        log.error("no snapshot could be made", stderr=ended.stderr.decode(errors="replace")[-2000:])
        raise Refused(Status.INTERNAL, "etcdserver: no snapshot could be made")


async def _make(store: Store, rows: HistoryRows, clock: Clock, file: BinaryIO) -> None:
    status = await store.status()
    users = await store.notes(BOOK) if isinstance(store, Notes) else {}
    snapshot = Snapshot(file, status.revision, users)
    after = (0, -1)
    while (page := await rows.history_rows(after, _PAGE_ROWS)) and snapshot.add(page):
        after = page[-1][:2]
        await clock.sleep(0)
    leases: list[tuple[int, int]] = []
    for lease_id in await store.lease_list():
        try:
            lease = await store.lease_info(lease_id)
        except LeaseNotFound:  # it ended meanwhile
            continue
        leases.append((lease.id, lease.ttl_s))
    snapshot.finish(leases, status.compact_revision)


def _lease_key(lease_id: int) -> bytes:
    return struct.pack(">q", lease_id)
