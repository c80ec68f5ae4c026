"""What a crash has left in the redo log goes into the database before anything reads it.

Called by `SqlStore.open` and by whoever reads a file that nobody has open.
"""

import sqlite3
from pathlib import Path

import structlog

from appliance.store.sql import redo, tables
from appliance.store.sql.commits import insert, is_code
from appliance.store.sql.engine import Database
from appliance.store.sql.redo import Found, RedoLog
from appliance.store.sql.rows import Row
from appliance.store.sql.tables import SUB_SHIFT
from appliance.store.sql.tail import Tail

log = structlog.get_logger(__name__)


def open_tail(database: Database, size_bytes: int) -> Tail:
    """Bring the database up to date, then open its log for more; `size_bytes` 0: it has none."""
    path = redo.log_of(database.path)
    try:
        done = _brought_in(database, path)
    except sqlite3.OperationalError as error:
        if not is_code(error, sqlite3.SQLITE_FULL):
            raise
        # The rows stay where they are, until a commit finds room; no more are added meanwhile.
        rows, found = unread(database.writer, path)
        log.warning("no room to move the redo log", path=str(path), rows=len(rows))
        return Tail(None, rows, number=found.last)
    if not size_bytes:
        return Tail()
    try:
        return Tail(RedoLog(path, size_bytes, done))
    except OSError as error:
        why = str(error)
        log.warning("no redo log: small writes go to the database", path=str(path), error=why)
        return Tail()


def _brought_in(database: Database, path: Path) -> int:
    try:
        return _replayed(database.writer, path)
    except sqlite3.OperationalError as error:
        if not is_code(error, sqlite3.SQLITE_FULL):
            raise
        database.space.full()
        return _replayed(database.writer, path)


def unread(connection: sqlite3.Connection, path: Path) -> tuple[list[Row], Found]:
    """Rows of the log that are not in the database, and what was found there.

    A log may lie beside a database that is older or younger than it: a copy that was put in its
    place. What is below its rows, or below what its clients may ask for, is of another story.
    """
    facts = dict(connection.execute(tables.SELECT_FACTS).fetchall())
    found = redo.read(path, facts.get(tables.REDONE, 0))
    newest = connection.execute("SELECT max(id) FROM main.history").fetchone()[0] or 0
    floor = max(newest, ((facts.get(tables.COMPACT_WANTED, 0) + 1) << SUB_SHIFT) - 1)
    return [row for record in found.records for row in record.rows if row[0] > floor], found


def _replayed(connection: sqlite3.Connection, path: Path) -> int:
    """Move what the log holds into the database; gives the number of the last record."""
    facts: dict[str, int] = dict(connection.execute(tables.SELECT_FACTS).fetchall())
    done = facts.get(tables.REDONE)
    if done is None:
        done = redo.first_number()
        connection.execute(tables.SET_FACT, (tables.REDONE, done))
        return done
    rows, found = unread(connection, path)
    if not found.records and not found.torn:
        return done
    connection.execute("BEGIN IMMEDIATE")
    try:
        if rows:
            insert(connection, rows)
        connection.execute(tables.SET_FACT, (tables.REDONE, found.last))
        if found.torn:
            # Revisions that the lost records had must not be given out a second time.
            reserved = max(found.newest_row >> SUB_SHIFT, facts.get(tables.RESERVED, 0))
            connection.execute(tables.SET_FACT, (tables.RESERVED, reserved))
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    if found.torn:
        aside = path.with_name(path.name + ".torn")
        path.replace(aside)
        log.error("the redo log does not follow the database; it was set aside", path=str(aside))
    return found.last
