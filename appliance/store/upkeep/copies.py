"""Copies of a store's file (`Archive.copy_into` makes them), made fit to be started from.

A store that starts from a copy goes back in time, and its clients must notice: what they have
seen since is no longer true. So a restored file begins `BUMP` revisions above all that were ever
given out, with everything before compacted: every watch from before is refused, every informer
lists anew. etcd does the same with `--bump-revision` and `--mark-compacted`.

Source: etcd documentation, "Disaster recovery" (restoring with revision bump).
"""

import contextlib
import sqlite3
from pathlib import Path

from appliance.store.sql import tables
from appliance.store.sql.tables import SUB_SHIFT

BUMP = 1_000_000_000
"""More than a store writes between a backup and the disaster; etcd's documentation has it, too."""


def make_startable(path: Path, *, to: int, now_ms: int) -> None:
    """Turn a copy into a store as it was at revision `to`, whose clients start anew.

    Leases get their whole time again, from now on.
    """
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as file:
        file.execute("BEGIN")
        facts = dict(file.execute(tables.SELECT_FACTS).fetchall())
        newest = file.execute(tables.SELECT_NEWEST).fetchone()[0] or 1
        given = max(newest, facts.get(tables.COMPACT_WANTED, 0), facts.get(tables.RESERVED, 0))
        file.execute("DELETE FROM history WHERE id >= ?", ((to + 1) << SUB_SHIFT,))
        # What had been taken from clients may be what was there; the next compaction sees to it.
        file.execute("DELETE FROM superseded")
        file.execute("UPDATE lease SET deadline_ms = ? + ttl_s * 1000", (now_ms,))
        file.execute("UPDATE history SET lease = 0 WHERE lease NOT IN (SELECT id FROM lease)")
        file.execute(tables.SET_FACT, (tables.COMPACT_WANTED, given + BUMP))
        file.execute("COMMIT")
