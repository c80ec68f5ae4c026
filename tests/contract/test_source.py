"""What every source of pods promises (`appliance/node/sources/base.py`)."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from appliance.api.kinds.core.pod.kind import Pod
from appliance.node.sources.base import Source
from appliance.node.sources.manifest import ManifestFault
from appliance.node.sources.push import PushSource
from tests.contract.springs import RUBBISH, SPRINGS, Spring

READ = ["api", "file", "http", "etcd"]
"""Sources that go and look; nobody can fail to be posted to."""
MANIFESTS = ["file", "http", "etcd"]
"""Sources that tell of rubbish themselves."""


class Reader:
    """Reads snapshots one after the other."""

    def __init__(self, source: Source) -> None:
        self._snapshots = source.snapshots()

    async def until(self, *names: str) -> Sequence[Pod]:
        """The first snapshot of just these pods."""
        async with asyncio.timeout(10):
            async for pods in self._snapshots:
                if sorted(p.metadata.name.removesuffix("-n1") for p in pods) == sorted(names):
                    return pods
        raise AssertionError("the source ended")

    async def nothing(self) -> None:
        """No snapshot comes for a while."""
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await anext(self._snapshots)


@pytest.fixture(params=list(SPRINGS))
async def spring(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Spring]:
    async with AsyncExitStack() as stack:
        yield await SPRINGS[request.param](stack, tmp_path)


@pytest.mark.seed("M01", "M02", "M03", "M04")
async def test_each_snapshot_is_whole(spring: Spring) -> None:
    reader = Reader(spring.source)
    await spring.put("a", "web:1")
    await reader.until("a")
    await spring.put("b", "web:1")
    await reader.until("a", "b")
    await spring.remove("a")
    await reader.until("b")


async def test_no_pods_are_a_snapshot_too(spring: Spring) -> None:
    assert await Reader(spring.source).until() == []


@pytest.mark.parametrize("spring", READ, indirect=True)
async def test_a_source_that_can_not_be_read_says_nothing(spring: Spring) -> None:
    assert spring.broken is not None
    await Reader(spring.broken).nothing()


async def test_pods_come_with_name_namespace_and_uid(spring: Spring) -> None:
    await spring.put("a", "web:1")
    (one,) = await Reader(spring.source).until("a")
    meta = one.metadata
    assert (meta.namespace, one.spec.nodeName) == ("default", "n1")
    assert meta.uid


async def test_another_pod_of_the_same_name_has_another_uid(spring: Spring) -> None:
    reader = Reader(spring.source)
    await spring.put("a", "web:1")
    (before,) = await reader.until("a")
    await spring.remove("a")
    await reader.until()
    await spring.put("a", "web:2")
    (after,) = await reader.until("a")
    assert after.metadata.uid != before.metadata.uid


@pytest.mark.seed("M05")
@pytest.mark.parametrize("spring", MANIFESTS, indirect=True)
async def test_rubbish_removes_nothing_and_is_told_once(spring: Spring) -> None:
    await spring.put("a", "web:1")
    await Reader(spring.source).until("a")
    assert spring.spoil is not None
    await spring.spoil("a")
    seen: list[Sequence[Pod]] = []

    async def read() -> None:
        async for pods in spring.source.snapshots():
            seen.append(pods)  # noqa: PERF401 - looked at before the end, which never comes

    reading = asyncio.create_task(read())
    async with asyncio.timeout(10):
        await spring.notes.came.wait()
    await asyncio.sleep(0.05)  # it is read again, and not told again
    reading.cancel()
    assert [[p.metadata.name for p in pods] for pods in seen if len(pods) != 1] == []
    assert spring.notes.reasons == ["ManifestRefused"]
    await spring.put("b", "web:1")
    await Reader(spring.source).until("a", "b")


async def test_a_posted_text_that_is_rubbish_is_refused() -> None:
    source = PushSource(node_name="n1", last=())
    source.take(b"{version: v1beta1, id: a, containers: [{name: c, image: web}]}")
    reader = Reader(source)
    await reader.until("a")
    with pytest.raises(ManifestFault):
        source.take(RUBBISH)
    await reader.nothing()
