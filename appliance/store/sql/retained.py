"""History that clients cannot read any more, kept in the file for people.

Clients compact what their watches need no more, often after minutes; people ask "what was it
yesterday?". So a compaction marks rows (`tables.superseded`) before they are deleted, and they go
when they are older than `retain_s` or more than `retain_bytes`, a whole compaction at a time.
Each state from the mark `tables.RETAINED_FROM` on can be made out of the rows.

Called by `Compactor` only, so it works when there are writes and never by a clock. Memory: one
entry for each compaction kept.
"""

import sqlite3
from collections.abc import Awaitable, Callable

from appliance.kit.clock import Clock
from appliance.store.options import StoreOptions
from appliance.store.sql import tables
from appliance.store.sql.reader import Reader
from appliance.store.sql.rows import Statement

NOT_RETAINED = -1
"""Value of `tables.RETAINED_FROM` in a file whose compactions delete at once."""

Write = Callable[[list[Statement]], Awaitable[None]]


class Retained:
    """Decides what becomes of rows that a compaction has dropped from the index."""

    def __init__(self, reader: Reader, options: StoreOptions, clock: Clock) -> None:
        self._reader = reader
        self._options = options
        self._clock = clock

    def begin(self, connection: sqlite3.Connection) -> None:
        """Note from where on rows are kept; called once, before anything is compacted."""
        facts = self._reader.facts()
        known = facts.get(tables.RETAINED_FROM, NOT_RETAINED)
        if self._options.retain_s and known == NOT_RETAINED:
            done = max(0, facts.get(tables.COMPACT_DONE, 0))
            connection.execute(tables.SET_FACT, (tables.RETAINED_FROM, done))
        elif not self._options.retain_s and known != NOT_RETAINED:
            connection.execute(tables.SET_FACT, (tables.RETAINED_FROM, NOT_RETAINED))

    def retire(self, rows: list[int], by: int) -> Statement:
        """What to write about rows that the compaction at `by` has dropped."""
        if not self._options.retain_s:
            return tables.DELETE_ROW, [(row,) for row in rows]
        now_ms = self._now_ms()
        return tables.SUPERSEDE, [(by, now_ms, row) for row in rows]

    async def trim(self, write: Write) -> None:
        """Delete what has been kept long enough, in short steps."""
        for by in self._stale():
            rows = self._reader.retired_rows(by)
            if self._options.retain_s:
                await write([(tables.SET_FACT, [(tables.RETAINED_FROM, by)])])
            for at in range(0, len(rows), self._options.compact_step):
                step = [(row,) for row in rows[at : at + self._options.compact_step]]
                await write([(tables.DELETE_ROW, step), (tables.DELETE_SUPERSEDED, step)])

    def _stale(self) -> list[int]:
        """Compactions whose rows go, the oldest first."""
        groups = self._reader.retired()
        oldest_ms = self._now_ms() - int(self._options.retain_s * 1000)
        left_bytes = sum(size_bytes for _, _, size_bytes in groups)
        stale: list[int] = []
        for by, wall_ms, size_bytes in groups:
            if wall_ms > oldest_ms and left_bytes <= self._options.retain_bytes:
                break
            stale.append(by)
            left_bytes -= size_bytes
        return stale

    def _now_ms(self) -> int:
        return int(self._clock.wall() * 1000)
