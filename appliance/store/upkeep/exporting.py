"""A process that makes a snapshot of etcd's form out of a store's file, beside its owner.

usage: python -m appliance.store.upkeep.exporting FILE TARGET LAST

Run by `serve.snapshot`, which has had everything up to the revision LAST moved into the file. It
reads in short pages, not in one transaction, so that SQLite's log can be moved meanwhile, and
has what it writes synced as it goes: a disk with a long queue would keep others waiting.
"""

import contextlib
import os
import sqlite3
import sys
from pathlib import Path

from appliance.store.serve.auth.book import BOOK
from appliance.store.serve.snapshot import Snapshot
from appliance.store.sql import tables
from appliance.store.sql.reader import Reader
from appliance.store.sql.tail import Tail

_NICE = 10
_PAGE_ROWS = 100
_SYNC_BYTES = 2 << 20


def export(path: Path, target: Path, last: int) -> None:
    """Write the snapshot of a file as it was at revision `last`."""
    with contextlib.closing(sqlite3.connect(path)) as connection, target.open("r+b") as file:
        connection.execute("PRAGMA query_only = 1")
        reader = Reader(connection, path, Tail())
        compact_revision = max(0, reader.facts().get(tables.COMPACT_WANTED, 0))
        snapshot = Snapshot(file, last, reader.notes(BOOK))
        after, synced = (0, -1), 0
        while (page := reader.rows(after, _PAGE_ROWS)) and snapshot.add(page):
            after = page[-1][:2]
            if file.tell() - synced > _SYNC_BYTES:
                synced = file.tell()
                file.flush()
                os.fdatasync(file.fileno())
        leases = [(lease_id, ttl_s) for lease_id, ttl_s, _ in reader.leases()]
        snapshot.finish(leases, compact_revision)


if __name__ == "__main__":
    os.nice(_NICE)
    export(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
