"""Ports forwarded by the node's API: SPDY raw and tunnelled, and WebSocket channels."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from websockets.frames import Frame
from websockets.protocol import Protocol, Side

from appliance.kit.spdy import Opened, Ping, Reset
from appliance.node.serve.endpoints import PORT_FORWARD, TUNNEL
from tests.unit.node.spdy_client import Spdy, upgraded
from tests.unit.node.stage import Stage
from tests.unit.node.test_serve import Keys, serving
from tests.unit.node.test_serve_streams import Node

PATH = "/portForward/default/p"
OURSELVES = os.getpid()


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    """A node whose pod's processes are this test's own, so that its network is ours."""
    if os.geteuid() != 0:
        pytest.skip("entering a network namespace needs root")
    stage, keys = Stage(tmp_path), Keys(tmp_path)
    masters = keys.caller("system:masters")
    async with serving(stage, keys) as server:
        for container in await stage.all():
            stage.runtime._containers[container.id] = replace(container, pid=OURSELVES)
        yield Node(stage, server, masters)


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]


@asynccontextmanager
async def listening(handler: Handler) -> AsyncIterator[int]:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handler(reader, writer)
        finally:
            writer.close()

    async with await asyncio.start_server(handle, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


async def shout(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer everything, once it has ended, in capitals."""
    writer.write((await reader.read()).upper())


async def closed_port() -> int:
    async with listening(shout) as port:
        return port


@asynccontextmanager
async def tunnelled(node: Node) -> AsyncIterator[Spdy]:
    """By hand: the library finds that the subprotocol's name breaks the rules, and so it does."""
    head = ("Upgrade", "websocket"), ("Sec-WebSocket-Protocol", TUNNEL), ("Sec-WebSocket-Key", "k")
    async with upgraded(node, "GET", PATH, *head) as (connection, answer):
        assert (answer.status, answer.headers["sec-websocket-protocol"]) == (101, TUNNEL)
        protocol = Protocol(Side.CLIENT)

        async def send(data: bytes) -> None:
            protocol.send_binary(data)
            await connection.write(b"".join(protocol.data_to_send()))

        async def receive() -> bytes:
            protocol.receive_data(await connection.read())
            frames = [e for e in protocol.events_received() if isinstance(e, Frame)]
            return b"".join(bytes(frame.data) for frame in frames)

        yield Spdy(send, receive)


@asynccontextmanager
async def raw(node: Node) -> AsyncIterator[Spdy]:
    async with upgraded(node, "POST", PATH, ("Upgrade", "SPDY/3.1")) as (connection, answer):
        assert (answer.status, answer.headers["x-stream-protocol-version"]) == (101, PORT_FORWARD)
        yield Spdy(connection.write, connection.read)


@pytest.mark.parametrize("way", [tunnelled, raw])
async def test_a_pair_of_streams_is_a_connection(node: Node, way: Any) -> None:
    async with listening(shout) as port, way(node) as client:
        await client.open(1, "error", port, fin=True)
        await client.open(3, "data", port)
        await client.send(client.writer.data(3, b"hello "))
        await client.send(client.writer.data(3, b"pod", fin=True))
        await client.until(lambda: client.ended(1, 3))
        assert (client.said(3), client.said(1)) == (b"HELLO POD", b"")


async def test_connections_do_not_wait_for_each_other(node: Node) -> None:
    async with listening(shout) as port, tunnelled(node) as client:
        for first in (1, 5):
            await client.open(first, "error", port, fin=True)
            await client.open(first + 2, "data", port)
        await client.send(client.writer.data(7, b"second", fin=True))
        await client.until(lambda: client.ended(5, 7))
        await client.send(client.writer.data(3, b"first", fin=True))
        await client.until(lambda: client.ended(1, 3))
        assert (client.said(3), client.said(7)) == (b"FIRST", b"SECOND")


async def test_a_closed_port_is_told_on_the_error_stream(node: Node) -> None:
    port = await closed_port()
    async with tunnelled(node) as client:
        await client.open(1, "error", port, fin=True)
        await client.open(3, "data", port)
        await client.until(lambda: client.ended(1, 3))
        assert client.said(1).decode() == f"error forwarding port {port} to pod: Connection refused"


async def test_pings_are_answered_and_odd_streams_refused(node: Node) -> None:
    async with tunnelled(node) as client:
        await client.send(client.writer.ping(9))
        await client.open(1, "data", "http")
        await client.until(lambda: Reset(1, 3) in client.heard)
        assert Ping(9) in client.heard
        assert not [e for e in client.heard if isinstance(e, Opened)]


async def test_megabytes_arrive_in_order(node: Node) -> None:
    data = os.urandom(3_000_000)

    async def pour(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()

    async with listening(pour) as port, tunnelled(node) as client:
        await client.open(1, "error", port, fin=True)
        await client.open(3, "data", port)
        await client.until(lambda: client.ended(3))
        assert client.said(3) == data


async def test_a_client_that_goes_closes_its_connections(node: Node) -> None:
    heard, gone = asyncio.Event(), asyncio.Event()

    async def wait(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        assert await reader.read(5) == b"hello"
        heard.set()
        await reader.read()
        gone.set()

    async with listening(wait) as port:
        async with tunnelled(node) as client:
            await client.open(1, "error", port, fin=True)
            await client.open(3, "data", port)
            await client.send(client.writer.data(3, b"hello"))
            await heard.wait()
        async with asyncio.timeout(5):
            await gone.wait()


async def test_channels_carry_one_connection_a_port(node: Node) -> None:
    async def mirror(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(100):
            writer.write(data)

    closed = await closed_port()
    async with (
        listening(mirror) as port,
        node.open(f"{PATH}?port={port}&port={closed}", "v4.channel.k8s.io") as socket,
    ):
        told = [await socket.recv() for _ in range(4)]
        ports = [number.to_bytes(2, "little") for number in (port, port, closed, closed)]
        assert told == [bytes([n]) + ports[n] for n in range(4)]
        await socket.send(b"\x00hello")
        answers = {await socket.recv(), await socket.recv()}
    refused = f"error forwarding port {closed} to pod: Connection refused"
    assert answers == {b"\x00hello", b"\x03" + refused.encode()}


async def test_questions_that_make_no_sense(node: Node) -> None:
    assert (await node.refused(PATH, "v4.channel.k8s.io"))[0] == 400
    assert (await node.refused(f"{PATH}?port=x", "v4.channel.k8s.io"))[0] == 400
    assert (await node.refused(f"{PATH}?port=80", "v9"))[0] == 400
    head = ("Upgrade", "SPDY/3.1")
    async with upgraded(node, "POST", "/portForward/default/q", head) as (_, answer):
        assert answer.status == 404
