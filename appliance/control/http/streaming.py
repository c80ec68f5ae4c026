"""Answers that go on for long: run them until their work, time, client or server ends.

Called by `watch` and `streams`. Bounded by the time limit that the caller gives.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any

from appliance.control.http.exchange import Exchange


async def start(exchange: Exchange, headers: list[tuple[bytes, bytes]]) -> None:
    """Send the head of a chunked answer now: its first chunk may be an hour away."""
    exchange.started = True
    headers = [*headers, *exchange.warning_headers()]
    await exchange.send({"type": "http.response.start", "status": 200, "headers": headers})
    await send_chunk(exchange, b"")


async def send_chunk(exchange: Exchange, data: bytes) -> None:
    """Send a part of the answer; waits while the client is slow."""
    await exchange.send({"type": "http.response.body", "body": data, "more_body": True})


async def finish(exchange: Exchange) -> None:
    """End a chunked answer properly, so that the client can tell it from a broken one."""
    await exchange.send({"type": "http.response.body", "body": b"", "more_body": False})


async def run_until_ended(
    exchange: Exchange, work: Coroutine[Any, Any, None], limit_s: float | None = None
) -> None:
    """Run `work` until it ends, the time is up, the client has gone or the server stops."""
    async with asyncio.TaskGroup() as group:
        working = group.create_task(work, name="stream/work")
        ending = group.create_task(ended(exchange), name="stream/ended")
        first = asyncio.FIRST_COMPLETED
        await asyncio.wait((working, ending), timeout=limit_s, return_when=first)
        working.cancel()
        ending.cancel()


async def ended(exchange: Exchange) -> None:
    """Return when the client has gone or the server stops."""
    stopping = exchange.scope.get("extensions", {}).get("shutdown")
    if stopping is not None:  # our own server tells both by one event
        await stopping.wait()
        return
    while (await exchange.receive())["type"] != "http.disconnect":
        pass
