"""The way of statuses to the API."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from appliance.api.errors import ApiError, Conflict, Invalid, NotFound, ServiceUnavailable
from appliance.api.kinds.core.pod.kind import Pod
from appliance.api.kinds.core.pod.status import PodStatus
from appliance.client.base import DeleteOptions
from appliance.kit.clock import FakeClock
from appliance.kit.tasks import Tasks
from appliance.node.pods.reports import Reports
from appliance.node.sources.base import HASH, SOURCE
from tests.unit.node.stage import pod


class Api:
    """Keeps what it was told; answers with the errors of `faults` first."""

    def __init__(self) -> None:
        self.faults: list[ApiError] = []
        self.open = asyncio.Event()
        self.open.set()
        self.patches: list[tuple[str, dict[str, Any]]] = []
        self.deleted: list[tuple[str, int | None, str | None]] = []

    async def patch(self, _kind: object, name: str, body: dict[str, Any], **_named: object) -> None:
        await self.open.wait()
        if self.faults:
            raise self.faults.pop(0)
        self.patches.append((name, body))

    async def delete(
        self, _kind: object, name: str, *, namespace: str, options: DeleteOptions
    ) -> None:
        assert namespace == "default"
        if self.faults:
            raise self.faults.pop(0)
        self.deleted.append((name, options.grace_period_s, options.uid))


class Desk:
    """Reports that are running."""

    def __init__(self) -> None:
        self.api = Api()
        self.clock = FakeClock()
        self.reports = Reports(self.api, self.clock)  # type: ignore[arg-type]

    async def settle(self, seconds: float = 0.0) -> None:
        for _ in range(10):
            await asyncio.sleep(0)
        await self.clock.advance(seconds)


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    made = Desk()
    async with Tasks("reports", made.clock) as tasks:
        _ = tasks.spawn("reports", made.reports.run())
        yield made


def known(phase: str = "Pending", **fields: str) -> Pod:
    made = pod()
    made.status = PodStatus(phase=phase, **fields)  # type: ignore[arg-type]
    return made


async def test_a_status_is_sent_once(desk: Desk) -> None:
    for _ in range(2):
        desk.reports.report(known(), PodStatus(phase="Running"))
        await desk.settle()
    assert desk.api.patches == [("p", {"metadata": {"uid": "u1"}, "status": {"phase": "Running"}})]


async def test_what_the_api_shows_already_is_not_sent(desk: Desk) -> None:
    desk.reports.report(known("Running"), PodStatus(phase="Running"))
    await desk.settle()
    assert desk.api.patches == []


async def test_what_is_gone_is_taken_out(desk: Desk) -> None:
    desk.reports.report(known("Running", podIP="10.42.0.2"), PodStatus(phase="Running"))
    await desk.settle()
    assert desk.api.patches[0][1]["status"] == {"phase": "Running", "podIP": None}


async def test_while_the_api_is_away_only_the_newest_waits(desk: Desk) -> None:
    desk.api.faults = [ServiceUnavailable("away"), ServiceUnavailable("away")]
    desk.reports.report(known(), PodStatus(phase="Running"))
    await desk.settle()
    desk.reports.report(known(), PodStatus(phase="Failed"))
    await desk.settle(60)
    assert [body["status"]["phase"] for _, body in desk.api.patches] == ["Failed"]


async def test_a_delete_follows_the_last_status_even_after_a_failure(desk: Desk) -> None:
    desk.api.faults = [ServiceUnavailable("away")]
    desk.reports.report(known(), PodStatus(phase="Succeeded"))
    desk.reports.confirm_deletion(known())
    await desk.settle(60)
    assert [body["status"]["phase"] for _, body in desk.api.patches] == ["Succeeded"]
    assert desk.api.deleted == [("p", 0, "u1")]


@pytest.mark.parametrize("fault", [NotFound("gone"), Conflict("another uid"), Invalid("no")])
async def test_a_refusal_does_not_hold_up_the_others(desk: Desk, fault: ApiError) -> None:
    desk.api.faults = [fault]
    other = pod(name="q", uid="u2")
    desk.reports.report(known(), PodStatus(phase="Running"))
    desk.reports.report(other, PodStatus(phase="Running"))
    await desk.settle()
    assert [name for name, _ in desk.api.patches] == ["q"]


async def test_a_static_pod_is_shown_by_its_mirror_and_never_deleted(desk: Desk) -> None:
    static = known()
    static.metadata.annotations = {SOURCE: "file", HASH: "u1"}
    desk.reports.report(static, PodStatus(phase="Running"))
    desk.reports.confirm_deletion(static)
    await desk.settle()
    assert desk.api.patches == [("p", {"status": {"phase": "Running"}})]
    assert desk.api.deleted == []
    desk.reports.again(static, PodStatus(phase="Running"))
    await desk.settle()
    assert len(desk.api.patches) == 2


async def test_statuses_of_one_pod_never_overtake_each_other(desk: Desk) -> None:
    desk.api.open.clear()
    for phase in ("Running", "Failed", "Succeeded"):
        desk.reports.report(known(), PodStatus(phase=phase))
        await desk.settle()
    desk.reports.report(pod(name="q", uid="u2"), PodStatus(phase="Running"))
    await desk.settle()
    desk.api.open.set()
    await desk.settle()
    sent = [(name, body["status"]["phase"]) for name, body in desk.api.patches]
    assert [phase for name, phase in sent if name == "p"] == ["Running", "Succeeded"]
    assert ("q", "Running") in sent
