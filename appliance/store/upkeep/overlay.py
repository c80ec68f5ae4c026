"""A store's file with its redo log, for those who read from beside.

The newest rows may be in the log alone (`sql.redo`). So a reader's connection has temporary views
by the names of the table and its views, which show the rows of both; SQLite finds those first.
Used by `archive.FileArchive`.
"""

import sqlite3
from pathlib import Path

from appliance.store.sql import tables
from appliance.store.sql.redo import Found, log_of
from appliance.store.sql.redoing import unread
from appliance.store.sql.rows import Row

_TRIES = 20
_INSERT = "INSERT INTO temp.newest VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
_SHOWN = (
    "PRAGMA temp_store = MEMORY",
    tables.create(tables.history).replace(
        "CREATE TABLE IF NOT EXISTS history", "CREATE TEMP TABLE newest"
    ),
    # What the owner moves meanwhile is in both for a moment, but shown once.
    """CREATE TEMP VIEW history AS SELECT * FROM main.history UNION ALL SELECT * FROM temp.newest
    WHERE id > (SELECT coalesce(max(id), 0) FROM main.history)""",
    *(view.replace("CREATE VIEW", "CREATE TEMP VIEW") for view in tables.VIEWS),
)


class Overlay:
    """The log's rows on one connection."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._log = log_of(path)
        connection.execute("PRAGMA query_only = 0")
        for text in _SHOWN:
            connection.execute(text)
        connection.execute("PRAGMA query_only = 1")

    def look(self) -> tuple[list[Row], Found]:
        """Show what the log holds now."""
        rows, found = unread(self._connection, self._log)
        for _ in range(_TRIES):
            if not found.torn:
                break  # else the owner has moved on between two of our looks
            rows, found = unread(self._connection, self._log)
        self._connection.execute("PRAGMA query_only = 0")
        with self._connection:
            self._connection.execute("DELETE FROM temp.newest")
            self._connection.executemany(_INSERT, rows)
        self._connection.execute("PRAGMA query_only = 1")
        return rows, found


def add_log(copy: sqlite3.Connection, log: tuple[list[Row], Found]) -> None:
    """Give a copy what the log held before it was made, so far as it has not got it."""
    rows, found = log
    newest = copy.execute("SELECT max(id) FROM history").fetchone()[0] or 0
    done = dict(copy.execute(tables.SELECT_FACTS).fetchall()).get(tables.REDONE, 0)
    with copy:
        copy.executemany(tables.INSERT_ROW, [row for row in rows if row[0] > newest])
        if found.records and found.records[-1].number > done:
            copy.execute(tables.SET_FACT, (tables.REDONE, found.records[-1].number))
