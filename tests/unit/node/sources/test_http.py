"""The URL source: when it asks again, and what counts as an answer."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from typing_extensions import override

from appliance.kit.clock import FakeClock
from appliance.node.sources.http import HttpSource
from tests.contract.springs import Bulletin, Pages, kept, manifest


def body(*names: str) -> bytes:
    return json.dumps([manifest(name, "web:1") for name in names]).encode()


class Scenes(FakeClock):
    """A clock that changes the page between one question and the next."""

    def __init__(self, pages: Pages) -> None:
        super().__init__()
        self._pages = pages
        self.slept: list[float] = []

    @override
    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        match self._pages.asked:
            case 2:
                self._pages.status = "500 Oh No"
            case 3:
                self._pages.status = "200 OK"
            case 4:
                self._pages.body = body("a", "b")
            case 5:
                self._pages.body = b""


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as made:
        yield made


@pytest.mark.seed("M02")
async def test_what_does_not_change_is_no_work_and_errors_change_nothing(
    stack: AsyncExitStack,
) -> None:
    pages, notes = Pages(), Bulletin()
    url = await pages.start(stack)
    clock = Scenes(pages)
    holds, complaints = kept("http", notes)
    source = HttpSource(url, period_s=20.0, clock=clock, kept=holds, complaints=complaints)
    pages.body = body("a")
    told: list[list[str]] = []
    async for pods in source.snapshots():
        told.append([p.metadata.name for p in pods])
        if not pods:
            break
    assert told == [["a-n1"], ["a-n1", "b-n1"], []]
    assert pages.asked == 6
    assert clock.slept == [20.0] * 5
    assert notes.all == [("ManifestRefused", f"{url}: answers 500, not 200")]
