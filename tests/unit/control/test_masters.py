"""The service of the API leads to the masters that live, and to no other."""

from appliance.api.kinds.core.endpoints import ENDPOINTS
from appliance.api.kinds.discovery.endpointslice import ENDPOINT_SLICE
from appliance.control.bootstrap import bootstrap
from appliance.control.masters import PREFIX, MasterEntry, Masters
from appliance.control.options import ControlOptions
from appliance.kit.tasks import Tasks
from appliance.store.base import Range, prefix_end
from tests.unit.control.cluster import Cluster, cluster


def master(plane: Cluster, name: str, address: str, port: int = 6443) -> Masters:
    entry = MasterEntry(address, port)
    return Masters(plane.store, plane.client, identity=name, entry=entry, clock=plane.clock)


async def advertised(plane: Cluster) -> list[tuple[str, int]]:
    found = await plane.client.get(ENDPOINTS, "kubernetes", "default")
    return [(a.ip, s.ports[0].port) for s in found.subsets for a in s.addresses]


async def test_masters_come_and_go() -> None:
    async with cluster() as plane:
        await bootstrap(plane.client, ControlOptions(advertise_address="192.0.2.9"), alone=False)
        dies = Tasks("dies", plane.clock)
        killed = master(plane, "killed", "192.0.2.3")
        killing = killed.among_others(dies)
        await killing.__aenter__()
        async with (
            Tasks("stays", plane.clock) as stays,
            master(plane, "stays", "192.0.2.1").among_others(stays),
        ):
            async with (
                Tasks("leaves", plane.clock) as leaves,
                master(plane, "leaves", "192.0.2.2", 7443).among_others(leaves),
            ):
                await plane.settle()
                assert await advertised(plane) == [
                    *(("192.0.2.1", 6443), ("192.0.2.3", 6443)),
                    ("192.0.2.2", 7443),
                ]
                slice_ = await plane.client.get(ENDPOINT_SLICE, "kubernetes", "default")
                assert [e.addresses for e in slice_.endpoints or ()] == [
                    *(["192.0.2.1"], ["192.0.2.3"]),
                ]
            await plane.settle()
            assert len(await advertised(plane)) == 2, "who leaves says so"
            await dies.close()  # without a word
            await plane.advance(10)
            assert len(await advertised(plane)) == 2
            await plane.advance(10)
            assert await advertised(plane) == [("192.0.2.1", 6443)]
            await plane.advance(60)
            assert await advertised(plane) == [("192.0.2.1", 6443)], "it renews its lease"
        await plane.settle()
        kept = await plane.store.range(Range(key=PREFIX, end=prefix_end(PREFIX)))
        assert kept.kvs == ()
        assert await advertised(plane) == [("192.0.2.1", 6443)], "nobody is left to say otherwise"
