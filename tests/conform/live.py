"""A whole API server on a free loopback port: MemoryStore, real TLS, an admin kubeconfig.

FOLDER gets the certificates too: ca, serving, admin, and `node` for a node that a test plays.

Used by the fixtures here and in `tests/contract`; by hand, to replay recordings against:

    python -m tests.conform.live FOLDER [PORT]     until interrupted; FOLDER/admin.kubeconfig
"""

import asyncio
import random
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from appliance.client.kubeconfig import Access, write_kubeconfig
from appliance.control.access.authn import CertificatesAndTokens, StaticToken
from appliance.control.access.tokens.accounts import AccountTokens
from appliance.control.access.tokens.requests import TokenMaker
from appliance.control.aggregation.keeper import Aggregation
from appliance.control.aggregation.remote import Remotes
from appliance.control.aggregation.trust import FRONT_PROXY, FrontProxy
from appliance.control.bootstrap import bootstrap
from appliance.control.custom.catalog import Catalog
from appliance.control.http.app import Parts, build_app
from appliance.control.http.forwarding import Forwarder
from appliance.control.http.server import ApiServer
from appliance.control.http.streams import NodeConnections
from appliance.control.http.tokens import TokenDoor
from appliance.control.local import LocalClient
from appliance.control.options import ControlOptions
from appliance.control.registry.base import User
from appliance.control.registry.registry import StoreRegistry
from appliance.kit.clock import SystemClock
from appliance.kit.pki import KeyPair, Subject, issue, new_ca, new_key_pem
from appliance.store.memory import MemoryStore

TOKEN = "t0ken"
RING = 200
"""Past events a watch can start from; few, so that tests get beyond them."""


@dataclass(frozen=True)
class Live:
    """What is running, and how to get in."""

    server: ApiServer
    registry: StoreRegistry
    access: Access
    kubeconfig: Path
    ca: KeyPair
    tokens: AccountTokens
    aggregation: Aggregation
    """Not running, unless a test runs it."""

    def access_of(self, user: str, *groups: str) -> Access:
        """Credentials of somebody else, signed by the same CA."""
        subject = Subject(common_name=user, organizations=groups, client=True)
        pair = issue(self.ca, subject, now=SystemClock().wall())
        return replace(self.access, cert_pem=pair.cert_pem, key_pem=pair.key_pem)


@asynccontextmanager
async def live(folder: Path, port: int = 0) -> AsyncIterator[Live]:
    """Run an API server while the block lasts."""
    clock = SystemClock()
    now = clock.wall()
    ca = new_ca("test-ca", now=now)
    masters = ("system:masters",)
    loopback = Subject(common_name="loopback", sans=("127.0.0.1",), server=True)
    (folder / "ca.crt").write_bytes(ca.cert_pem)
    for name in ("serving", "node"):
        _write(folder / name, issue(ca, loopback, now=now))
    admin = issue(ca, Subject(common_name="root", organizations=masters, client=True), now=now)
    _write(folder / "admin", admin)
    front_proxy = Subject(common_name=FRONT_PROXY, client=True)
    _write(folder / "front-proxy", issue(ca, front_proxy, now=now))
    to_nodes = ssl.create_default_context(cafile=str(folder / "ca.crt"))
    to_nodes.load_cert_chain(folder / "admin.crt", folder / "admin.key")
    nodes, forwarder = NodeConnections(to_nodes), Forwarder()
    store = MemoryStore(clock)
    options = ControlOptions(ring_size=RING, advertise_address="192.0.2.1")
    async with StoreRegistry(
        store, clock=clock, rng=random.SystemRandom(), options=options
    ) as registry:
        # as the recorded server: its first objects are there, what was before is compacted
        client = LocalClient(
            registry, User(name="system:apiserver", groups=("system:masters",)), clock
        )
        await bootstrap(client, options)
        await client.close()
        await store.compact((await store.status()).revision)
        static = [StaticToken(TOKEN, User(name="admin", groups=masters))]
        tokens = AccountTokens(new_key_pem(), registry.lookup, clock)
        rng = random.SystemRandom()
        maker = TokenMaker(tokens, registry.lookup, clock=clock, rng=rng)
        catalog = Catalog()
        front = FrontProxy(folder / "front-proxy.crt", folder / "front-proxy.key")
        remotes = Remotes(registry.lookup, forwarder, front, rng)
        aggregation = Aggregation(registry, catalog, remotes, clock)
        parts = Parts(
            catalog=catalog,
            aggregation=aggregation,
            registry=registry,
            authenticator=CertificatesAndTokens(static, tokens),
            tokens=TokenDoor(tokens=tokens, maker=maker, clock=clock),
            clock=clock,
            nodes=nodes,
            forwarder=forwarder,
        )
        server = ApiServer(
            build_app(parts),
            host="127.0.0.1",
            port=port,
            cert_pem_path=folder / "serving.crt",
            key_pem_path=folder / "serving.key",
            client_ca_path=folder / "ca.crt",
        )
        await server.start()
        access = Access(
            server=f"https://127.0.0.1:{server.port}",
            ca_pem=ca.cert_pem,
            cert_pem=admin.cert_pem,
            key_pem=admin.key_pem,
        )
        path = folder / "admin.kubeconfig"
        write_kubeconfig(path, access)
        try:
            yield Live(server, registry, access, path, ca, tokens, aggregation)
        finally:
            await server.stop()
            await nodes.aclose()
            await forwarder.aclose()
        assert registry.mutated() == (), "somebody changed an object from a cache"
    await store.close()


def _write(base: Path, pair: KeyPair) -> None:
    base.with_suffix(".crt").write_bytes(pair.cert_pem)
    base.with_suffix(".key").write_bytes(pair.key_pem)


async def _until_interrupted(folder: Path, port: int) -> None:

    async with live(folder, port) as running:
        sys.stdout.write(f"KUBECONFIG={running.kubeconfig}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    Path(sys.argv[1]).mkdir(parents=True, exist_ok=True)
    wanted_port = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    with asyncio.Runner() as runner:
        runner.run(_until_interrupted(Path(sys.argv[1]), wanted_port))
