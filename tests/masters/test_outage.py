"""The database goes away for longer than a Lease lasts, and comes back: nothing is started anew."""

import asyncio
import time
from pathlib import Path

import pytest

from appliance.api.errors import ApiError
from appliance.api.kinds.core.configmap import CONFIG_MAP
from appliance.api.kinds.core.replicationcontroller import REPLICATION_CONTROLLER
from appliance.client.base import PatchType
from tests.contract.databases import postgres
from tests.masters.servers import Server, servers
from tests.masters.test_several_masters import (
    TOKEN,
    add_node,
    bound,
    controller,
    make,
)

pytestmark = [pytest.mark.slow, pytest.mark.e2e, pytest.mark.timeout(180)]
_AWAY_S = 20.0  # a Lease lasts 15 s


async def test_servers_outlive_their_database(tmp_path: Path) -> None:
    with postgres("fsync=on") as database:
        database.make_schema("cluster")
        a, b = (Server(tmp_path / name, database.url("cluster"), "--token", TOKEN) for name in "ab")
        async with servers(a, b):
            await add_node(a.client)
            await a.client.create(REPLICATION_CONTROLLER, controller(2), namespace="default")
            await bound(b.client, 2)
            await make(a.client, "before")
            await asyncio.to_thread(database.kill)
            began = time.monotonic()
            for server in (a, b):
                with pytest.raises(ApiError) as refused:
                    await server.client.get(CONFIG_MAP, "before", "default")
                assert refused.value.code == 503
                with pytest.raises(ApiError) as refused:
                    await make(server.client, "during")
                assert refused.value.code == 503
            assert time.monotonic() - began < 4 * 11
            await asyncio.sleep(_AWAY_S - (time.monotonic() - began))
            await asyncio.to_thread(database.start)
            async with asyncio.timeout(30):
                await answers(a)
                await answers(b)
            await a.client.patch(
                *(REPLICATION_CONTROLLER, "web", {"spec": {"replicas": 4}}),
                namespace="default",
                how=PatchType.MERGE,
            )
            await bound(b.client, 4)
            for server in (a, b):
                assert server.runs, server.log.read_text()[-3000:]


async def answers(server: Server) -> None:
    while True:
        try:
            await server.client.get(CONFIG_MAP, "before", "default")
        except ApiError:
            await asyncio.sleep(0.2)
        else:
            return
