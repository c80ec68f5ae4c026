"""The proxy's loop: the first change at once, a storm of changes in few runs, nothing at rest."""

import asyncio

import msgspec

from appliance.api.kinds.core.service import SERVICE, Service
from appliance.proxy.loop import APPLY_EVERY_S, ProxyLoop, ProxyOptions
from appliance.proxy.table import ServiceTable
from tests.unit.control.cluster import cluster


class Recorded:
    """A back end that remembers how many ports each table had."""

    def __init__(self) -> None:
        self.ports: list[int] = []
        self.undone = asyncio.Event()

    async def apply(self, table: ServiceTable) -> None:
        self.ports.append(len(list(table.ports)))

    async def drifted(self) -> None:
        await self.undone.wait()
        self.undone.clear()

    async def clean_up(self) -> None:
        self.ports.clear()


async def test_a_storm_of_changes_is_folded_and_none_is_lost() -> None:
    async with cluster() as plane:
        backend = Recorded()
        options = ProxyOptions(node_name="n1")
        loop = ProxyLoop(plane.informers, backend, options=options, clock=plane.clock)
        await plane.start()
        _ = plane.tasks.spawn("proxy", loop.run())
        await plane.settle()
        assert backend.ports == [0], "the whole state once, even if it is empty"
        for number in range(20):
            await plane.client.create(SERVICE, service(f"s{number}"), namespace="default")
        await plane.settle()
        await plane.advance(2 * APPLY_EVERY_S)
        assert backend.ports == [0, 20]
        await plane.advance(3600)
        assert backend.ports == [0, 20]
        backend.undone.set()
        await plane.settle()
        assert backend.ports == [0, 20, 20], "what somebody else undid is done again"


def service(name: str) -> Service:
    body = {"ports": [{"port": 80}], "selector": {"app": name}}
    return msgspec.convert(
        {"metadata": {"name": name, "namespace": "default"}, "spec": body}, Service
    )
