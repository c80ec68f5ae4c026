"""The schema and the statements in PostgreSQL's words; the tables are those of `sql/tables.py`.

Arrays carry a whole group of rows as one statement, so a commit costs the same few round trips
for one change and for a thousand.
"""

from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable
from sqlalchemy.sql.expression import ClauseElement

from appliance.store.sql import tables

LOCK = "pg_advisory_xact_lock(1634757747, hashtext(current_schema()))"  # "apls"
CHANNEL = "appliance_store"
LEASE_EPOCH = "lease_epoch"
"""A fact that grows with each lease made or ended; a master that sees it change looks anew."""
SCHEMA_VERSION = "schema_version"

_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]
_NOW_MS = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"
"""The database's clock: masters need not agree on the time."""


def _text(statement: ClauseElement) -> str:
    return str(statement.compile(dialect=_DIALECT))


CREATE = tuple(
    _text(CreateTable(table, if_not_exists=True)) for table in tables.metadata.sorted_tables
)
VIEWS = (
    f"""CREATE OR REPLACE VIEW revisions AS SELECT id >> {tables.SUB_SHIFT} AS revision,
    id & {(1 << tables.SUB_SHIFT) - 1} AS sub, encode(key, 'escape') AS key, value,
    create_revision, version, lease, deleted, to_timestamp(wall_ms / 1000.0) AS wall, author
    FROM history""",  # noqa: S608 - a constant
    f"""CREATE OR REPLACE VIEW current_keys AS SELECT encode(key, 'escape') AS key, value,
    id >> {tables.SUB_SHIFT} AS revision, create_revision, version, lease
    FROM (SELECT DISTINCT ON (key) * FROM history ORDER BY key, id DESC) AS newest
    WHERE deleted = 0""",  # noqa: S608 - a constant
)

SELECT_HEAD = """SELECT coalesce((SELECT max(id) FROM history), 0),
    (SELECT value FROM fact WHERE name = 'compact_wanted'),
    (SELECT value FROM fact WHERE name = 'lease_epoch')"""
SELECT_FACT = "SELECT value FROM fact WHERE name = %s"
SELECT_ROWS = """SELECT id, key, value, create_revision, version, lease, deleted
    FROM history WHERE id > %s
    AND NOT EXISTS (SELECT 1 FROM superseded WHERE superseded.id = history.id) ORDER BY id"""
SELECT_VALUES = "SELECT id, value FROM history WHERE id = ANY(%b::bigint[])"
INSERT_ROWS = """INSERT INTO history
    (id, key, create_revision, version, lease, deleted, wall_ms, author, value)
    SELECT * FROM unnest(%b::bigint[], %b::bytea[], %b::bigint[], %b::bigint[], %b::bigint[],
    %b::integer[], %b::bigint[], %b::text[], %b::bytea[])"""
DELETE_ROWS = "DELETE FROM history WHERE id = ANY(%b::bigint[])"
SUPERSEDE_ROWS = f"""INSERT INTO superseded (id, by_revision, wall_ms, size_bytes)
    SELECT id, %s, {_NOW_MS}, length(key) + length(value) + {tables.ROW_BYTES}
    FROM history WHERE id = ANY(%b::bigint[]) ON CONFLICT DO NOTHING"""  # noqa: S608 - constants
SELECT_RETIRED = f"""SELECT by_revision, ({_NOW_MS} - max(wall_ms)) / 1000.0::float8,
    sum(size_bytes)::bigint FROM superseded
    GROUP BY by_revision ORDER BY by_revision"""  # noqa: S608 - constants
DELETE_RETIRED = """WITH gone AS (DELETE FROM superseded WHERE id IN
    (SELECT id FROM superseded WHERE by_revision = %s LIMIT %s) RETURNING id)
    DELETE FROM history WHERE id IN (SELECT id FROM gone)"""
NOTIFY = f"SELECT pg_notify('{CHANNEL}', '')"
SET_FACT = """INSERT INTO fact (name, value) VALUES (%s, %s)
    ON CONFLICT (name) DO UPDATE SET value = excluded.value"""
NEXT_EPOCH = """INSERT INTO fact (name, value) VALUES ('lease_epoch', 1)
    ON CONFLICT (name) DO UPDATE SET value = fact.value + 1"""
SET_LEASE = f"""INSERT INTO lease (id, ttl_s, deadline_ms) VALUES (%s, %s, {_NOW_MS} + %s)
    ON CONFLICT (id) DO UPDATE SET deadline_ms = excluded.deadline_ms"""  # noqa: S608 - constants
DELETE_LEASE = "DELETE FROM lease WHERE id = %s"
SELECT_LEASES = f"""SELECT id, ttl_s, (deadline_ms - {_NOW_MS}) / 1000.0::float8
    FROM lease ORDER BY deadline_ms"""  # noqa: S608 - constants
SELECT_NOTES = "SELECT name, value FROM note WHERE book = %s"
SET_NOTE = """INSERT INTO note (book, name, value) VALUES (%s, %s, %s)
    ON CONFLICT (book, name) DO UPDATE SET value = excluded.value"""
DELETE_NOTE = "DELETE FROM note WHERE book = %s AND name = %s"
SELECT_SIZE = """SELECT pg_total_relation_size('history')::bigint,
    pg_relation_size('history')::bigint"""
