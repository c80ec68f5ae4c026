"""A store's SQLite file into an empty PostgreSQL: same rows, same revisions, one transaction.

Called by `appliance migrate` with the server stopped: the file is locked meanwhile. What lived in
memory only (heartbeats) is not in the file; a last change marks the move, behind all revisions that
the old server may have given out, so that none is given out twice.
"""

import asyncio
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import psycopg

from appliance.store.errors import Unusable
from appliance.store.sql import tables
from appliance.store.sql.engine import Database
from appliance.store.sql.postgres import statements
from appliance.store.sql.postgres.database import Connection, Link, prepare, refusal, rows_columns
from appliance.store.sql.redoing import open_tail

MARK = b"/appliance/migrated"
_PAGE = 1_000
_ROWS = """SELECT id, key, create_revision, version, lease, deleted, wall_ms, author, value
    FROM history WHERE id NOT IN (SELECT id FROM superseded) ORDER BY id"""
"""What clients can read; rows that are kept for people alone stay in the file."""


async def import_file(source: Path, conninfo: str, *, now_ms: int) -> tuple[int, int]:
    """Copy; returns how many rows, and the revision that the store is at then.

    Raises:
        Unusable: the file is in use or not ours, or the database is not empty.
        Unavailable: the server cannot be reached.
    """
    if not await asyncio.to_thread(source.exists):
        raise Unusable(f"{source}: there is no store here")
    database, link = Database(source), Link(conninfo, "migration")
    try:
        open_tail(database, 0)
        connection = await link.get()
        await prepare(connection)
        async with connection.transaction():
            await connection.execute(f"SELECT {statements.LOCK}")
            await _check_empty(connection)
            return await _copy(database.reader, connection, now_ms)
    except psycopg.Error as error:
        raise refusal(error) from error
    finally:
        await link.drop()
        database.close()


async def _check_empty(connection: Connection) -> None:
    found = await connection.execute(statements.SELECT_HEAD)
    row = await found.fetchone()
    if row is None or row[0] or row[1] is not None:
        raise Unusable("the database has a history already; give us an empty schema")


async def _copy(source: sqlite3.Connection, target: Connection, now_ms: int) -> tuple[int, int]:
    facts = dict(source.execute(tables.SELECT_FACTS).fetchall())
    count, newest = 0, 0
    for page in _pages(source):
        await target.execute(statements.INSERT_ROWS, rows_columns(page))
        count, newest = count + len(page), int(page[-1][0])
    used = (newest >> tables.SUB_SHIFT, facts.get(tables.RESERVED, 0))
    revision = max(1, facts.get(tables.COMPACT_WANTED, 0), *used) + 1
    text = json.dumps({"rows": count, "from": "sqlite"}).encode()
    mark = (revision << tables.SUB_SHIFT, MARK, revision, 1, 0, 0, now_ms, "migrate", text)
    await target.execute(statements.INSERT_ROWS, rows_columns([mark]))
    for name in (tables.COMPACT_WANTED, tables.COMPACT_DONE):
        if name in facts:
            await target.execute(statements.SET_FACT, (name, facts[name]))
    for lease in source.execute(tables.SELECT_LEASES).fetchall():
        await target.execute(
            "INSERT INTO lease (id, ttl_s, deadline_ms) VALUES (%s, %s, %s)", lease
        )
    for note in source.execute("SELECT book, name, value FROM note").fetchall():
        await target.execute(statements.SET_NOTE, note)
    return count, revision


def _pages(source: sqlite3.Connection) -> Iterator[list[tuple[int | bytes | str, ...]]]:
    cursor = source.execute(_ROWS)
    while page := cursor.fetchmany(_PAGE):
        yield page
