"""A node from its parts: engine, pod network, agent, proxy and DNS.

It reaches the API over HTTPS with the node's own certificate, on a master as on any other node.
When it stops, pods, links and rules stay; the next agent adopts them.
"""

import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import structlog

from appliance.api.jointoken import ca_hash
from appliance.assembly.names import start_dns
from appliance.assembly.nodeclient import node_tls, open_client
from appliance.assembly.place import Place, find_place
from appliance.client.events import EventRecorder
from appliance.client.informer import Informers
from appliance.config.schema import Config
from appliance.kit.clock import SystemClock
from appliance.kit.nftables import nft_usable
from appliance.kit.tasks import Tasks
from appliance.node.agent import Agent
from appliance.node.images.pause import PAUSE_IMAGE
from appliance.node.network.base import Network
from appliance.node.network.bridge import BridgeNetwork
from appliance.node.network.ipam import gateway_of
from appliance.node.network.peers import PeerRoutes
from appliance.node.network.policies.guard import GuardedNetwork
from appliance.node.network.policies.kernel import KernelGuard
from appliance.node.network.policies.loop import PolicyLoop
from appliance.node.network.routes import Tunnel, network_id
from appliance.node.network.wiring import Wiring
from appliance.node.options import NodeOptions, ServeOptions, UpkeepOptions
from appliance.node.podrange import keep_range, own_range
from appliance.node.register import fresh_node
from appliance.node.resources import host_facts
from appliance.node.runtimes.detect import open_runtime
from appliance.proxy.backends.base import Backend
from appliance.proxy.backends.nftables import NftablesBackend
from appliance.proxy.backends.userspace import RelayOptions, UserspaceBackend
from appliance.proxy.dns.counts import Counts
from appliance.proxy.loop import ProxyLoop, ProxyOptions

log = structlog.get_logger(__name__)


@asynccontextmanager
async def worker(config: Config, tasks: Tasks) -> AsyncIterator[None]:
    """Run a node inside `tasks` until the context ends."""
    clock = SystemClock()
    place = find_place(config)
    async with AsyncExitStack() as stack:
        client = open_client(config)
        stack.push_async_callback(client.close)
        runtime = await open_runtime(config.runtime, config.runtime_endpoint, clock)
        stack.push_async_callback(runtime.close)
        options = node_options(config, place)
        options.data_dir.mkdir(parents=True, exist_ok=True)
        fresh = fresh_node(options, host_facts(options.data_dir))
        pod_cidr = await own_range(client, fresh, data_dir=options.data_dir, clock=clock)
        network: Network = open_network(config, place)
        await network.set_up(pod_cidr)
        recorder = EventRecorder(client, component="kubelet", clock=clock, host=place.node_name)
        _ = tasks.forever("events", recorder.run)
        informers = Informers(client, clock)
        counts = Counts()
        if "proxy" not in config.disable:
            listen = await start_dns(
                config, informers, tasks, address=gateway_of(pod_cidr), counts=counts
            )
            backend = _start_proxy(config, place, informers, tasks, dns_listen=listen)
            if isinstance(backend, UserspaceBackend):
                stack.push_async_callback(backend.clean_up)  # relays end with this process
        if "network-policy" not in config.disable:
            policies = PolicyLoop(
                informers,
                client,
                KernelGuard(place.cluster_id),
                node_name=place.node_name,
                clock=clock,
            )
            _ = tasks.spawn("policies", policies.run())
            network = GuardedNetwork(network, policies)
        peers = _peers(config, place, informers, pod_cidr=pod_cidr)
        _ = tasks.spawn("routes", peers.run())
        agent = Agent(
            client=client,
            runtime=runtime,
            network=network,
            options=replace(options, pod_cidr=pod_cidr),
            clock=clock,
            recorder=recorder,
            metrics=counts.text,
        )
        informers.start(tasks)
        _ = tasks.spawn("agent", agent.run())
        stack.push_async_callback(tasks.close)  # loops end before what they use is closed
        log.info("node agent runs", node=place.node_name, pods=pod_cidr)
        yield


def open_network(config: Config, place: Place) -> BridgeNetwork:
    """The pods' links on this host."""
    return BridgeNetwork(place.cluster_id, cluster_cidr=config.cluster_cidr, data_dir=config.data)


def node_options(config: Config, place: Place) -> NodeOptions:
    """What the agent must know, but for its pod range."""
    tls = node_tls(config)
    labels = dict(pair.partition("=")[::2] for pair in config.node_label)
    return NodeOptions(
        node_name=place.node_name,
        node_ip=place.node_ip,
        data_dir=config.data / "agent",
        storage_dir=_storage_dir(config),
        cluster_id=place.cluster_id,
        pause_image=PAUSE_IMAGE,
        cluster_dns=config.dns_address,
        cluster_domain=config.cluster_domain,
        labels=labels,
        taints=config.node_taint,
        serve=ServeOptions(
            port=config.kubelet_port,
            cert_path=tls / "serving.crt",
            key_path=tls / "serving.key",
            client_ca_path=tls / "client-ca.crt",
        ),
        kubernetes_host=place.kubernetes_ip,
        manifest_path=Path(config.manifest_path) if config.manifest_path else None,
        file_check_s=config.file_check_frequency,
        manifest_url=config.manifest_url,
        http_check_s=config.http_check_frequency,
        manifest_etcd=config.manifest_etcd,
        manifest_hosts=_host_names(place) if config.manifest_etcd else (),
        relist_s=config.sync_frequency,
        registries_path=Path(config.private_registry) if config.private_registry else None,
        ask_default_registry=not config.disable_default_registry_endpoint,
        upkeep=_upkeep(config),
    )


def _storage_dir(config: Config) -> Path:
    wanted = config.default_local_storage_path
    return Path(wanted).absolute() if wanted else config.data / "storage"


def _upkeep(config: Config) -> UpkeepOptions:
    """What the node keeps free.

    Raises:
        ValueError: a threshold or an amount can't be read; says which.
    """
    made = UpkeepOptions(
        eviction_hard=config.eviction_hard,
        eviction_soft=config.eviction_soft,
        eviction_soft_grace_period=config.eviction_soft_grace_period,
        eviction_max_pod_grace_period_s=config.eviction_max_pod_grace_period,
        eviction_pressure_transition_s=config.eviction_pressure_transition_period,
        eviction_minimum_reclaim=config.eviction_minimum_reclaim,
        kube_reserved=config.kube_reserved,
        system_reserved=config.system_reserved,
        image_gc_high_percent=config.image_gc_high_threshold,
        image_gc_low_percent=config.image_gc_low_threshold,
        image_minimum_age_s=config.minimum_image_ttl_duration,
        dead_per_container=config.maximum_dead_containers_per_container,
        dead_at_all=config.maximum_dead_containers,
    )
    made.check()
    return made


def _host_names(place: Place) -> tuple[str, ...]:
    """What this host is called in an etcd: as `hostname -f` says, and as the cluster does."""
    return (socket.getfqdn(), place.node_name)


def _peers(config: Config, place: Place, informers: Informers, *, pod_cidr: str) -> PeerRoutes:
    ca_pem = (node_tls(config) / "server-ca.crt").read_bytes()
    data_dir = config.data / "agent"
    return PeerRoutes(
        informers,
        Wiring(place.cluster_id),
        node_name=place.node_name,
        own=Tunnel(
            node_ip=place.node_ip, pod_cidr=pod_cidr, network_id=network_id(ca_hash(ca_pem))
        ),
        clock=SystemClock(),
        range_changed=lambda new: keep_range(data_dir, new),
    )


def _start_proxy(
    config: Config,
    place: Place,
    informers: Informers,
    tasks: Tasks,
    *,
    dns_listen: tuple[str, int] | None,
) -> Backend:
    clock = SystemClock()
    options = ProxyOptions(
        node_name=place.node_name, cluster_dns=config.dns_address, dns_listen=dns_listen
    )
    backend = open_backend(config, place)
    loop = ProxyLoop(informers, backend, options=options, clock=clock)
    _ = tasks.spawn("proxy", loop.run())
    return backend


def open_backend(config: Config, place: Place) -> Backend:
    """nftables where it works, unless told otherwise."""
    mode = config.proxy_mode
    if mode == "auto" and (why := nft_usable()):
        log.warning("services go through userspace relays", because=why)
        mode = "userspace"
    if mode == "userspace":
        return UserspaceBackend(relay_options(config, place), clock=SystemClock())
    return NftablesBackend(place.cluster_id, inside=config.cluster_cidr)


def relay_options(config: Config, place: Place) -> RelayOptions:
    """What the relays of the userspace proxy must know."""
    return RelayOptions(
        cluster_id=place.cluster_id,
        service_cidr=config.service_cidr,
        inside=config.cluster_cidr,
        log=config.data / "agent" / "relays.log",
    )
