"""Of several masters one leads; when it stops renewing another takes over, never two at once."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from appliance.api.kinds.coordination.lease import LEASE
from appliance.client.controller import Runner
from appliance.client.election import LEASE_S, RENEW_S, Election
from appliance.client.informer import Informers
from appliance.kit.tasks import Tasks
from tests.unit.control.cluster import NODE_LEASES, Cluster, cluster

Join = Callable[[str], Awaitable[tuple[Election, Tasks]]]


@pytest.fixture
async def plane() -> AsyncIterator[Cluster]:
    async with cluster() as made:
        yield made


@pytest.fixture
async def join(plane: Cluster) -> AsyncIterator[Join]:
    """Give what starts a master of that identity."""
    groups: list[Tasks] = []

    async def start(identity: str) -> tuple[Election, Tasks]:
        tasks = Tasks(identity, plane.clock)
        groups.append(tasks)
        informers = Informers(plane.client, plane.clock)
        election = Election(
            plane.client,
            informers,
            lease=f"{NODE_LEASES}/masters",
            identity=identity,
            clock=plane.clock,
        )
        runner = Runner(election, clock=plane.clock)
        runner.poke(election.key)
        _ = tasks.spawn("election", runner.run())
        informers.start(tasks)
        await plane.settle()
        return election, tasks

    yield start
    for tasks in groups:
        await tasks.close()


async def test_the_first_leads_and_goes_on_leading(plane: Cluster, join: Join) -> None:
    first, _ = await join("a")
    second, _ = await join("b")
    await plane.advance(120)
    assert (first.leading, second.leading) == (True, False)
    lease = await plane.client.get(LEASE, "masters", NODE_LEASES)
    assert (lease.spec.holderIdentity, lease.spec.leaseTransitions) == ("a", 0)


async def test_another_takes_over_when_the_lease_has_run_out(plane: Cluster, join: Join) -> None:
    _, first_tasks = await join("a")
    second, _ = await join("b")
    await first_tasks.close()
    await plane.advance(LEASE_S - 2)
    assert not second.leading
    await plane.advance(LEASE_S)
    assert second.leading
    lease = await plane.client.get(LEASE, "masters", NODE_LEASES)
    assert (lease.spec.holderIdentity, lease.spec.leaseTransitions) == ("b", 1)


async def test_work_runs_while_leading_and_ends_when_the_lease_is_lost(
    plane: Cluster, join: Join
) -> None:
    election, tasks = await join("a")
    runs: list[str] = []

    async def work() -> None:
        runs.append("begun")
        try:
            await asyncio.Event().wait()
        finally:
            runs.append("ended")

    _ = tasks.spawn("leader", election.while_leading(work))
    await plane.settle()
    assert runs == ["begun"]
    stolen = await plane.client.get(LEASE, "masters", NODE_LEASES)
    spec = {"holderIdentity": "thief", "leaseDurationSeconds": 15}
    await plane.client.patch(LEASE, stolen.metadata.name, {"spec": spec}, namespace=NODE_LEASES)
    await plane.settle()
    assert not election.leading
    assert runs == ["begun", "ended"]
    await plane.advance(40)
    assert runs == ["begun", "ended", "begun"]


async def test_a_leader_whose_renewal_is_not_answered_stops_in_time(
    plane: Cluster, join: Join, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = await join("a")
    assert first.leading
    renewing = asyncio.Event()

    async def silent(*_: object) -> None:
        renewing.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(plane.client, "update", silent)
    # The renewal comes RENEW_S after the last one: what is left then is short.
    monkeypatch.setattr("appliance.client.election.MARGIN_S", LEASE_S - RENEW_S - 0.05)
    await plane.clock.advance(RENEW_S)
    async with asyncio.timeout(5):
        await renewing.wait()
        await first._lost.wait()
    assert not first.leading


async def test_who_resigns_is_followed_at_once(plane: Cluster, join: Join) -> None:
    first, tasks = await join("a")
    second, _ = await join("b")
    await tasks.close()
    await first.resign()
    await plane.settle()
    assert (first.leading, second.leading) == (False, True)
    await first.resign()  # again: nothing to give away
    lease = await plane.client.get(LEASE, "masters", NODE_LEASES)
    assert lease.spec.holderIdentity == "b"
