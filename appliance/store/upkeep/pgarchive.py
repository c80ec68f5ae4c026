"""A store in PostgreSQL, read from beside; one repeatable-read transaction, so one moment.

Opened by `assembly.upkeep`, and only if there is a driver for PostgreSQL.
"""

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import create_engine, insert, select
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool
from typing_extensions import override

from appliance.store.errors import Unavailable, Unusable
from appliance.store.sql import tables
from appliance.store.sql.engine import Database
from appliance.store.sql.postgres.views import ensure_views
from appliance.store.upkeep.archive import Answer, Archive

_ROWS_AT_ONCE = 1_000
_FACTS = (tables.COMPACT_WANTED, tables.COMPACT_DONE, tables.RETAINED_FROM)


class PostgresArchive(Archive):
    """`conninfo` as `database.conninfo` makes it."""

    dialect = "postgresql"

    def __init__(self, conninfo: str) -> None:
        self._info = conninfo
        self._engine = create_engine(
            "postgresql+psycopg://",
            creator=lambda: psycopg.connect(conninfo),
            poolclass=NullPool,
            isolation_level="REPEATABLE READ",
        )
        try:
            connection = self._engine.connect()
            connection = connection.execution_options(postgresql_readonly=True)
            super().__init__(connection)
        except DBAPIError as error:
            self._engine.dispose()
            why = " ".join(str(error.orig).split())
            if isinstance(error.orig, psycopg.errors.UndefinedTable):
                raise Unusable(f"PostgreSQL: there is no store of ours ({why})") from error
            raise Unavailable(f"PostgreSQL: {why}") from error

    @override
    def ask(self, text: str, views: Sequence[str]) -> Answer:
        try:
            ensure_views(self._info, views)
            with psycopg.connect(self._info) as connection:
                connection.read_only = True
                cursor = connection.execute(text.encode())
                rows = cursor.fetchall() if cursor.description else []
        except psycopg.Error as error:
            raise Unusable(f"the question cannot be answered: {error}") from error
        return [column.name for column in cursor.description or ()], rows

    @override
    def copy_into(self, target: Path) -> int:
        with contextlib.closing(Database(target)) as database:
            writer = database.writer
            writer.execute("BEGIN")
            for table in (tables.history, tables.superseded, tables.lease, tables.note):
                adding = str(insert(table).compile(dialect=sqlite.dialect()))
                found = self._connection.execution_options(yield_per=_ROWS_AT_ONCE).execute(
                    select(table)
                )
                for page in found.partitions():
                    writer.executemany(adding, [tuple(row) for row in page])
            known = [(name, self._facts[name]) for name in _FACTS if name in self._facts]
            writer.executemany(tables.SET_FACT, known)
            writer.execute("COMMIT")
            newest: Any = writer.execute(tables.SELECT_NEWEST).fetchone()[0]
        return int(newest or 0)

    @override
    def close(self) -> None:
        self._connection.close()
        self._engine.dispose()
