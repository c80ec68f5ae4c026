"""Real views in the database for people: made anew when what they should be has changed.

The statements come from `assembly`, which knows Kubernetes; here is only how they get in: in one
transaction, under the lock of all masters, and not at all if the same ones are there.
"""

import zlib
from collections.abc import Sequence

import psycopg
from psycopg import Connection
from psycopg.rows import TupleRow

from appliance.store.sql.postgres import statements

_FACT = "views"
_LOCK = f"SELECT {statements.LOCK}"


def ensure_views(info: str, texts: Sequence[str]) -> None:
    """Make them if they are not there.

    Raises:
        psycopg.Error: the database does not let us.
    """
    mark = zlib.crc32("\0".join(texts).encode())
    with psycopg.connect(info) as connection:
        if _mark(connection) == mark:
            return
        connection.execute(_LOCK)
        if _mark(connection) == mark:
            return  # another master was ahead of us
        for text in texts:
            connection.execute(text.encode())
        connection.execute(statements.SET_FACT, (_FACT, mark))


def _mark(connection: Connection[TupleRow]) -> int | None:
    row = connection.execute(statements.SELECT_FACT, (_FACT,)).fetchone()
    return row[0] if row else None
