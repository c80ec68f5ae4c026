"""History that clients cannot read any more, kept in the database for people.

As `sql.retained` does it for a file, with the same table and mark: a compaction sets rows aside,
and they are deleted when they are older than `retain_s` or more than `retain_bytes`, a whole
compaction at a time. Called by the `Sweeper` of the master that compacted, on its connection.
"""

from appliance.store.options import StoreOptions
from appliance.store.sql import tables
from appliance.store.sql.postgres import statements
from appliance.store.sql.postgres.database import Connection
from appliance.store.sql.retained import NOT_RETAINED

_ROWS_AT_ONCE = 1_000


class Retained:
    """What becomes of rows that a compaction has dropped."""

    def __init__(self, options: StoreOptions) -> None:
        self._options = options

    async def begin(self, connection: Connection) -> None:
        """Note from where on rows are kept; called at the start of each master."""
        async with connection.transaction():
            await connection.execute(f"SELECT {statements.LOCK}")
            known = await _fact(connection, tables.RETAINED_FROM, NOT_RETAINED)
            done = max(0, await _fact(connection, tables.COMPACT_DONE, 0))
            if self._options.retain_s and known == NOT_RETAINED:
                await connection.execute(statements.SET_FACT, (tables.RETAINED_FROM, done))
            elif not self._options.retain_s and known != NOT_RETAINED:
                mark = (tables.RETAINED_FROM, NOT_RETAINED)
                await connection.execute(statements.SET_FACT, mark)

    async def retire(self, connection: Connection, rows: list[int], by: int) -> None:
        """Set rows aside that the compaction at `by` has dropped, or delete them."""
        for at in range(0, len(rows), _ROWS_AT_ONCE):
            some = rows[at : at + _ROWS_AT_ONCE]
            if self._options.retain_s:
                await connection.execute(statements.SUPERSEDE_ROWS, (by, some))
            else:
                await connection.execute(statements.DELETE_ROWS, (some,))

    async def trim(self, connection: Connection) -> None:
        """Delete what has been kept long enough, in short steps."""
        found = await connection.execute(statements.SELECT_RETIRED)
        groups = await found.fetchall()
        left_bytes = sum(size_bytes for _, _, size_bytes in groups)
        for by, age_s, size_bytes in groups:
            if age_s < self._options.retain_s and left_bytes <= self._options.retain_bytes:
                return
            left_bytes -= size_bytes
            if self._options.retain_s:
                await connection.execute(statements.SET_FACT, (tables.RETAINED_FROM, by))
            while True:
                gone = await connection.execute(statements.DELETE_RETIRED, (by, _ROWS_AT_ONCE))
                if not gone.rowcount:
                    break


async def _fact(connection: Connection, name: str, default: int) -> int:
    found = await connection.execute(statements.SELECT_FACT, (name,))
    row = await found.fetchone()
    return row[0] if row else default
