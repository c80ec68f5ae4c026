"""Read rows by position or by window of revisions.

Runs on the event loop, between two awaits: what the index said a moment ago is still true, so
no read needs a transaction that lasts. A row by its rowid takes about 5 us; windows are bounded
by their caller. The newest rows may still be in the `Tail`, and come from there. What is read often
is in `Values`.
"""

import sqlite3
from collections import OrderedDict
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

from appliance.store.base import FROM_KEY, NO_END, Event, EventKind, KeyValue
from appliance.store.errors import Unusable
from appliance.store.mvcc.keyindex import MAX_SUBS, position
from appliance.store.mvcc.ranges import covers
from appliance.store.sql import tables
from appliance.store.sql.engine import unusable
from appliance.store.sql.rows import Row as Written
from appliance.store.sql.tail import Tail

_PAGE_BYTES = 4 << 20  # values in one page of history; the loop waits while they are read
_NO_END_ID = 1 << 62

Row = tuple[int, bytes, bytes, int, int, int, int]


class Reader:
    """Rows of the history table."""

    def __init__(self, connection: sqlite3.Connection, path: Path, tail: Tail) -> None:
        self.connection = connection
        self._path = path
        self._tail = tail

    def facts(self) -> dict[str, int]:
        """The small facts."""
        return dict(self.connection.execute(tables.SELECT_FACTS).fetchall())

    def index(self) -> Iterable[tuple[int, bytes, int, int]]:
        """(id, key, deleted, lease) of all rows, oldest first."""
        newer = ((row[0], row[1], row[5], row[4]) for row in self._tail.between(0, _NO_END_ID))
        return chain(self.connection.execute(tables.SELECT_INDEX), newer)

    def leases(self) -> list[tuple[int, int, int]]:
        """(id, ttl_s, deadline_ms) of all leases."""
        return self.connection.execute(tables.SELECT_LEASES).fetchall()

    def notes(self, book: str) -> dict[str, bytes]:
        """The notes of a book."""
        return dict(self.connection.execute(tables.SELECT_NOTES, (book,)).fetchall())

    def retired(self) -> list[tuple[int, int, int]]:
        """(compaction, wall_ms, size_bytes) of the rows that clients cannot read any more."""
        return self.connection.execute(tables.SELECT_RETIRED).fetchall()

    def retired_rows(self, by: int) -> list[int]:
        """Ids of the rows that one compaction took from clients."""
        found = self.connection.execute(tables.SELECT_RETIRED_ROWS, (by,))
        return [row for (row,) in found]

    def value(self, at: int) -> KeyValue:
        """The value at a position that the index knows.

        Raises:
            Unusable: it cannot be read.
        """
        newer = self._tail.get(at >> 1)
        if newer is not None:
            return _change(_as_read(newer))[1].kv
        try:
            row: Row | None = self.connection.execute(tables.SELECT_ROW, (at >> 1,)).fetchone()
        except sqlite3.Error as error:
            raise unusable(self._path, error) from error
        if row is None:
            raise Unusable(f"{self._path}: row {at >> 1} of the history is missing")
        return _change(row)[1].kv

    def rows(self, after: tuple[int, int], limit: int) -> list[tuple[int, int, Event]]:
        """(revision, sub, change) behind the place `after`, oldest first."""
        first = position(*after) + 2 >> 1
        window = (first, self._tail.first(_NO_END_ID))
        cursor = self.connection.execute(tables.SELECT_WINDOW, window)
        try:
            changes = [_change(row) for row in cursor.fetchmany(limit)]
        finally:
            cursor.close()  # else its read would go on, and the log could not be moved
        if len(changes) < limit:
            newer = self._tail.between(first, _NO_END_ID)[: limit - len(changes)]
            changes += [_change(_as_read(row)) for row in newer]
        return [(c.kv.mod_revision, (at >> 1) & (MAX_SUBS - 1), c) for at, c in changes]

    def events(
        self, key: bytes, end: bytes, first: int, last: int
    ) -> tuple[list[tuple[int, Event]], int]:
        """Changes of the range in order, with their positions, and the revision they go up to.

        That is `last`, or less if their values are large: whole revisions in any case.

        Raises:
            Unusable: they cannot be read.
        """
        first_id, end_id = position(first) >> 1, position(last + 1) >> 1
        newer = [
            _change(_as_read(row))
            for row in self._tail.between(first_id, end_id)
            if covers(key, end, row[1])
        ]
        window = (first_id, min(end_id, self._tail.first(end_id)))
        bounds: tuple[int | bytes, ...] = (*window, key)
        if end == NO_END:
            text = tables.SELECT_WINDOW_KEY
        elif end == FROM_KEY:
            text = tables.SELECT_WINDOW_FROM
        else:
            text, bounds = tables.SELECT_WINDOW_RANGE, (*window, key, end)
        try:
            older = map(_change, self.connection.execute(text, bounds))
            return _bounded(chain(older, newer), last)
        except sqlite3.Error as error:
            raise unusable(self._path, error) from error


def _as_read(row: Written) -> Row:
    """A row as it was written, in the order in which rows are read."""
    row_id, key, create_revision, version, lease, deleted, _, _, value = row
    return row_id, key, value, create_revision, version, lease, deleted


def _bounded(
    changes: Iterable[tuple[int, Event]], last: int
) -> tuple[list[tuple[int, Event]], int]:
    """As many whole revisions as fit a page."""
    page: list[tuple[int, Event]] = []
    size_bytes = 0
    for at, change in changes:
        if size_bytes > _PAGE_BYTES and change.kv.mod_revision > page[-1][1].kv.mod_revision:
            return page, page[-1][1].kv.mod_revision
        page.append((at, change))
        size_bytes += len(change.kv.value)
    return page, last


def _change(row: Row) -> tuple[int, Event]:
    row_id, key, value, create_revision, version, lease, deleted = row
    kv = KeyValue(key, value, create_revision, row_id >> tables.SUB_SHIFT, version, lease)
    kind = EventKind.DELETE if deleted else EventKind.PUT
    return row_id << 1 | deleted, Event(kind, kv)


class Values:
    """Values by position, the least used dropped first, bounded in bytes."""

    def __init__(self, bound_bytes: int) -> None:
        self._bound_bytes = bound_bytes
        self._values: OrderedDict[int, KeyValue] = OrderedDict()
        self._bytes = 0

    def get(self, at: int) -> KeyValue | None:
        """The value, if it is here."""
        kv = self._values.get(at)
        if kv is not None:
            self._values.move_to_end(at)
        return kv

    def put(self, at: int, kv: KeyValue) -> None:
        """Keep a value."""
        if at not in self._values:
            self._bytes += _cost(kv)
        self._values[at] = kv
        while self._bytes > self._bound_bytes:
            _, dropped = self._values.popitem(last=False)
            self._bytes -= _cost(dropped)

    def drop(self, at: int) -> None:
        """Forget a value that is no longer current."""
        kv = self._values.pop(at, None)
        if kv is not None:
            self._bytes -= _cost(kv)


def _cost(kv: KeyValue) -> int:
    return len(kv.key) + len(kv.value) + 300  # bytes; objects and table entries around them
