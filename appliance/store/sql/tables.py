"""The schema. One append-only table is the truth; everything else is a few small facts.

After put a=1, then one transaction that puts b=2 and deletes a, `history` holds

    id             key  create_revision  version  lease  deleted  wall_ms        author  value
    2 << 20 | 0    a    2                1        0      0        1764000000000  admin   1
    3 << 20 | 0    b    3                1        0      0        1764000000100  admin   2
    3 << 20 | 1    a    0                0        0      1        1764000000100  admin

`id` is the rowid, so a commit only ever appends to the end of one b-tree. There is no index on
the key: at a million rows it costs 5.4 times the write rate; `mvcc.keyindex` is in memory.

For people with `sqlite3`: the views `revisions` (history with plain numbers) and `current_keys`.
"""

from functools import cache

from sqlalchemy import (
    BigInteger,
    Column,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    bindparam,
    delete,
    exists,
    func,
    insert,
    literal_column,
    select,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateTable
from sqlalchemy.sql.expression import ClauseElement

SUB_SHIFT = 20
ROW_BYTES = 60  # what a row takes besides key and value

_ROW_ID = BigInteger().with_variant(Integer, "sqlite")
"""SQLite's rowid goes by the name INTEGER alone."""

metadata = MetaData()

history = Table(
    "history",
    metadata,
    Column("id", _ROW_ID, primary_key=True, autoincrement=False),
    Column("key", LargeBinary, nullable=False),
    Column("create_revision", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("lease", BigInteger, nullable=False),
    Column("deleted", Integer, nullable=False),
    Column("wall_ms", BigInteger, nullable=False),
    Column("author", String, nullable=False),
    # Last: what stands behind a long value is found only by reading all of it.
    Column("value", LargeBinary, nullable=False),
)

lease = Table(
    "lease",
    metadata,
    Column("id", _ROW_ID, primary_key=True, autoincrement=False),
    Column("ttl_s", BigInteger, nullable=False),
    Column("deadline_ms", BigInteger, nullable=False),  # wall clock: it outlives the process
)

fact = Table(
    "fact",
    metadata,
    Column("name", String, primary_key=True),
    Column("value", BigInteger, nullable=False),
)

note = Table(
    "note",
    metadata,
    Column("book", String, primary_key=True),
    Column("name", String, primary_key=True),
    Column("value", LargeBinary, nullable=False),
)
"""See `store.notes`. Younger than the first release: `engine` adds it to files without."""

superseded = Table(
    "superseded",
    metadata,
    Column("id", _ROW_ID, primary_key=True, autoincrement=False),  # of the row in history
    Column("by_revision", BigInteger, nullable=False),  # the compaction that took it from clients
    Column("wall_ms", BigInteger, nullable=False),  # when that was
    Column("size_bytes", BigInteger, nullable=False),
)
"""Rows that clients cannot read any more, kept for `sql.retained`. Younger than `note`."""

COMPACT_WANTED = "compact_wanted"
"""Reads below this revision are refused."""
COMPACT_DONE = "compact_done"
"""Rows below this revision have been deleted; behind COMPACT_WANTED after a crash."""
RETAINED_FROM = "retained_from"
"""States at this revision and later can still be made out of the rows, retained ones included."""
REDONE = "redone"
"""Number of the last record of the redo log that is in the database."""
RESERVED = "reserved_revision"
"""Revisions up to this may have been given out without a row."""

VIEWS = (
    f"""CREATE VIEW revisions AS SELECT id >> {SUB_SHIFT} AS revision,
    id & {(1 << SUB_SHIFT) - 1} AS sub, CAST(key AS TEXT) AS key, value, create_revision,
    version, lease, deleted, datetime(wall_ms / 1000, 'unixepoch') AS wall, author
    FROM history""",  # noqa: S608 - a constant
    f"""CREATE VIEW current_keys AS SELECT CAST(key AS TEXT) AS key, value,
    MAX(id) >> {SUB_SHIFT} AS revision, create_revision, version, lease
    FROM history GROUP BY history.key HAVING deleted = 0""",  # noqa: S608 - a constant
)


def create(table: Table) -> str:
    """The statement that makes a table if it is not there."""
    return _text(CreateTable(table, if_not_exists=True))


def _text(statement: ClauseElement) -> str:
    """The statement as the driver takes it, parameters by place."""
    return str(statement.compile(dialect=sqlite.dialect()))


_row = (
    history.c.id,
    history.c.key,
    history.c.value,
    history.c.create_revision,
    history.c.version,
    history.c.lease,
    history.c.deleted,
)
_window = (
    select(*_row)
    .where(history.c.id >= bindparam("first"), history.c.id < bindparam("end"))
    .order_by(history.c.id)
)
_fact_insert = sqlite.insert(fact)
_lease_insert = sqlite.insert(lease)

INSERT_ROW = _text(insert(history))


@cache
def insert_rows(count: int) -> str:
    """The statement that adds so many rows; its parameters are theirs, one row after the other."""
    head, _, row = INSERT_ROW.partition(" VALUES ")
    return f"{head} VALUES {', '.join([row] * count)}"


DELETE_ROW = _text(delete(history).where(history.c.id == bindparam("row")))
SELECT_ROW = _text(select(*_row).where(history.c.id == bindparam("row")))
SELECT_WINDOW = _text(
    _window.where(~exists().where(superseded.c.id == history.c.id))  # what clients can read
)
SELECT_WINDOW_KEY = _text(_window.where(history.c.key == bindparam("key")))
SELECT_WINDOW_FROM = _text(_window.where(history.c.key >= bindparam("key")))
SELECT_WINDOW_RANGE = _text(
    _window.where(history.c.key >= bindparam("key"), history.c.key < bindparam("key_end"))
)
SELECT_INDEX = _text(
    select(history.c.id, history.c.key, history.c.deleted, history.c.lease)
    .where(~exists().where(superseded.c.id == history.c.id))
    .order_by(history.c.id)
)
SELECT_NEWEST = _text(select(func.max(history.c.id).op(">>")(literal_column(str(SUB_SHIFT)))))
SET_FACT = _text(
    _fact_insert.on_conflict_do_update(
        index_elements=[fact.c.name], set_={"value": _fact_insert.excluded.value}
    )
)
SELECT_FACTS = _text(select(fact.c.name, fact.c.value))
SET_LEASE = _text(
    _lease_insert.on_conflict_do_update(
        index_elements=[lease.c.id], set_={"deadline_ms": _lease_insert.excluded.deadline_ms}
    )
)
DELETE_LEASE = _text(delete(lease).where(lease.c.id == bindparam("lease")))
SELECT_LEASES = _text(select(lease.c.id, lease.c.ttl_s, lease.c.deadline_ms))
_note_insert = sqlite.insert(note)
SET_NOTE = _text(
    _note_insert.on_conflict_do_update(
        index_elements=[note.c.book, note.c.name], set_={"value": _note_insert.excluded.value}
    )
)
DELETE_NOTE = _text(
    delete(note).where(note.c.book == bindparam("of_book"), note.c.name == bindparam("of_name"))
)
SELECT_NOTES = _text(select(note.c.name, note.c.value).where(note.c.book == bindparam("of_book")))
SUPERSEDE = _text(
    insert(superseded).from_select(
        ["id", "by_revision", "wall_ms", "size_bytes"],
        select(
            history.c.id,
            bindparam("by"),
            bindparam("now_ms"),
            func.length(history.c.key)
            + func.length(history.c.value)
            + literal_column(str(ROW_BYTES)),
        ).where(history.c.id == bindparam("row")),
    )
)
SELECT_RETIRED = _text(
    select(
        superseded.c.by_revision,
        func.max(superseded.c.wall_ms),
        func.sum(superseded.c.size_bytes),
    )
    .group_by(superseded.c.by_revision)
    .order_by(superseded.c.by_revision)
)
SELECT_RETIRED_ROWS = _text(
    select(superseded.c.id)
    .where(superseded.c.by_revision == bindparam("by"))
    .order_by(superseded.c.id)
)
DELETE_SUPERSEDED = _text(delete(superseded).where(superseded.c.id == bindparam("row")))
