"""Rows that are durable in the redo log and not yet in the database, oldest first.

`Writer` adds to it and moves it into the database, on the event loop; `Reader` looks here for what
it does not find there. Bounded by the log; without a log it is always empty.
"""

from collections.abc import Sequence
from typing import NamedTuple

from appliance.store.sql import tables
from appliance.store.sql.redo import Mark, RedoLog
from appliance.store.sql.rows import Row, Statement


class Moving(NamedTuple):
    """What a transaction takes along into the database."""

    rows: list[Row]
    statements: list[Statement]
    mark: Mark
    size_bytes: int


class Tail:
    """The newest rows of all."""

    def __init__(
        self, redo: RedoLog | None = None, rows: Sequence[Row] = (), *, number: int = 0
    ) -> None:
        """Without a log, `rows` are what one holds up to `number`, for which there was no room."""
        self.redo = redo
        self._rows = {row[0]: row for row in rows}
        self._number = number
        self._noted = redo.number if redo else 0

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def used_bytes(self) -> int:
        """Of the log."""
        return self.redo.used_bytes if self.redo else 0

    @property
    def is_much(self) -> bool:
        """Whether it is time to move it."""
        return self.redo is not None and self.redo.used_bytes >= self.redo.size_bytes // 4

    def append(self, record: bytes) -> None:
        """Log a record, on any thread.

        Raises:
            OSError: as `RedoLog.append`.
        """
        assert self.redo is not None  # noqa: S101 - who has a record has a log
        self.redo.append(record)

    def skip(self) -> None:
        """The record was not logged, and must never count."""
        assert self.redo is not None  # noqa: S101 - as above
        self.redo.skip()

    def add(self, rows: Sequence[Row], record: bytes) -> None:
        """Take rows that have just been logged."""
        if self.redo:
            self.redo.advance(record)
        for row in rows:
            self._rows[row[0]] = row

    def moving(self) -> Moving:
        """What the next transaction of the database has to begin with."""
        mark = self.redo.mark if self.redo else Mark(self._number, 0)
        statements: list[Statement] = []
        if mark.number != self._noted:
            statements.append((tables.SET_FACT, [(tables.REDONE, mark.number)]))
        return Moving(list(self._rows.values()), statements, mark, self.used_bytes)

    def moved(self, moving: Moving) -> None:
        """That transaction is durable."""
        for row in moving.rows:
            del self._rows[row[0]]
        self._noted = moving.mark.number
        if self.redo:
            self.redo.release(moving.mark)

    def close(self) -> None:
        """Close the log."""
        if self.redo:
            self.redo.close()

    def get(self, row_id: int) -> Row | None:
        """A row by its id."""
        return self._rows.get(row_id)

    def first(self, none: int) -> int:
        """The first row's id: all with lesser ids are in the database."""
        return next(iter(self._rows), none)

    def between(self, first: int, end: int) -> list[Row]:
        """Rows with ids in [first, end)."""
        if not self._rows or next(reversed(self._rows)) < first:
            return []
        return [row for row_id, row in self._rows.items() if first <= row_id < end]
