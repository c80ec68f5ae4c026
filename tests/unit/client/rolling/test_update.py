"""Rolling updates against a real registry, with the controllers that take part, in fake time."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from appliance.api.kinds.core.pod.kind import POD, Pod
from appliance.api.kinds.core.replicationcontroller import (
    REPLICATION_CONTROLLER,
    ReplicationController,
)
from appliance.api.objects import is_true
from appliance.client.rolling import marks
from appliance.client.rolling.order import Order, RollingFault
from appliance.client.rolling.update import Pace, RollingUpdate
from appliance.control.controllers.garbage import GarbageCollector
from appliance.control.controllers.replication import Replication
from tests.unit.control.cluster import Cluster, cluster

RC = REPLICATION_CONTROLLER
PACE = Pace(update_period_s=10, poll_interval_s=1, timeout_s=60)
BY_IMAGE = Order(namespace="default", old="web", image="web:2")


class Stopped(Exception):
    """The command was killed."""


class Mortal:
    """A client whose process dies at its n-th write, before or after the server has it."""

    def __init__(self, inner: Any, dies_at: int, *, after: bool) -> None:
        self._inner, self._left, self._after = inner, dies_at, after

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def _write(self, verb: str, *args: Any, **more: Any) -> Any:
        self._left -= 1
        if self._left == 0 and not self._after:
            raise Stopped
        done = await getattr(self._inner, verb)(*args, **more)
        if self._left == 0:
            raise Stopped
        return done

    async def create(self, *args: Any, **more: Any) -> Any:
        return await self._write("create", *args, **more)

    async def patch(self, *args: Any, **more: Any) -> Any:
        return await self._write("patch", *args, **more)

    async def update(self, *args: Any, **more: Any) -> Any:
        return await self._write("update", *args, **more)

    async def delete(self, *args: Any, **more: Any) -> Any:
        return await self._write("delete", *args, **more)


class Stage:
    """The world of one test, which watches that nobody is left without pods."""

    def __init__(self, plane: Cluster) -> None:
        self.plane = plane
        self.said: list[str] = []
        self.broken = "none"
        self.fewest = 1000
        self.most = 0

    async def update(self, order: Order, *, client: Any = None) -> ReplicationController:
        """Run one command to its end, time and nodes going on beside it."""
        loop = RollingUpdate(
            client or self.plane.client, order, pace=PACE, clock=self.plane.clock,
            say=self.said.append,
        )  # fmt: skip
        task = asyncio.get_running_loop().create_task(loop.run())
        for _ in range(600):
            await self.plane.settle()
            await self._nodes()
            if task.done():
                break
            await self.plane.clock.advance(1)
        assert task.done(), self.said
        return await task

    async def _nodes(self) -> None:
        for pod in await self.plane.pods():
            if pod.metadata.deletionTimestamp is not None:
                await self.plane.delete(POD, pod.metadata.name, grace_period_s=0)
            elif pod.status.phase == "Pending" and pod.spec.containers[0].image != self.broken:
                await self.plane.set_ready(pod)
        serving = [p for p in await self.plane.pods() if serves(p)]
        self.fewest = min(self.fewest, len(serving))
        self.most = max(self.most, len(await self.plane.pods()))

    async def controllers(self) -> dict[str, ReplicationController]:
        return {rc.metadata.name: rc for rc in await self.plane.all(RC)}

    async def images(self) -> list[str]:
        return sorted(p.spec.containers[0].image for p in await self.plane.pods())


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with cluster() as plane:
        yield await set_up(plane)


async def set_up(plane: Cluster) -> Stage:
    await plane.start(
        Replication(plane.client, plane.informers, clock=plane.clock, recorder=plane.recorder),
        GarbageCollector(plane.client, plane.informers, [RC, POD]),
    )
    stage = Stage(plane)
    await plane.make(RC, rc("web", "web:1"))
    await stage._nodes()
    stage.fewest = 3
    return stage


async def test_by_image_the_name_stays_and_pods_are_exchanged_one_by_one(stage: Stage) -> None:
    uid = (await stage.controllers())["web"].metadata.uid
    done = await stage.update(BY_IMAGE)
    assert (done.metadata.name, done.metadata.uid, done.spec.replicas) == ("web", uid, 3)
    assert await stage.images() == ["web:2"] * 3
    assert list(await stage.controllers()) == ["web"]
    assert not [key for key in done.metadata.annotations if key.startswith("kubectl.")]
    assert (stage.fewest, stage.most) == (3, 4)
    pods = await stage.plane.pods()
    assert {p.metadata.ownerReferences[0].uid for p in pods} == {uid}
    temporary = next(line.split()[1] for line in stage.said if line.startswith("Created"))
    assert [line for line in stage.said if "Scaling" in line] == [
        f"Scaling {temporary} up to 1", "Scaling web down to 2",
        f"Scaling {temporary} up to 2", "Scaling web down to 1",
        f"Scaling {temporary} up to 3", "Scaling web down to 0",
    ]  # fmt: skip


async def test_a_second_update_by_image_needs_no_new_labels(stage: Stage) -> None:
    await stage.update(BY_IMAGE)
    stage.said.clear()
    await stage.update(replace(BY_IMAGE, image="web:3"))
    assert await stage.images() == ["web:3"] * 3
    assert not [line for line in stage.said if "label" in line]


async def test_by_file_the_new_controller_stays_under_its_own_name(stage: Stage) -> None:
    new = rc("web-v2", "web:2", version="two")
    order = Order(namespace="default", old="web", controller=new)
    done = await stage.update(order)
    assert list(await stage.controllers()) == ["web-v2"]
    assert done.metadata.annotations == {}
    assert await stage.images() == ["web:2"] * 3
    assert (stage.fewest, stage.most) == (3, 4)


async def test_by_file_the_number_may_change_and_is_otherwise_the_old_one(stage: Stage) -> None:
    new = rc("web-v2", "web:2", version="two")
    new.spec.replicas = 5
    await stage.update(Order(namespace="default", old="web", controller=new))
    assert await stage.images() == ["web:2"] * 5
    same = rc("web-v3", "web:3", version="three")
    same.spec.replicas = None
    await stage.update(Order(namespace="default", old="web-v2", controller=same))
    assert await stage.images() == ["web:3"] * 5


async def test_a_broken_image_stops_it_and_rollback_restores(stage: Stage) -> None:
    stage.broken = "web:2"
    with pytest.raises(RollingFault, match=r"no progress in 60 s .*0 of 1 pods.*--rollback"):
        await stage.update(BY_IMAGE)
    assert stage.fewest == 3
    done = await stage.update(replace(BY_IMAGE, image="", rollback=True))
    assert (done.metadata.name, done.spec.replicas) == ("web", 3)
    assert not [key for key in done.metadata.annotations if key.startswith("kubectl.")]
    assert list(await stage.controllers()) == ["web"]
    assert await stage.images() == ["web:1"] * 3
    assert stage.fewest == 3


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("dies_at", [1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 13, 14, 15, 16, 17, 18])
async def test_killed_at_any_write_the_same_command_finishes_it(
    stage: Stage, dies_at: int, *, after: bool
) -> None:
    mortal = Mortal(stage.plane.client, dies_at, after=after)
    with pytest.raises(Stopped):
        await stage.update(BY_IMAGE, client=mortal)
    last = (await stage.controllers())["web"]
    if marks.images(last) != ("web:2",) or await under_way(stage):
        await stage.update(BY_IMAGE)
    assert list(await stage.controllers()) == ["web"]
    assert await stage.images() == ["web:2"] * 3
    assert stage.fewest == 3


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("dies_at", [1, 2, 3, 4, 8, 9, 10])
async def test_killed_at_any_write_an_update_by_file_goes_on_too(
    stage: Stage, dies_at: int, *, after: bool
) -> None:
    order = Order(namespace="default", old="web", controller=rc("web-v2", "web:2", version="two"))
    with pytest.raises(Stopped):
        await stage.update(order, client=Mortal(stage.plane.client, dies_at, after=after))
    there = await stage.controllers()
    if "web" in there or marks.SOURCE in there["web-v2"].metadata.annotations:
        await stage.update(order)
    assert list(await stage.controllers()) == ["web-v2"]
    assert await stage.images() == ["web:2"] * 3
    assert stage.fewest == 3


@pytest.mark.parametrize("dies_at", [6, 7, 9, 11, 12, 13])
async def test_killed_at_any_size_it_can_be_turned_back_in_two_goes(
    stage: Stage, dies_at: int
) -> None:
    with pytest.raises(Stopped):
        await stage.update(BY_IMAGE, client=Mortal(stage.plane.client, dies_at, after=True))
    back = Order(namespace="default", old="web", rollback=True)
    with suppress(Stopped):  # an update that had hardly begun is turned back in one write
        await stage.update(back, client=Mortal(stage.plane.client, 2, after=True))
    if await under_way(stage):
        await stage.update(back)
    assert list(await stage.controllers()) == ["web"]
    assert await stage.images() == ["web:1"] * 3
    assert stage.fewest == 3


async def test_two_updates_at_once_do_not_mix(stage: Stage) -> None:
    with pytest.raises(Stopped):
        await stage.update(BY_IMAGE, client=Mortal(stage.plane.client, 9, after=True))
    with pytest.raises(RollingFault, match=r"to web:2 .*under way; finish it .*--rollback"):
        await stage.update(replace(BY_IMAGE, image="web:3"))


async def test_what_cannot_be_done_is_said(stage: Stage) -> None:
    await fails(stage, replace(BY_IMAGE, old="nothing"), "no replication controller nothing")
    await fails(stage, replace(BY_IMAGE, image="web:1"), "runs the image web:1 already")
    await fails(stage, Order(namespace="default", old="web", rollback=True), "nothing to roll back")
    await fails(stage, replace(BY_IMAGE, container="x"), "no container 'x' in web; it has: c")
    same = Order(namespace="default", old="web", controller=rc("other", "web:2"))
    await fails(stage, same, "with another value")
    await fails(stage, replace(same, controller=rc("web", "web:2")), "another name than web")
    await stage.plane.make(RC, rc("taken", "web:2", version="two"))
    taken = replace(same, controller=rc("taken", "web:2", version="two"))
    await fails(stage, taken, "there already, and not from an update of web")


async def test_a_new_pod_that_fails_within_the_update_period_takes_no_old_one_along(
    stage: Stage,
) -> None:
    unready: Callable[[], Any] = lambda: None  # noqa: E731 - replaced below
    sleeping = stage.plane.clock.sleep

    async def sleep(seconds: float) -> None:
        if seconds == PACE.update_period_s:
            await unready()
        await sleeping(seconds)

    async def fail() -> None:
        stage.broken = "web:2"
        for pod in await stage.plane.pods():
            if pod.spec.containers[0].image == "web:2":
                await stage.plane.client.patch(
                    POD, pod.metadata.name, _UNREADY, namespace="default", subresource="status"
                )

    unready = fail
    stage.plane.clock.sleep = sleep  # type: ignore[method-assign]
    with pytest.raises(RollingFault, match="no progress"):
        await stage.update(BY_IMAGE)
    assert (await stage.images()).count("web:1") == 3


_UNREADY = {
    "status": {
        "conditions": [
            {"type": "Ready", "status": "False", "lastTransitionTime": "2026-01-01T00:00:00Z"}
        ]
    }
}


async def under_way(stage: Stage) -> bool:
    return marks.NEXT in (await stage.controllers())["web"].metadata.annotations


async def fails(stage: Stage, order: Order, why: str) -> None:
    with pytest.raises(RollingFault, match=why):
        await stage.update(order)


def serves(pod: Pod) -> bool:
    return pod.metadata.deletionTimestamp is None and is_true(pod.status.conditions, "Ready")


def rc(name: str, image: str, *, version: str = "one") -> ReplicationController:
    labels = {"app": "web", "version": version}
    body: dict[str, Any] = {
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "replicas": 3,
            "selector": labels,
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "c", "image": image}]},
            },
        },
    }
    return msgspec.convert(body, ReplicationController)
