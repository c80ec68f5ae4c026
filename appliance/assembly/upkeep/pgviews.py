"""The tables of `appliance sql` as real views in PostgreSQL, for whoever connects to it.

Same names and columns as `views.py` makes for SQLite, in PostgreSQL's words: `object` and `labels`
are jsonb (`labels->>'app'`). What is no JSON (a sealed secret) is NULL but for its name.
"""

import asyncio
import re
from typing import Any

import structlog

from appliance.api.kind import Kind
from appliance.assembly.datastore import postgres_conninfo
from appliance.assembly.upkeep.views import fields_of, kinds
from appliance.config.datastore import PostgresUrl, parse_endpoint
from appliance.config.schema import Config

log = structlog.get_logger(__name__)

_AS_JSON = """CREATE OR REPLACE FUNCTION store_json(value bytea) RETURNS jsonb LANGUAGE plpgsql
    IMMUTABLE PARALLEL SAFE AS $$ BEGIN RETURN convert_from(value, 'UTF8')::jsonb;
    EXCEPTION WHEN others THEN RETURN NULL; END $$"""
_TYPES = {"replicas": "bigint", "ready": "bigint", "unschedulable": "boolean"}


async def make_views(config: Config) -> None:
    """Make them at a server's start; whoever may not make any goes on without."""
    endpoint = parse_endpoint(config.datastore_endpoint)
    if not isinstance(endpoint, PostgresUrl):
        return
    import psycopg  # noqa: PLC0415 - an extra

    from appliance.store.sql.postgres.views import ensure_views  # noqa: PLC0415

    info = postgres_conninfo(config, endpoint.url)
    try:
        await asyncio.to_thread(ensure_views, info, pg_views())
    except psycopg.Error as error:
        log.warning("no views of the objects in PostgreSQL", why=" ".join(str(error).split()))


def pg_views() -> tuple[str, ...]:
    """What makes them, whether or not they are there."""
    made = [_AS_JSON]
    for kind in kinds():
        made += [f'DROP VIEW IF EXISTS "{kind.plural}"', _view(kind)]
    return tuple(made)


def _view(kind: Kind[Any]) -> str:
    prefix = kind.storage_prefix()  # of our own making: letters, dots and slashes
    rest = f"substr(encode(key, 'escape'), {len(prefix) + 1})"
    name, namespace = rest, "NULL::text"
    if kind.namespaced:
        name = f"substr({rest}, strpos({rest}, '/') + 1)"
        namespace = f"split_part({rest}, '/', 1)"
    columns = "".join(f", {_column(name, path)}" for name, path in fields_of(kind).items())
    # OFFSET 0: each object is read once, and not once for each of its columns.
    return (
        f'CREATE VIEW "{kind.plural}" AS SELECT {namespace} AS namespace, {name} AS name'  # noqa: S608
        f"{columns}, revision, object FROM (SELECT key, revision, store_json(value) AS object"
        " FROM (SELECT DISTINCT ON (key) key, id >> 20 AS revision, deleted, value FROM history"
        f" WHERE key >= {_bytes(prefix)} AND key < {_bytes(prefix[:-1] + '0')}"
        " ORDER BY key, id DESC) AS newest WHERE deleted = 0 OFFSET 0) AS found"
    )


def _column(name: str, path: str) -> str:
    parts = ",".join(re.findall(r"\w+", path))
    if name == "labels":
        return f"object #> '{{{parts}}}' AS labels"
    cast = f"::{_TYPES[name]}" if name in _TYPES else ""
    return f"(object #>> '{{{parts}}}'){cast} AS {name}"


def _bytes(text: str) -> str:
    return f"'\\x{text.encode().hex()}'::bytea"
