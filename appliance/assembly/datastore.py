"""The store that the configuration asks for: a file, PostgreSQL, or a cluster of etcd."""

import ssl

from appliance.config.datastore import EtcdUrls, PostgresUrl, SqliteFile, parse_endpoint
from appliance.config.schema import Config
from appliance.kit.clock import Clock
from appliance.store.base import Store
from appliance.store.errors import Unusable
from appliance.store.options import StoreOptions
from appliance.store.prefixquota import PrefixQuotas
from appliance.store.remote.endpoints import Endpoint, EtcdAddress
from appliance.store.remote.store import EtcdStore
from appliance.store.upkeep.rescue import open_or_rescue


async def open_store(config: Config, options: StoreOptions, clock: Clock) -> Store:
    """Open it.

    Raises:
        Unusable, Unavailable: it cannot be used; the text says why and what to do.
    """
    match parse_endpoint(config.datastore_endpoint):
        case SqliteFile(path):
            usual = config.data / "server" / "db" / "state.db"
            return await open_or_rescue(path or usual, options, clock)
        case PostgresUrl(url):
            return await _open_postgres(config, url, options, clock)
        case EtcdUrls(members, tls):
            endpoints = tuple(Endpoint(host, port) for host, port in members)
            address = EtcdAddress(endpoints, _tls(config) if tls else None)
            return await EtcdStore.open(address, options, clock)


def prefix_quotas(config: Config) -> PrefixQuotas:
    """The quotas of prefixes; whoever opens the store gives it their hook, and starts them."""
    limits = {prefix.encode(): limit for prefix, limit in config.prefix_quotas.items()}
    return PrefixQuotas(limits)


async def _open_postgres(config: Config, url: str, options: StoreOptions, clock: Clock) -> Store:
    info = postgres_conninfo(config, url)
    from appliance.store.sql.postgres.store import PostgresStore  # noqa: PLC0415 - an extra

    return await PostgresStore.open(info, options, clock)


def postgres_conninfo(config: Config, url: str) -> str:
    """What the driver wants to know.

    Raises:
        Unusable: there is no driver.
    """
    try:
        # An extra: a host with a file of its own needs no driver.
        from appliance.store.sql.postgres.database import conninfo  # noqa: PLC0415
    except ImportError as missing:
        raise Unusable(
            f"PostgreSQL needs its driver ({missing}); install appliance[postgres]"
        ) from missing
    return conninfo(
        url,
        sslrootcert=config.datastore_cafile,
        sslcert=config.datastore_certfile,
        sslkey=config.datastore_keyfile,
    )


def _tls(config: Config) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=config.datastore_cafile or None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["h2"])
    if config.datastore_certfile:
        context.load_cert_chain(config.datastore_certfile, config.datastore_keyfile)
    return context
