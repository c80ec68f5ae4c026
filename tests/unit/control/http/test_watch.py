"""Watches over real HTTP: lines, forms, ends."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from appliance.kit import jsonio
from tests.conform.live import RING, TOKEN, Live, live

CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
METADATA = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"


@dataclass
class Lab:
    """A server, and a client that knows its token."""

    running: Live
    http: httpx.AsyncClient

    async def create(self, name: str) -> Any:
        body = {"metadata": {"name": name, "labels": {"x": name}}, "data": {"k": "v"}}
        answer = await self.http.post(CONFIG_MAPS, json=body)
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def change(self, name: str, value: str) -> None:
        media = {"Content-Type": "application/merge-patch+json"}
        body = jsonio.dumps({"data": {"k": value}})
        answer = await self.http.patch(f"{CONFIG_MAPS}/{name}", content=body, headers=media)
        assert answer.status_code == 200, answer.text

    async def revision(self) -> str:
        body = (await self.http.get(CONFIG_MAPS)).json()
        return str(body["metadata"]["resourceVersion"])

    async def events(self, query: str, count: int = 99, accept: str = "*/*") -> list[Any]:
        """The first events of a watch, or all until it ends."""
        found: list[Any] = []
        url, headers = f"{CONFIG_MAPS}?watch=true&{query}", {"Accept": accept}
        async with asyncio.timeout(5), self.http.stream("GET", url, headers=headers) as answer:
            assert answer.status_code == 200, await answer.aread()
            async for line in answer.aiter_lines():
                found.append(jsonio.loads(line))
                if len(found) == count:
                    break
        return found


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    async with live(tmp_path) as running:
        context = ssl.create_default_context(cafile=str(tmp_path / "ca.crt"))
        headers = {"Authorization": f"Bearer {TOKEN}"}
        base = running.access.server
        async with httpx.AsyncClient(
            base_url=base, verify=context, headers=headers, trust_env=False
        ) as http:
            yield Lab(running, http)


async def test_a_watch_is_one_event_per_line_with_the_object_as_a_get_shows_it(lab: Lab) -> None:
    since = await lab.revision()
    made = await lab.create("a")
    (event,) = await lab.events(f"resourceVersion={since}", 1)
    assert event == {"type": "ADDED", "object": made}


async def test_only_the_first_table_of_a_watch_names_its_columns(lab: Lab) -> None:
    since = await lab.revision()
    await lab.create("a")
    await lab.change("a", "w")
    first, second = await lab.events(f"resourceVersion={since}", 2, TABLE)
    assert [c["name"] for c in first["object"]["columnDefinitions"]] == ["Name", "Data", "Age"]
    assert second["object"]["columnDefinitions"] is None
    assert second["type"] == "MODIFIED"
    assert second["object"]["rows"][0]["cells"][:2] == ["a", 1]


async def test_a_watch_may_show_metadata_only(lab: Lab) -> None:
    since = await lab.revision()
    await lab.create("a")
    (event,) = await lab.events(f"resourceVersion={since}", 1, METADATA)
    assert event["object"]["kind"] == "PartialObjectMetadata"
    assert event["object"]["metadata"]["name"] == "a"
    assert "data" not in event["object"]


async def test_what_exists_comes_first_and_a_bookmark_says_when_it_is_all(lab: Lab) -> None:
    await lab.create("a")
    query = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    *exist, mark = await lab.events(f"{query}&labelSelector=x%3Da", 2)
    assert [e["object"]["metadata"]["name"] for e in exist] == ["a"]
    assert mark["type"] == "BOOKMARK"
    assert mark["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


async def test_a_watch_ends_properly_at_its_timeout(lab: Lab) -> None:
    since = await lab.revision()
    assert await lab.events(f"resourceVersion={since}&timeoutSeconds=1") == []


async def test_a_bad_selector_is_an_answer_and_not_an_event(lab: Lab) -> None:
    answer = await lab.http.get(f"{CONFIG_MAPS}?watch=true&fieldSelector=spec.x%3D1")
    assert (answer.status_code, answer.json()["reason"]) == (400, "BadRequest")


async def test_a_revision_that_is_no_longer_kept_is_an_error_event(lab: Lab) -> None:
    since = await lab.revision()
    await lab.create("a")
    for number in range(RING + 1):
        await lab.change("a", str(number))
    (event,) = await lab.events(f"resourceVersion={since}")
    assert (event["type"], event["object"]["code"]) == ("ERROR", 410)
    assert event["object"]["reason"] == "Expired"


async def test_a_server_that_stops_ends_its_watches_at_once_and_properly(lab: Lab) -> None:
    await lab.create("a")
    url = f"{CONFIG_MAPS}?watch=true&resourceVersion=0"
    async with asyncio.timeout(5), lab.http.stream("GET", url) as answer:
        lines = answer.aiter_lines()
        assert jsonio.loads(await anext(lines))["type"] == "ADDED"
        loop = asyncio.get_running_loop()
        began = loop.time()
        await lab.running.server.stop()
        assert loop.time() - began < 1.0
        assert [line async for line in lines] == []  # a broken end would raise
