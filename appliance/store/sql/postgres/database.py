"""Connections to PostgreSQL, made when needed and made again when lost; its errors as ours.

A `Link` is one connection with one purpose: the writer's, the readers', the listener's. Whoever
finds it broken drops it; the next call connects. A server that has gone silent is noticed by TCP
(about 10 s), one that waits for a lock by `lock_timeout`; a master that freezes in mid-transaction
loses its session after `idle_in_transaction_session_timeout`, so that others can go on.
"""

import asyncio

import psycopg
import structlog
from psycopg import AsyncConnection
from psycopg.conninfo import make_conninfo
from psycopg.rows import TupleRow

from appliance.store.errors import NoSpace, StoreError, Unavailable, Unusable
from appliance.store.sql import tables
from appliance.store.sql.postgres import statements

log = structlog.get_logger(__name__)

SCHEMA_VERSION = 1
_SESSION: dict[str, str | int | None] = {
    "application_name": "appliance",
    "connect_timeout": 3,
    "target_session_attrs": "read-write",
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
_ON_CONNECT = (
    "SET lock_timeout = '5s'",
    "SET idle_in_transaction_session_timeout = '10s'",
    "SET default_transaction_isolation = 'read committed'",
)
Connection = AsyncConnection[TupleRow]


def conninfo(url: str, **tls_files: str) -> str:
    """What the driver wants to know, from a URL such as postgresql+psycopg://user@host/database.

    Several hosts may be named, as libpq takes them: the one that can be written to is used.

    Raises:
        Unusable: it is no such URL.
    """
    given = {name: value for name, value in tls_files.items() if value}
    place = url.partition("://")[2]
    try:
        return make_conninfo(f"postgresql://{place}", **_SESSION | given)
    except psycopg.ProgrammingError as error:
        raise Unusable(f"the datastore's URL makes no sense: {error}") from None


class Link:
    """One connection."""

    def __init__(self, info: str, purpose: str) -> None:
        self._info = info
        self._purpose = purpose
        self._connection: Connection | None = None
        self._connecting = asyncio.Lock()

    async def get(self) -> Connection:
        """The connection.

        Raises:
            Unavailable: the server cannot be reached; the text says why.
        """
        async with self._connecting:
            if self._connection is None or self._connection.closed:
                self._connection = await self._connect()
            return self._connection

    async def drop(self, connection: Connection | None = None) -> None:
        """Close it (if it is still this one); the next `get` connects."""
        if connection is None or connection is self._connection:
            connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def _connect(self) -> Connection:
        try:
            connection = await AsyncConnection.connect(self._info, autocommit=True)
            try:
                for text in _ON_CONNECT:
                    await connection.execute(text)
                await _want_durable(connection)
            except BaseException:  # the store may be closing while we connect
                await connection.close()
                raise
        except psycopg.Error as error:
            raise refusal(error) from error
        log.info("connected to PostgreSQL", purpose=self._purpose)
        return connection


def refusal(error: psycopg.Error) -> StoreError:
    """The driver's error as ours."""
    text = " ".join(str(error).split())
    if isinstance(error, psycopg.errors.DiskFull):
        return NoSpace()
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return Unusable(f"PostgreSQL: {text}; the role must own its schema")
    return Unavailable(f"PostgreSQL: {text}")


async def prepare(connection: Connection) -> None:
    """Make the schema where there is none; refuse one from the future.

    Raises:
        Unusable: another program or a newer release made it.
    """
    async with connection.transaction():
        await connection.execute(f"SELECT {statements.LOCK}")  # masters start side by side
        found = await connection.execute("SELECT to_regclass('fact')")
        row = await found.fetchone()
        if row is not None and row[0] is not None:
            await _check_version(connection)
            return
        for text in (*statements.CREATE, *statements.VIEWS):
            await connection.execute(text)
        mark = (statements.SCHEMA_VERSION, SCHEMA_VERSION)
        await connection.execute(statements.SET_FACT, mark)


async def _check_version(connection: Connection) -> None:
    name = (statements.SCHEMA_VERSION,)
    found = await connection.execute(statements.SELECT_FACT, name)
    row = await found.fetchone()
    if row is None:
        raise Unusable("the database has tables of another program; give us a schema of our own")
    if row[0] > SCHEMA_VERSION:
        raise Unusable(
            f"the database was written by a newer release (schema {row[0]}, this one knows"
            f" {SCHEMA_VERSION}); install that release"
        )


async def _want_durable(connection: Connection) -> None:
    """An acknowledged write is on disk, whatever the server's default is."""
    found = await connection.execute("SHOW synchronous_commit")
    row = await found.fetchone()
    if row is not None and row[0] == "off":
        await connection.execute("SET synchronous_commit = on")


def rows_columns(rows: list[tuple[int | bytes | str, ...]]) -> list[list[int | bytes | str]]:
    """Rows as columns, for `INSERT_ROWS`."""
    return [list(column) for column in zip(*rows, strict=True)]


def row_of(at: int) -> int:
    """The row that holds a position."""
    return at >> 1


def revision_of_row(row_id: int) -> int:
    """The revision of a row."""
    return row_id >> tables.SUB_SHIFT
