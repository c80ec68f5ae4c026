"""Ways to a store: its file for reading, and for writing the server that owns it, or the file.

A running server is reached as any etcd client reaches it, and only if its identity is the one
that lies beside the file: another cluster may answer at the same address.
"""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path

from appliance.assembly.datastore import open_store, postgres_conninfo
from appliance.config.datastore import PostgresUrl, SqliteFile, parse_endpoint
from appliance.config.schema import Config
from appliance.config.urls import listen_urls
from appliance.kit.clock import Clock
from appliance.store.base import Store
from appliance.store.errors import InUse, Unavailable
from appliance.store.options import StoreOptions
from appliance.store.remote.endpoints import Endpoint, EtcdAddress
from appliance.store.remote.store import EtcdStore
from appliance.store.sql.store import SqlStore
from appliance.store.upkeep.archive import Archive, FileArchive

NODE_LEASES = b"/registry/leases/kube-node-lease/"
"""Heartbeats live in memory only: an idle cluster writes nothing to disk."""

_VISIT = StoreOptions(
    keep_history_s=0, max_txn_ops=1_000_000, max_request_bytes=1 << 30, caretaker=False
)
_ETCD = (
    "an etcd keeps neither times nor authors, and nothing that was compacted: use `etcdctl get"
    " --rev`, `etcdctl snapshot save` and `restore` (docs/datastores.md)"
)


class UpkeepFault(Exception):
    """It can't be done; `str()` says why and what to do."""


def store_file(config: Config) -> Path:
    """The store's file, alone or not.

    Raises:
        UpkeepFault: the server keeps its state elsewhere.
    """
    endpoint = parse_endpoint(config.datastore_endpoint)
    if not isinstance(endpoint, SqliteFile):
        raise UpkeepFault(
            "only a file can be filled: leave out --datastore-endpoint, then `appliance migrate`"
            " it into PostgreSQL, or `etcdctl snapshot save` it for an etcd (docs/datastores.md)"
        )
    return endpoint.path or config.data / "server" / "db" / "state.db"


@contextmanager
def archive_of(config: Config) -> Iterator[Archive]:
    """Read the store of a cluster that may be running.

    Raises:
        UpkeepFault: a real etcd has it, which keeps no such things.
    """
    archive = _archive(config)
    try:
        yield archive
    finally:
        archive.close()


def _archive(config: Config) -> Archive:
    match parse_endpoint(config.datastore_endpoint):
        case SqliteFile():
            return FileArchive(store_file(config))
        case PostgresUrl(url):
            info = postgres_conninfo(config, url)
            from appliance.store.upkeep.pgarchive import PostgresArchive  # noqa: PLC0415 - an extra

            return PostgresArchive(info)
        case _:
            raise UpkeepFault(_ETCD)


@asynccontextmanager
async def writable(config: Config, clock: Clock) -> AsyncIterator[Store]:
    """The file itself if nobody has it, else the server that has; a database beside its servers.

    Raises:
        UpkeepFault: that server cannot be reached, or a real etcd has the store.
    """
    endpoint = parse_endpoint(config.datastore_endpoint)
    store: Store
    if isinstance(endpoint, SqliteFile):
        try:
            options = replace(_VISIT, retain_s=config.history_retention)  # as the server keeps it
            store = await SqlStore.open(store_file(config), options, clock)
        except InUse:
            store = await _of_server(config, clock)
    elif isinstance(endpoint, PostgresUrl):
        store = await open_store(config, _VISIT, clock)
    else:
        raise UpkeepFault(_ETCD)
    try:
        yield store
    finally:
        await store.close()


async def _of_server(config: Config, clock: Clock) -> Store:
    urls = listen_urls(config.etcd_listen_client_urls)
    remedy = (
        "name the address with --etcd-listen-client-urls, or stop the server: then the file is"
        " written itself"
    )
    if not urls:
        raise UpkeepFault(f"the server does not listen for etcd clients; {remedy}")
    address = EtcdAddress(tuple(Endpoint(url.host, url.port) for url in urls))
    try:
        store = await EtcdStore.open(address, StoreOptions(keep_history_s=0), clock)
    except Unavailable as error:
        raise UpkeepFault(
            f"the server that has the store is not reached ({error}); {remedy}"
        ) from error
    known = json.loads((store_file(config).parent / "member.json").read_text())["cluster_id"]
    if await store.cluster_id() != int(known):
        await store.close()
        raise UpkeepFault(f"another store answers at {config.etcd_listen_client_urls}; {remedy}")
    return store
