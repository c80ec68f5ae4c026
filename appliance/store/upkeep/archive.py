"""Read a store from beside, while its owner writes: history, past states, what takes room.

`Archive` is what a file (here) and PostgreSQL (`pgarchive.py`) have in common. Each question is
answered from one moment. Reads whole tables where it must (a few hundred thousand rows a second),
so it is for people and not for loops. Opened by `assembly.upkeep`.
"""

import contextlib
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from sqlalchemy import Connection, Select, create_engine, func, select
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.pool import NullPool
from typing_extensions import override

from appliance.store.errors import Unusable
from appliance.store.sql import tables
from appliance.store.sql.engine import APPLICATION_ID
from appliance.store.sql.retained import NOT_RETAINED
from appliance.store.sql.tables import SUB_SHIFT, history
from appliance.store.upkeep.overlay import Overlay, add_log

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


Answer = tuple[list[str], list[tuple[Any, ...]]]
"""Names of columns, and rows."""


class Archive(ABC):
    """A store's history, read only; close it."""

    dialect: ClassVar[str]
    """Of questions in SQL."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        c = tables.fact.c
        facts = connection.execute(select(c.name, c.value))
        self._facts: dict[str, int] = {name: value for name, value in facts}  # noqa: C416

    @property
    def floor(self) -> int:
        """States before this revision cannot be made any more."""
        retained = self._facts.get(tables.RETAINED_FROM, NOT_RETAINED)
        return retained if retained != NOT_RETAINED else self._facts.get(tables.COMPACT_WANTED, 0)

    def notes(self, book: str) -> dict[str, bytes]:
        """The store's notes of a book (`store.notes`)."""
        c = tables.note.c
        asked = select(c.name, c.value).where(c.book == book)
        return {name: bytes(value) for name, value in self._connection.execute(asked)}

    def look(self) -> None:  # noqa: B027 - what has but one place to look has nothing to do
        """Called before a question: see what has been written since."""

    def newest(self) -> int:
        """The newest revision with a row."""
        self.look()
        newest = select(func.max(history.c.id))
        return int(self._connection.execute(newest).scalar_one() or 0) >> SUB_SHIFT

    def at(self, wall_ms: int) -> int:
        """The newest revision that had been made at a time; 0 if there was none."""
        self.look()
        made = select(func.max(history.c.id)).where(history.c.wall_ms <= wall_ms)
        return int(self._connection.execute(made).scalar_one() or 0) >> SUB_SHIFT

    def changes(self, key: bytes, end: bytes = b"", *, until: int = 0) -> Iterator[Change]:
        """Changes of [key, end), or of one key, oldest first, up to a revision."""
        self.look()
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

    @abstractmethod
    def ask(self, text: str, views: Sequence[str]) -> Answer:
        """Answer a question in SQL, which may be about `views`; it can't change anything.

        Raises:
            Unusable: the database does not take it; the text says why.
        """

    @abstractmethod
    def copy_into(self, target: Path) -> int:
        """Copy all that has been committed into a new file; gives its newest revision."""

    @abstractmethod
    def close(self) -> None:
        """Let go of it."""


class FileArchive(Archive):
    """A store's file. SQLite lets readers in at any time; what its redo log has is laid over it."""

    dialect = "sqlite"

    def __init__(self, path: Path) -> None:
        if not path.exists():
            raise Unusable(f"{path}: there is no store; name its data directory")
        # Not `mode=ro`: without its owner a reader must make the shared index of the log itself.
        self._engine = create_engine(f"sqlite:///{path}", poolclass=NullPool)
        try:
            connection = self._engine.connect()
            connection.exec_driver_sql("PRAGMA query_only = 1")
            owner = connection.exec_driver_sql("PRAGMA application_id").scalar_one()
            if owner == APPLICATION_ID:
                super().__init__(connection)
                self._overlay = Overlay(self.driver, path)
                self._overlay.look()
        except DBAPIError as error:
            self._engine.dispose()
            raise Unusable(f"{path}: it cannot be read ({error.orig})") from error
        if owner != APPLICATION_ID:
            connection.close()
            self._engine.dispose()
            raise Unusable(f"{path} is no store of ours")

    @property
    def driver(self) -> sqlite3.Connection:
        """The driver's connection, for questions in SQL."""
        connection: Any = self._connection.connection.driver_connection
        assert isinstance(connection, sqlite3.Connection)  # noqa: S101 - for the type
        return connection

    @override
    def look(self) -> None:
        self._overlay.look()

    @override
    def notes(self, book: str) -> dict[str, bytes]:
        try:
            return super().notes(book)
        except OperationalError:
            return {}  # of a release that kept none

    @override
    def ask(self, text: str, views: Sequence[str]) -> Answer:
        connection = self.driver
        self.look()
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

    @override
    def copy_into(self, target: Path) -> int:
        # One read transaction: writers go on meanwhile, and are not in it.
        with contextlib.closing(sqlite3.connect(target)) as copy:
            target.chmod(0o600)
            log = self._overlay.look()
            self.driver.backup(copy)
            add_log(copy, log)
            copy.execute("PRAGMA journal_mode = WAL")
            newest = copy.execute(tables.SELECT_NEWEST).fetchone()[0]
        return int(newest or 0)

    @override
    def close(self) -> None:
        self._connection.close()
        self._engine.dispose()


def _within(asked: Select[Any], key: bytes, end: bytes) -> Select[Any]:
    if not end:
        return asked.where(history.c.key == key)
    asked = asked.where(history.c.key >= key)
    return asked if end == b"\0" else asked.where(history.c.key < end)
