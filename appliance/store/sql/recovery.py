"""Rebuild the memory of a store from its file.

Called once by `SqlStore.open`; reads every row's key (about 2 s for a million revisions), not
the values. The revision to go on from is the greatest of what is on disk: rows, the compaction
mark, and the mark below which revisions may have been used up without a row.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from appliance.kit.clock import Clock
from appliance.store.mvcc.ephemeral import EphemeralKeys
from appliance.store.mvcc.keyindex import revision_of
from appliance.store.mvcc.leasing import LeaseBook, LeaseEntry
from appliance.store.options import StoreOptions
from appliance.store.sql import tables
from appliance.store.sql.engine import Database, damaged
from appliance.store.sql.keyspace import Keyspace
from appliance.store.sql.reader import Reader, Values
from appliance.store.sql.tail import Tail


@dataclass(frozen=True, slots=True)
class Recovered:
    """The state and the marks."""

    keyspace: Keyspace
    compact_done: int
    reserved: int


def recover(database: Database, tail: Tail, options: StoreOptions, clock: Clock) -> Recovered:
    """Read the file."""
    reader = Reader(database.reader, database.path, tail)
    facts = reader.facts()
    book = LeaseBook(options.min_lease_ttl_s)
    ephemeral = EphemeralKeys(options.ephemeral_prefixes, options.ephemeral_history)
    keyspace = Keyspace(reader, Values(options.value_cache_bytes), ephemeral, book)
    history = _History(reader, ephemeral)
    try:
        keyspace.index.load(history.changes())
    except (TypeError, AttributeError) as error:  # a torn row has values of other types
        raise damaged(database.path, f"a row of the history is torn: {error}") from error
    _restore_leases(reader, book, history.attached, clock)
    keyspace.compact_revision = facts.get(tables.COMPACT_WANTED, -1)
    revision = max(1, revision_of(history.newest), keyspace.compact_revision)
    reserved = facts.get(tables.RESERVED, 0)
    if history.stale:
        # Written before these prefixes were made ephemeral.
        database.writer.executemany(tables.DELETE_ROW, history.stale)
    if reserved or history.stale:
        # Some keys ended with the last process. A revision of its own for that: whoever saw the
        # last state and goes on from there is told that it cannot.
        revision = max(revision, reserved) + 1
        ephemeral.lost = revision
    keyspace.revision = revision
    return Recovered(keyspace, facts.get(tables.COMPACT_DONE, -1), reserved)


class _History:
    """One pass over all rows."""

    def __init__(self, reader: Reader, ephemeral: EphemeralKeys) -> None:
        self._reader = reader
        self._ephemeral = ephemeral
        self.newest = 0
        self.attached: dict[bytes, int] = {}
        """The lease of each key that has one, once all rows have gone by."""
        self.stale: list[tuple[int]] = []
        """Rows of keys that should not be on disk."""

    def changes(self) -> Iterator[tuple[bytes, int]]:
        """Keys and positions, oldest first."""
        for row_id, key, deleted, lease in self._reader.index():
            self.newest = row_id << 1 | deleted
            if self._ephemeral.owns(key):
                self.stale.append((row_id,))
                continue
            if lease:
                self.attached[key] = lease
            elif self.attached:
                self.attached.pop(key, None)
            yield key, self.newest


def _restore_leases(
    reader: Reader, book: LeaseBook, attached: dict[bytes, int], clock: Clock
) -> None:
    # Deadlines are kept as wall time and followed on a clock that does not jump.
    ahead = clock.monotonic() - clock.wall()
    for lease_id, ttl_s, deadline_ms in reader.leases():
        book.restore(LeaseEntry(lease_id, ttl_s, deadline_ms / 1000 + ahead))
    for key, lease_id in attached.items():
        book.attach(lease_id, key)
