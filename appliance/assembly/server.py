"""A master from its parts: store, registry, API server, scheduler, controllers, and the agent.

The order is the order of need: credentials, store, registry, first objects, API server, loops,
agent. It stops the other way round; the agent's containers go on running.
"""

import random
import ssl
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

import structlog

from appliance.assembly.childargs import agent_argv
from appliance.assembly.datastore import open_store, prefix_quotas
from appliance.assembly.ingress import ingress_options
from appliance.assembly.loops import Means, make_loops
from appliance.assembly.place import Place, find_place
from appliance.assembly.poduses import pod_uses
from appliance.assembly.rescued import tell_rescues
from appliance.assembly.store import etcd_face
from appliance.assembly.upkeep.doors import NODE_LEASES
from appliance.assembly.upkeep.pgviews import make_views
from appliance.client.base import Client
from appliance.client.kubeconfig import Access, write_kubeconfig
from appliance.config.schema import Config
from appliance.control.access.authn import CertificatesAndTokens, StaticToken
from appliance.control.access.tokenfile import read_tokens
from appliance.control.access.tokens.accounts import AccountTokens
from appliance.control.access.tokens.requests import TokenMaker
from appliance.control.aggregation.keeper import Aggregation
from appliance.control.aggregation.remote import Remotes
from appliance.control.aggregation.trust import FrontProxy, publish
from appliance.control.bootstrap import bootstrap
from appliance.control.credentials import Credentials, Names
from appliance.control.custom.catalog import Catalog
from appliance.control.custom.definitions import RESTART, Definitions
from appliance.control.http import auditpolicy
from appliance.control.http.app import Parts, build_app
from appliance.control.http.audit import AuditLog
from appliance.control.http.auditpolicy import read_policy
from appliance.control.http.forwarding import Forwarder
from appliance.control.http.health import Check
from appliance.control.http.server import ApiServer
from appliance.control.http.streams import NodeConnections
from appliance.control.http.tokens import TokenDoor
from appliance.control.http.usage import Usage
from appliance.control.joining.certificates import Authorities
from appliance.control.joining.door import Door, Facts
from appliance.control.joining.tokens import Tokens
from appliance.control.local import LocalClient
from appliance.control.masters import MasterEntry, Masters
from appliance.control.options import ControlOptions
from appliance.control.registry.base import User
from appliance.control.registry.registry import StoreRegistry
from appliance.control.registry.sealed import SealedStore, reseal
from appliance.control.sharing import share_credentials
from appliance.kit.child import Child
from appliance.kit.clock import Clock, SystemClock
from appliance.kit.pki import Request, Subject, sign_public_key
from appliance.kit.tasks import Tasks
from appliance.store.base import Store
from appliance.store.options import StoreOptions
from appliance.store.prefixquota import PrefixQuotas

log = structlog.get_logger(__name__)

_MAX_TXN_OPS = 10_000
"""More than etcd's 128: a whole namespace comes back in one transaction."""
_DAY_S = 86_400.0
MASTERS = ("system:masters",)


@asynccontextmanager
async def master(config: Config, tasks: Tasks) -> AsyncIterator[None]:
    """Run a master inside `tasks` until the context ends."""
    clock = SystemClock()
    place = find_place(config)
    async with AsyncExitStack() as stack:
        store, quotas = await _store(config, tasks, clock, stack)
        credentials = await _credentials(config, place, store, clock)
        ring = credentials.ring()
        if resealed := await reseal(store, ring):
            log.info("secrets sealed with the first key", count=resealed)
        control = _control_options(config, place)
        catalog = Catalog()
        registry = await stack.enter_async_context(
            StoreRegistry(
                SealedStore(store, ring),
                clock=clock,
                rng=random.SystemRandom(),
                options=control,
                find_kind=catalog.by_kind,
            )
        )
        client = LocalClient(registry, User(name="system:apiserver", groups=MASTERS), clock)
        stack.push_async_callback(client.close)
        ca_pem = (credentials.tls / "server-ca.crt").read_bytes()
        tokens = _tokens(credentials, registry, clock)
        # Several masters are told apart by name, and a name's lives by chance.
        identity = f"{place.node_name}_{uuid.uuid4().hex[:8]}" if store.shared else ""
        nodes, forwarder = _connections(credentials, stack)
        loops = make_loops(
            config,
            client,
            clock=clock,
            ca_pem=ca_pem,
            means=Means(
                sign_token=tokens.tokens.sign_legacy,
                sign_request=partial(_sign_client, credentials.authorities(), clock),
                ensure_api_service=partial(bootstrap, client, control, alone=not store.shared),
                pod_uses=partial(pod_uses, Usage(registry, nodes)),
                manifests=config.data / "server" / "manifests",
                ingress=ingress_options(config, place, credentials.authorities(), clock),
            ),
            catalog=catalog,
            identity=identity,
        )
        remotes = _remotes(credentials, registry, forwarder)
        parts = Parts(
            registry=registry,
            catalog=catalog,
            authenticator=CertificatesAndTokens(_static_tokens(config), tokens.tokens),
            audit=_audit_log(config, stack),
            tokens=tokens,
            clock=clock,
            checks=(_store_check(store), loops.check()),
            nodes=nodes,
            forwarder=forwarder,
            metrics=loops.figures(),
            aggregation=Aggregation(registry, catalog, remotes, clock),
            unguarded=_door(config, place, credentials, client).routes(),
        )
        # Before anybody can ask: roles decide who may.
        await _first_objects(client, control, credentials, alone=not store.shared)
        await tell_rescues(store, client, clock, place.node_name)
        await _follow(Definitions(registry, catalog, clock), parts.aggregation, tasks)
        server = await _serve(config, parts, credentials)
        stack.push_async_callback(server.stop)
        if config.etcd_listen_client_urls:
            await stack.enter_async_context(etcd_face(config, store, clock, quotas))
        _write_kubeconfigs(config, credentials, server.port)
        loops.start(tasks)
        if store.shared:
            entry = MasterEntry(place.advertise_address, server.port)
            masters = Masters(store, client, identity=identity, entry=entry, clock=clock)
            await stack.enter_async_context(masters.among_others(tasks))
        if not config.disable_agent:
            _ = tasks.forever("agent", Child(agent_argv(config, place, server.port)).run)
        stack.push_async_callback(loops.resign)
        stack.push_async_callback(tasks.close)  # loops end before what they use is closed
        log.info("api server listens", port=server.port, data_dir=config.data_dir)
        yield


async def _store(
    config: Config, tasks: Tasks, clock: Clock, stack: AsyncExitStack
) -> tuple[Store, PrefixQuotas]:
    quotas = prefix_quotas(config)
    store = await open_store(config, _store_options(config, quotas), clock)
    stack.push_async_callback(store.close)
    await quotas.start(store, tasks)
    await make_views(config)
    return store, quotas


def _store_options(config: Config, quotas: PrefixQuotas) -> StoreOptions:
    return StoreOptions(
        ephemeral_prefixes=(NODE_LEASES,),
        max_txn_ops=_MAX_TXN_OPS,
        retain_s=config.history_retention,
        admit=quotas.hook,
    )


def _control_options(config: Config, place: Place) -> ControlOptions:
    return ControlOptions(
        service_cidr=config.service_cidr,
        advertise_address=place.advertise_address,
        advertise_port=config.https_listen_port,
        cluster_domain=config.cluster_domain,
        not_ready_s=config.default_not_ready_toleration_seconds,
        unreachable_s=config.unreachable_toleration_s,
        local_storage=_has_local_storage(config),
    )


def _has_local_storage(config: Config) -> bool:
    return "local-storage" not in config.disable and not config.disable_controller_manager


def _remotes(credentials: Credentials, registry: StoreRegistry, forwarder: Forwarder) -> Remotes:
    """Ways to API servers that answer for groups of their own."""
    tls = credentials.tls
    front = FrontProxy(tls / "front-proxy.crt", tls / "front-proxy.key")
    return Remotes(registry.lookup, forwarder, front, random.SystemRandom())


async def _first_objects(
    client: Client, options: ControlOptions, credentials: Credentials, *, alone: bool
) -> None:
    """What a cluster starts with; other API servers learn from it whom to believe."""
    await bootstrap(client, options, alone=alone)
    ca, front = (credentials.tls / f"{n}.crt" for n in ("client-ca", "request-header-ca"))
    await publish(client, client_ca_pem=ca.read_bytes(), front_ca_pem=front.read_bytes())


def _connections(
    credentials: Credentials, stack: AsyncExitStack
) -> tuple[NodeConnections, Forwarder]:
    """Connections to nodes, and to whatever requests are passed on to."""
    nodes, forwarder = NodeConnections(_node_tls(credentials)), Forwarder()
    stack.push_async_callback(nodes.aclose)
    stack.push_async_callback(forwarder.aclose)
    return nodes, forwarder


async def _follow(definitions: Definitions, aggregation: Aggregation | None, tasks: Tasks) -> None:
    """Serve users' kinds, those that there are at once, and look after what others serve."""
    await definitions.load()
    _ = tasks.forever("definitions", definitions.run, RESTART)
    if aggregation is not None:
        _ = tasks.forever("aggregation", aggregation.run, RESTART)


async def _credentials(config: Config, place: Place, store: Store, clock: Clock) -> Credentials:
    credentials = Credentials(config.data)
    names = Names(
        node_name=place.node_name,
        node_ip=place.node_ip,
        api_names=(*place.api_names, *config.tls_san),
    )
    token = _token(config)
    if store.shared:
        await share_credentials(store, credentials, token=token, now=clock.wall())
    credentials.ensure(names, now=clock.wall(), token=token)
    return credentials


def _static_tokens(config: Config) -> list[StaticToken]:
    path = config.token_auth_file
    try:
        return read_tokens(Path(path).read_text()) if path else []
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _audit_log(config: Config, stack: AsyncExitStack) -> AuditLog | None:
    if not config.audit_log_path:
        return None
    path = config.audit_policy_file
    try:
        policy = read_policy(Path(path).read_text()) if path else auditpolicy.DEFAULT
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    audit = AuditLog(Path(config.audit_log_path), policy)
    stack.callback(audit.close)
    return audit


def _sign_client(authorities: Authorities, clock: Clock, request: Request, seconds: float) -> bytes:
    """A certificate that names a user and groups to the API server."""
    subject = Subject(
        common_name=request.common_name,
        organizations=request.organizations,
        client=True,
        days=seconds / _DAY_S,
    )
    return sign_public_key(authorities.client, request.public_key, subject, now=clock.wall())


def _tokens(credentials: Credentials, registry: StoreRegistry, clock: Clock) -> TokenDoor:
    """Tokens of service accounts, signed with the cluster's key for them."""
    tokens = AccountTokens(credentials.service_account_key(), registry.lookup, clock)
    maker = TokenMaker(tokens, registry.lookup, clock=clock, rng=random.SystemRandom())
    return TokenDoor(tokens=tokens, maker=maker, clock=clock)


def _token(config: Config) -> str:
    """The token that was given, if one was."""
    return Path(config.token_file).read_text().strip() if config.token_file else config.token


def _door(config: Config, place: Place, credentials: Credentials, client: Client) -> Door:
    clock = SystemClock()
    return Door(
        client,
        Tokens(client, cluster_token=credentials.token(), clock=clock),
        facts=Facts(
            cluster_cidr=config.cluster_cidr,
            service_cidr=config.service_cidr,
            cluster_dns=config.dns_address,
            cluster_domain=config.cluster_domain,
            api_names=frozenset((*place.api_names, *config.tls_san)),
        ),
        authorities=credentials.authorities(),
        clock=clock,
    )


async def _serve(config: Config, parts: Parts, credentials: Credentials) -> ApiServer:
    tls = credentials.tls
    server = ApiServer(
        build_app(parts),
        host=config.bind_address,
        port=config.https_listen_port,
        cert_pem_path=tls / "serving.crt",
        key_pem_path=tls / "serving.key",
        client_ca_path=tls / "client-ca.crt",
    )
    await server.start()
    return server


def _node_tls(credentials: Credentials) -> ssl.SSLContext:
    """How we reach the nodes' own HTTPS APIs."""
    tls = credentials.tls
    context = ssl.create_default_context(cafile=str(tls / "server-ca.crt"))
    context.load_cert_chain(tls / "kubelet-client.crt", tls / "kubelet-client.key")
    return context


def _store_check(store: Store) -> Check:
    async def ask() -> None:
        await store.status()

    return Check("store", ask)


def _write_kubeconfigs(config: Config, credentials: Credentials, port: int) -> None:
    tls = credentials.tls
    access = Access(
        server=f"https://127.0.0.1:{port}",
        ca_pem=(tls / "server-ca.crt").read_bytes(),
        cert_pem=(tls / "admin.crt").read_bytes(),
        key_pem=(tls / "admin.key").read_bytes(),
    )
    write_kubeconfig(config.data / "server" / "admin.kubeconfig", access)
    if config.write_kubeconfig:
        mode = int(config.write_kubeconfig_mode, 8)
        write_kubeconfig(Path(config.write_kubeconfig), access, mode=mode)
