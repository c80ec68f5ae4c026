"""A master from its parts: store, registry, API server, scheduler, controllers, and the agent.

The order is the order of need: credentials, store, registry, first objects, API server, loops,
agent. It stops the other way round; the agent's containers go on running.
"""

import random
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import structlog

from appliance.assembly.place import Place, find_place
from appliance.client.base import Client
from appliance.client.events import EventRecorder
from appliance.client.informer import Informers
from appliance.client.controller import Runner
from appliance.client.kubeconfig import Access, write_kubeconfig
from appliance.config.schema import Config
from appliance.control.access.authn import CertificatesAndTokens, StaticToken
from appliance.control.bootstrap import bootstrap
from appliance.control.controllers.table import build as build_controllers
from appliance.control.credentials import Credentials, Names
from appliance.control.http.app import Parts, build_app
from appliance.control.http.health import Check
from appliance.control.http.server import ApiServer
from appliance.control.http.streams import NodeConnections
from appliance.control.local import LocalClient
from appliance.control.options import ControlOptions
from appliance.control.registry.base import Registry, User
from appliance.control.registry.registry import StoreRegistry
from appliance.control.scheduler.loop import Scheduler
from appliance.kit.child import Child
from appliance.kit.clock import SystemClock
from appliance.kit.tasks import Tasks
from appliance.store.base import Store
from appliance.store.options import StoreOptions
from appliance.store.sql.store import SqlStore

log = structlog.get_logger(__name__)

NODE_LEASES = b"/registry/leases/kube-node-lease/"
"""Heartbeats live in memory only: an idle cluster writes nothing to disk."""
MASTERS = ("system:masters",)


@asynccontextmanager
async def master(config: Config, tasks: Tasks) -> AsyncIterator[None]:
    """Run a master inside `tasks` until the context ends."""
    clock = SystemClock()
    place = find_place(config)
    credentials = Credentials(config.data)
    names = Names(
        node_name=place.node_name,
        node_ip=place.node_ip,
        api_names=(*place.api_names, *config.tls_san),
    )
    credentials.ensure(names, now=clock.wall(), token=config.token)
    async with AsyncExitStack() as stack:
        options = StoreOptions(ephemeral_prefixes=(NODE_LEASES,))
        store = await SqlStore.open(config.data / "server" / "db" / "state.db", options, clock)
        stack.push_async_callback(store.close)
        control = ControlOptions(
            service_cidr=config.service_cidr,
            advertise_address=place.advertise_address,
            advertise_port=config.https_listen_port,
            cluster_domain=config.cluster_domain,
        )
        registry = await stack.enter_async_context(
            StoreRegistry(store, clock=clock, rng=random.SystemRandom(), options=control)
        )
        client = LocalClient(registry, User(name="system:apiserver", groups=MASTERS), clock)
        stack.push_async_callback(client.close)
        await bootstrap(client, control)
        checks, start_loops = _loops(config, client, clock, credentials)
        server = await _serve(config, registry, store, credentials, checks)
        stack.push_async_callback(server.stop)
        _write_kubeconfigs(config, credentials, server.port)
        start_loops(tasks)
        if not config.disable_agent:
            _ = tasks.forever("agent", Child(_agent_argv(config, place, server.port)).run)
        log.info("api server ready", port=server.port, data_dir=config.data_dir)
        yield
