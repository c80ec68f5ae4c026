"""A master over real TLS on loopback, and a host that wants to join it."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from appliance.api import jointoken
from appliance.api.kinds.core.namespace import NAMESPACE, Namespace
from appliance.api.kinds.core.secret import SECRET
from appliance.api.meta import ObjectMeta
from appliance.assembly.joining import join
from appliance.client.kubeconfig import Access, write_kubeconfig
from appliance.config.schema import Config
from appliance.control.access.authn import CertificatesAndTokens, StaticToken
from appliance.control.credentials import Credentials, Names
from appliance.control.http.app import Parts, build_app
from appliance.control.http.server import ApiServer
from appliance.control.joining.door import Door, Facts
from appliance.control.joining.tokens import Tokens
from appliance.control.local import LocalClient
from appliance.control.registry.base import User
from appliance.control.registry.registry import StoreRegistry
from appliance.kit.clock import SystemClock
from appliance.store.memory import MemoryStore

CLOCK = SystemClock()
BEARER = "k3x9ab.0123456789abcdef"
NAMES = Names(node_name="master", node_ip="192.0.2.1", api_names=("kubernetes", "127.0.0.1"))
FACTS = Facts(
    cluster_cidr="10.1.0.0/16",
    service_cidr="10.2.0.0/16",
    cluster_dns="10.2.0.10",
    cluster_domain="example.test",
    api_names=frozenset({"kubernetes", "127.0.0.1", "192.0.2.1", "master"}),
)


@dataclass
class Master:
    """A server that knows one token, and a host that wants to join."""

    client: LocalClient
    url: str
    ca_pem: bytes
    host: Config

    def token(self, bearer: str = BEARER) -> str:
        return jointoken.JoinToken(jointoken.ca_hash(self.ca_pem), bearer).text()

    async def remember(self, bearer: str, expires: float | None) -> None:
        await self.client.create(
            SECRET, jointoken.to_secret(bearer, description="", expires=expires)
        )

    async def join(self, token: str, **changes: str) -> Config:
        return await join(replace(self.host, token=token, **changes), CLOCK)  # type: ignore[arg-type]


@asynccontextmanager
async def running_master(tmp_path: Path) -> AsyncIterator[Master]:
    """Run one with its data under `master`."""
    credentials = Credentials(tmp_path / "master")
    credentials.ensure(NAMES, now=CLOCK.wall(), token="word")
    store = MemoryStore(CLOCK)
    async with StoreRegistry(store, clock=CLOCK, rng=random.Random(1)) as registry:  # noqa: S311
        admin = User(name="admin", groups=("system:masters",))
        client = LocalClient(registry, admin, CLOCK)
        await client.create(NAMESPACE, Namespace(metadata=ObjectMeta(name="kube-system")))
        tokens = Tokens(client, cluster_token="word", clock=CLOCK)
        authorities = credentials.authorities()
        door = Door(client, tokens, facts=FACTS, authorities=authorities, clock=CLOCK)
        tls = credentials.tls
        server = ApiServer(
            build_app(
                Parts(
                    registry=registry,
                    authenticator=CertificatesAndTokens([StaticToken("word", admin)]),
                    unguarded=door.routes(),
                )
            ),
            host="127.0.0.1",
            port=0,
            cert_pem_path=tls / "serving.crt",
            key_pem_path=tls / "serving.key",
            client_ca_path=tls / "client-ca.crt",
        )
        await server.start()
        url = f"https://127.0.0.1:{server.port}"
        host = Config(
            role="agent",
            data_dir=str(tmp_path / "host"),
            server=url,
            node_name="pi-2",
            node_ip="192.0.2.2",
        )
        write_kubeconfig(
            tmp_path / "master" / "server" / "admin.kubeconfig",
            Access(server=url, ca_pem=(tls / "server-ca.crt").read_bytes(), token="word"),
        )
        made = Master(client, url, (tls / "server-ca.crt").read_bytes(), host)
        await made.remember(BEARER, None)
        yield made
        await server.stop()
        await client.close()
    await store.close()
