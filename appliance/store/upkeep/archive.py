"""Read a store's file from beside, while its owner writes: history, past states, what takes room.

SQLite lets readers in at any time; each question is answered from one moment. Reads whole tables
where it must (a few hundred thousand rows a second), so it is for people and not for loops.
Opened by `assembly.upkeep`.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Select, create_engine, func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from appliance.store.errors import Unusable
from appliance.store.sql import tables
from appliance.store.sql.engine import APPLICATION_ID
from appliance.store.sql.retained import NOT_RETAINED
from appliance.store.sql.tables import SUB_SHIFT, history

_ROWS_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change of a key; `wall_ms` is when it was made, `row` is where its value lies."""

    key: bytes
    row: int
    wall_ms: int
    author: str
    deleted: bool
    version: int
    size_bytes: int

    @property
    def revision(self) -> int:
        """The revision that it made."""
        return self.row >> SUB_SHIFT


class Archive:
    """A store's file, read only; close it."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            raise Unusable(f"{path}: there is no store; name its data directory")
        # Not `mode=ro`: without its owner a reader must make the shared index of the log itself.
        self._engine = create_engine(f"sqlite:///{path}", poolclass=NullPool)
        self._path = path
        try:
            self._connection: Connection = self._engine.connect()
            self._connection.exec_driver_sql("PRAGMA query_only = 1")
            owner = self._connection.exec_driver_sql("PRAGMA application_id").scalar_one()
            ours = owner == APPLICATION_ID
            facts = self.driver.execute(tables.SELECT_FACTS) if ours else ()
            self._facts: dict[str, int] = dict(facts)
        except DBAPIError as error:
            self._engine.dispose()
            raise Unusable(f"{path}: it cannot be read ({error.orig})") from error
        if owner != APPLICATION_ID:
            self.close()
            raise Unusable(f"{path} is no store of ours")

    @property
    def driver(self) -> sqlite3.Connection:
        """The driver's connection, for questions in SQL."""
        connection: Any = self._connection.connection.driver_connection
        assert isinstance(connection, sqlite3.Connection)  # noqa: S101 - for the type
        return connection

    @property
    def floor(self) -> int:
        """States before this revision cannot be made any more."""
        retained = self._facts.get(tables.RETAINED_FROM, NOT_RETAINED)
        return retained if retained != NOT_RETAINED else self._facts.get(tables.COMPACT_WANTED, 0)

    def notes(self, book: str) -> dict[str, bytes]:
        """The store's notes of a book (`store.notes`)."""
        try:
            return dict(self.driver.execute(tables.SELECT_NOTES, (book,)).fetchall())
        except sqlite3.OperationalError:
            return {}  # of a release that kept none

    def newest(self) -> int:
        """The newest revision with a row."""
        return int(self.driver.execute(tables.SELECT_NEWEST).fetchone()[0] or 0)

    def at(self, wall_ms: int) -> int:
        """The newest revision that had been made at a time; 0 if there was none."""
        made = select(func.max(history.c.id)).where(history.c.wall_ms <= wall_ms)
        return int(self._connection.execute(made).scalar_one() or 0) >> SUB_SHIFT

    def changes(self, key: bytes, end: bytes = b"", *, until: int = 0) -> Iterator[Change]:
        """Changes of [key, end), or of one key, oldest first, up to a revision."""
        lengths = func.length(history.c.key) + func.length(history.c.value)
        c = history.c
        asked = _within(
            select(c.key, c.id, c.wall_ms, c.author, c.deleted, c.version, lengths), key, end
        )
        if until:
            asked = asked.where(c.id < (until + 1) << SUB_SHIFT)
        for row in self._connection.execute(asked.order_by(c.id)).yield_per(_ROWS_AT_ONCE):
            name, row_id, wall_ms, author, deleted, version, size_bytes = row
            yield Change(
                key=name,
                row=row_id,
                wall_ms=wall_ms,
                author=author,
                deleted=bool(deleted),
                version=version,
                size_bytes=size_bytes,
            )

    def state(self, key: bytes, end: bytes, revision: int) -> dict[bytes, bytes]:
        """Keys and values of [key, end) as they were at a revision."""
        rows: dict[bytes, int] = {}
        for change in self.changes(key, end, until=revision):
            if change.deleted:
                rows.pop(change.key, None)
            else:
                rows[change.key] = change.row
        return {name: self.value(row) for name, row in sorted(rows.items())}

    def value(self, row: int) -> bytes:
        """The value of a change."""
        found = select(history.c.value).where(history.c.id == row)
        return bytes(self._connection.execute(found).scalar_one())

    def ask(self, text: str, views: Sequence[str]) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Answer a question in SQL: names of columns, and rows.

        Raises:
            Unusable: SQLite does not take it; the text says why.
        """
        connection = self.driver
        try:
            connection.execute("PRAGMA query_only = 0")  # views of our own, kept in memory
            for view in views:
                connection.execute(view)
            connection.execute("PRAGMA query_only = 1")
            cursor = connection.execute(text)
            rows = cursor.fetchall()
        except sqlite3.Error as error:
            raise Unusable(f"the question cannot be answered: {error}") from error
        return [column[0] for column in cursor.description or ()], rows

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()
        self._engine.dispose()


def _within(asked: Select[Any], key: bytes, end: bytes) -> Select[Any]:
    if not end:
        return asked.where(history.c.key == key)
    asked = asked.where(history.c.key >= key)
    return asked if end == b"\0" else asked.where(history.c.key < end)
