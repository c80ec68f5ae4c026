"""Bounds: what is too much is refused, and the rest goes on."""

import asyncio
import ssl
from pathlib import Path
from typing import Any

import pytest

from appliance.control.access.authn import ANONYMOUS
from appliance.control.http import server as server_module
from appliance.control.http.exchange import Exchange
from appliance.control.http.fairness import Fairness, Shares
from appliance.control.http.middleware import EXCHANGE, Limit
from appliance.control.http.server import HEAD_LIMIT_BYTES
from appliance.control.http.target import parse_target
from tests.conform.live import live


class Call:
    """One request through the middleware; remembers the head of the answer."""

    def __init__(self, path: str, query: dict[str, str] | None = None) -> None:
        self.head: Any = None
        self.scope: dict[str, Any] = {"type": "http", "method": "GET"}
        target = parse_target("GET", path, query or {})
        self.scope[EXCHANGE] = Exchange(
            scope=self.scope, receive=self.receive, send=self.send, target=target, user=ANONYMOUS
        )

    async def receive(self) -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.head = message

    async def through(self, limit: Limit) -> None:
        await limit(self.scope, self.receive, self.send)


async def test_more_at_once_than_the_limit_is_told_to_come_back() -> None:
    done = asyncio.Event()

    async def slow(_scope: Any, _receive: Any, _send: Any) -> None:
        await done.wait()

    one = Shares(seats=1, per_flow=1, waiting=0)
    limit = Limit(slow, fairness=Fairness(others=one))
    async with asyncio.TaskGroup() as group:
        first = group.create_task(Call("/api/v1/pods").through(limit))
        await asyncio.sleep(0)
        second = Call("/api/v1/pods")
        await second.through(limit)
        assert second.head["status"] == 429
        assert (b"retry-after", b"1") in second.head["headers"]
        for free in (Call("/readyz"), Call("/api/v1/pods", {"watch": "1"})):
            group.create_task(free.through(limit))
        await asyncio.sleep(0)
        done.set()
    assert first.done()
    again = Call("/api/v1/pods")
    await again.through(limit)
    assert again.head is None  # it got through to the (silent) app


async def open_stream(folder: Path, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    context = ssl.create_default_context(cafile=str(folder / "ca.crt"))
    return await asyncio.open_connection("127.0.0.1", port, ssl=context)


async def test_a_head_without_end_is_cut_off(tmp_path: Path) -> None:
    async with live(tmp_path) as running:
        reader, writer = await open_stream(tmp_path, running.server.port)
        writer.write(b"GET / HTTP/1.1\r\n" + b"x: " + b"y" * HEAD_LIMIT_BYTES + b"\r\n")
        async with asyncio.timeout(5):
            assert b"400 Bad Request" in await reader.readline()
        writer.close()


async def test_who_says_nothing_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "_FIRST_HEAD_S", 0.05)
    async with live(tmp_path) as running:
        reader, writer = await open_stream(tmp_path, running.server.port)
        async with asyncio.timeout(5):
            assert await ended(reader)
        writer.close()


async def ended(reader: asyncio.StreamReader) -> bool:
    """Wait for the other side to hang up, properly or not."""
    try:
        return not await reader.read(1)
    except (ConnectionError, ssl.SSLError):
        return True
