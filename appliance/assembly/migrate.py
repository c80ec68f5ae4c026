"""Move a stopped server's state from its file to PostgreSQL (`appliance migrate`)."""

from dataclasses import dataclass

from appliance.config.datastore import PostgresUrl, parse_endpoint
from appliance.config.schema import Config
from appliance.kit.clock import Clock
from appliance.store.errors import Unusable


@dataclass(frozen=True, slots=True)
class Migrated:
    """What was copied, and the revision that the store is at now."""

    rows: int
    revision: int


async def migrate(config: Config, clock: Clock) -> Migrated:
    """Copy the file under data-dir into the database that datastore-endpoint names.

    Raises:
        Unusable, Unavailable: it can't be done; the text says why.
    """
    endpoint = parse_endpoint(config.datastore_endpoint)
    if not isinstance(endpoint, PostgresUrl):
        raise Unusable(
            "--datastore-endpoint must name a PostgreSQL database; an etcd is filled with"
            " `etcdctl snapshot save` and `restore` (docs/datastores.md)"
        )
    from appliance.assembly.datastore import postgres_conninfo  # noqa: PLC0415 - an extra
    from appliance.store.sql.postgres.importing import import_file  # noqa: PLC0415

    info = postgres_conninfo(config, endpoint.url)
    source = config.data / "server" / "db" / "state.db"
    rows, revision = await import_file(source, info, now_ms=int(clock.wall() * 1000))
    return Migrated(rows, revision)
