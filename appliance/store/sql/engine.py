"""Open the database file: lock, pragmas, schema version.

SQLAlchemy's engine makes the connections and the schema; the hot path then uses the driver's
connection directly, because Core adds 65 to 95 us to a transaction of one row.

Durability: WAL with `synchronous=FULL`, so a commit that returned has been fsynced. The WAL is
never truncated: overwriting it is 1.7 times faster than appending to it.
"""

import contextlib
import fcntl
import os
import sqlite3
from pathlib import Path
from typing import cast

from sqlalchemy import Engine, PoolProxiedConnection, create_engine
from sqlalchemy.pool import NullPool

from appliance.store.errors import Damaged, InUse, Unusable
from appliance.store.sql import tables
from appliance.store.sql.space import Space

APPLICATION_ID = 0x61706C73  # "apls": tells our files from other SQLite databases
MIGRATIONS: dict[int, tuple[str, ...]] = {
    1: (tables.create(tables.note), tables.create(tables.superseded)),
}
"""What turns a file of a schema into one of the next."""
SCHEMA_VERSION = 2
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_AUTOCHECKPOINT_PAGES = 16_384  # 64 MiB: only a backstop, `Checkpointer` comes long before


class Database:
    """One store file, locked for this process."""

    def __init__(self, path: Path, reserve_bytes: int = 0) -> None:
        self.path = path
        self._connections: list[PoolProxiedConnection] = []
        self._lock = _lock(path)
        self.space = Space(path, reserve_bytes)
        self.space.prepare()
        left_open = _left_open(path)
        self._engine: Engine = create_engine(
            f"sqlite:///{path}",
            poolclass=NullPool,
            connect_args={"check_same_thread": False, "cached_statements": 256},
        )
        try:
            self.writer = self.connect()
            _prepare(self.writer, path)
            self.reader = self.connect()
            if left_open:
                self._check()
        except sqlite3.DatabaseError as error:
            self.close()
            raise unusable(path, error) from error
        except BaseException:
            self.close()
            raise

    def _check(self) -> None:
        """Look at every page; called when the last owner did not close the file or distrusted it.

        Raises:
            Damaged: something is wrong with it.
        """
        found = self.reader.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise damaged(self.path, found)
        _suspicion(self.path).unlink(missing_ok=True)

    def connect(self) -> sqlite3.Connection:
        """Another connection, ours to begin and commit; closed with the database."""
        proxied = self._engine.raw_connection()
        self._connections.append(proxied)
        connection = cast("sqlite3.Connection", proxied.driver_connection)
        connection.isolation_level = None  # BEGIN and COMMIT are ours
        for pragma in (
            "synchronous = FULL",
            f"wal_autocheckpoint = {_AUTOCHECKPOINT_PAGES}",
            "cache_size = -8000",  # KiB
            "busy_timeout = 0",  # never wait on the loop; the writer's thread waits by itself
        ):
            connection.execute(f"PRAGMA {pragma}")
        return connection

    def size_bytes(self) -> tuple[int, int]:
        """Size of the file, and how much of it is in use."""
        pages, free, page_size = (
            self.reader.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("page_count", "freelist_count", "page_size")
        )
        return pages * page_size, (pages - free) * page_size

    def close(self) -> None:
        """Close all connections (the last one moves the WAL into the file), free the lock."""
        while self._connections:
            self._connections.pop().close()
        self._engine.dispose()
        os.close(self._lock)


def unusable(path: Path, error: Exception) -> Unusable:
    """What to tell a person whose file cannot be read or written."""
    if getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED:
        return damaged(path, str(error))
    return Unusable(_remedy(path, str(error)))


def damaged(path: Path, why: str) -> Damaged:
    """The same for a file that is not whole; the next to open it looks at every page."""
    with contextlib.suppress(OSError):  # the disk may be what is broken
        _suspicion(path).touch()
    return Damaged(_remedy(path, why))


def _remedy(path: Path, why: str) -> str:
    return (
        f"{path}: the store cannot use this file ({why}). Restore a backup in its place, or"
        f" move it and its -wal file away to start empty."
    )


def _suspicion(path: Path) -> Path:
    return path.with_name(path.name + ".suspect")


def _left_open(path: Path) -> bool:
    """Whether the last owner ended without closing it (then its log is there), or distrusted it."""
    log = path.with_name(path.name + "-wal")
    return _suspicion(path).exists() or (log.exists() and log.stat().st_size > 0)


def _lock(path: Path) -> int:
    """Hold `<path>.lock` until the process ends: two writers would give out one revision twice."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise Unusable(f"{path}: {error.strerror}; the store needs a directory to write") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        raise InUse(
            f"{path} is in use by another process; stop it, or use another data directory"
        ) from error
    return lock


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Make the schema in an empty file; refuse a file that is not ours or is from the future."""
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    owner = connection.execute("PRAGMA application_id").fetchone()[0]
    if not version and not connection.execute("SELECT 1 FROM sqlite_master").fetchone():
        _create(connection)
        path.chmod(0o600)
    elif owner != APPLICATION_ID:
        raise Unusable(f"{path} is a database of another program; use another data directory")
    elif version > SCHEMA_VERSION:
        raise Unusable(
            f"{path} was written by a newer release (schema {version}, this one knows"
            f" {SCHEMA_VERSION}); install that release or restore an older backup"
        )
    elif version < SCHEMA_VERSION:
        _migrate(connection, version)


def _migrate(connection: sqlite3.Connection, version: int) -> None:
    """Bring an older file up to date, in one transaction."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        for older in range(version, SCHEMA_VERSION):
            for statement in MIGRATIONS[older]:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _create(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # must come before the first table
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("BEGIN")
    for table in tables.metadata.sorted_tables:
        connection.execute(tables.create(table))
    for view in tables.VIEWS:
        connection.execute(view)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    connection.execute("COMMIT")
