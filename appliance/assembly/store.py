"""The store in front of etcd clients: alone (`appliance store`), and as a master's second face.

Alone it keeps history until clients compact it (or `auto-compaction-retention` has passed), as
etcd does. On a master, clients see what the API server keeps under /registry.
"""

import json
import random
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import structlog

from appliance.assembly.datastore import open_store, prefix_quotas
from appliance.config.schema import Config
from appliance.config.urls import ListenUrl, listen_urls
from appliance.kit.atomicfile import write_atomic
from appliance.kit.clock import Clock, SystemClock
from appliance.kit.tasks import Tasks
from appliance.store.base import Store
from appliance.store.options import StoreOptions
from appliance.store.prefixquota import PrefixQuotas
from appliance.store.serve.auth.jwt import signed_tokens
from appliance.store.serve.auth.tokens import SimpleTokens, TokenMaker
from appliance.store.serve.browsers import Browsers
from appliance.store.serve.identity import Identity
from appliance.store.serve.limits import Limits
from appliance.store.serve.server import EtcdServer, ServeOptions

log = structlog.get_logger(__name__)


@asynccontextmanager
async def store_alone(config: Config, tasks: Tasks) -> AsyncIterator[None]:
    """Run the store for etcd clients until the context ends."""
    clock = SystemClock()
    folder = store_folder(config)
    async with AsyncExitStack() as stack:
        kept, quotas = config.auto_compaction, prefix_quotas(config)
        options = StoreOptions(
            keep_history_s=kept.keep_s,
            keep_revisions=kept.keep_revisions,
            max_txn_ops=config.max_txn_ops,
            max_request_bytes=config.max_request_bytes,
            admit=quotas.hook,
        )
        store = await open_store(config, options, clock)
        stack.push_async_callback(store.close)
        await quotas.start(store, tasks)
        stack.push_async_callback(tasks.close)
        urls = config.listen_client_urls
        identity = _identity(folder, config.name, config.advertise_client_urls or urls)
        server = EtcdServer(store, identity, clock, _serve_options(config, clock, quotas))
        stack.push_async_callback(server.stop)
        await _listen(server, listen_urls(urls), _tls(config))
        for url in listen_urls(config.listen_metrics_urls):
            tls = _tls(config) if url.scheme == "https" else None
            port = await server.listen_for_probes(url.host, url.port, tls)
            log.info("metrics and health are served", url=f"{url.scheme}://{url.host}:{port}")
        yield


@asynccontextmanager
async def etcd_face(
    config: Config, store: Store, clock: Clock, quotas: PrefixQuotas | None = None
) -> AsyncIterator[None]:
    """Let etcd clients at a master's store.

    The default address is taken if it is free: several masters on one host need not be told
    apart. An address that was asked for must be had.
    """
    urls = listen_urls(config.etcd_listen_client_urls)
    asked = config.origins.get("etcd-listen-client-urls", "default") != "default"
    identity = _identity(store_folder(config), "default", config.etcd_listen_client_urls)
    server = EtcdServer(store, identity, clock, ServeOptions(prefix_quotas=quotas))
    try:
        await _listen(server, urls, None)
    except OSError as error:
        await server.stop()
        if asked:
            raise
        log.warning(
            "no etcd clients are served: the default address is taken",
            urls=config.etcd_listen_client_urls,
            why=str(error),
            remedy="choose one with --etcd-listen-client-urls",
        )
    try:
        yield
    finally:
        await server.stop()


def store_folder(config: Config) -> Path:
    """Where the store's file is, alone or not."""
    return config.data / "server" / "db"


async def _listen(
    server: EtcdServer, urls: tuple[ListenUrl, ...], tls: ssl.SSLContext | None
) -> None:
    for url in urls:
        port = await server.listen(url.host, url.port, tls if url.scheme == "https" else None)
        log.info("etcd clients are served", url=f"{url.scheme}://{url.host}:{port}")
        if url.is_open:
            log.warning(
                "whoever reaches this address can read and write the store",
                url=f"{url.scheme}://{url.host}:{port}",
                remedy="use https with trusted-ca-file, or 127.0.0.1",
            )


def _serve_options(config: Config, clock: Clock, quotas: PrefixQuotas) -> ServeOptions:
    """How clients are told apart.

    Raises:
        TokenOptionError: auth-token names what cannot be used.
    """
    kind, _, options = config.auth_token.partition(",")
    tokens: TokenMaker = (
        signed_tokens(options, clock)
        if kind == "jwt"
        else SimpleTokens(clock, config.auth_token_ttl)
    )
    return ServeOptions(
        tokens=tokens,
        client_cert_auth=config.client_cert_auth,
        quota_bytes=config.quota_backend_bytes,
        prefix_quotas=quotas,
        browsers=Browsers(hosts=config.host_whitelist, origins=config.cors),
        limits=Limits(
            max_request_bytes=config.max_request_bytes,
            max_streams=config.max_concurrent_streams,
            progress_interval_s=config.watch_progress_notify_interval,
        ),
    )


def _tls(config: Config) -> ssl.SSLContext | None:
    """TLS for listeners; with a CA, clients must have a certificate of it."""
    if not config.cert_file:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(config.cert_file, config.key_file)
    if config.trusted_ca_file:
        context.load_verify_locations(config.trusted_ca_file)
    elif config.client_cert_auth:
        context.load_default_certs(ssl.Purpose.CLIENT_AUTH)
    if config.trusted_ca_file or config.client_cert_auth:
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _identity(folder: Path, name: str, client_urls: str) -> Identity:
    """Ids are drawn once and kept beside the store: clients notice when they change."""
    file = folder / "member.json"
    if not file.exists():
        rng = random.SystemRandom()
        drawn = {"cluster_id": rng.getrandbits(64) | 1, "member_id": rng.getrandbits(64) | 1}
        write_atomic(file, json.dumps(drawn).encode())
    ids = json.loads(file.read_text())
    return Identity(
        cluster_id=int(ids["cluster_id"]),
        member_id=int(ids["member_id"]),
        name=name,
        client_urls=tuple(part.strip() for part in client_urls.split(",") if part.strip()),
    )
