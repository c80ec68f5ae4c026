"""Commands through the node's own API, on an engine that echoes."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus
from websockets.frames import Frame, Opcode
from websockets.protocol import Protocol, Side
from websockets.typing import Subprotocol

from appliance.kit.spdy import Reset
from appliance.node.runtimes.base import ExecResult
from appliance.node.runtimes.fake_sessions import FakeSession
from appliance.node.serve.channels import V4, V4_BASE64, V5
from appliance.node.serve.server import NodeServer
from appliance.node.serve.websocket import MESSAGE_BYTES, PONG_S
from tests.unit.node.spdy_client import Spdy, upgraded
from tests.unit.node.stage import Stage
from tests.unit.node.test_serve import Keys, serving

EXEC = "/exec/default/p/web?command=sh&command=-c&stdout=1&stderr=1"
SUCCESS = {"metadata": {}, "status": "Success"}


@dataclass
class Node:
    """One node with one pod of one container, and the API server's certificate."""

    stage: Stage
    server: NodeServer
    tls: ssl.SSLContext

    @asynccontextmanager
    async def open(self, path: str, *protocols: str) -> AsyncIterator[ClientConnection]:
        url = f"wss://127.0.0.1:{self.server.port}{path}"
        offered = [Subprotocol(name) for name in protocols or (V5,)]
        async with connect(url, ssl=self.tls, subprotocols=offered, proxy=None) as socket:
            yield socket

    async def refused(self, path: str, *protocols: str) -> tuple[int, str]:
        with pytest.raises(InvalidStatus) as caught:
            async with self.open(path, *protocols):
                pass
        answer = caught.value.response
        return answer.status_code, bytes(answer.body or b"").decode()

    @property
    def session(self) -> FakeSession:
        return self.stage.runtime.sessions[-1]


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    stage, keys = Stage(tmp_path), Keys(tmp_path)
    masters = keys.caller("system:masters")
    async with serving(stage, keys) as server:
        yield Node(stage, server, masters)


async def rest(socket: ClientConnection) -> list[tuple[int, bytes]]:
    """All messages up to the server's goodbye."""
    seen = []
    async for message in socket:
        assert isinstance(message, bytes)
        seen.append((message[0], message[1:]))
    assert socket.close_code == 1000
    return seen


def status(message: tuple[int, bytes]) -> Any:
    assert message[0] == 3
    return json.loads(message[1])


async def test_output_and_exit_code_come_on_their_channels(node: Node) -> None:
    asked: list[list[str]] = []

    def answer(_container: object, argv: Any) -> ExecResult:
        asked.append(list(argv))
        return ExecResult(7, b"out")

    node.stage.runtime.on_exec = answer
    async with node.open(EXEC) as socket:
        assert socket.subprotocol == V5
        hello, out, end = await rest(socket)
    assert (hello, out) == ((1, b""), (1, b"out"))
    failure = status(end)
    assert (failure["status"], failure["reason"]) == ("Failure", "NonZeroExitCode")
    assert failure["details"]["causes"] == [{"reason": "ExitCode", "message": "7"}]
    assert asked == [["sh", "-c"]]
    await node.session.closed.wait()


async def test_input_goes_in_and_ends_with_its_close_signal(node: Node) -> None:
    async with node.open(EXEC + "&stdin=1") as socket:
        assert await socket.recv() == b"\x01"
        await socket.send(b"\x00one")
        assert await socket.recv() == b"\x01one"
        await socket.send([b"\x00t", b"wo"])  # one message in two frames
        assert await socket.recv() == b"\x01two"
        await socket.send(b"\xff\x00")
        (end,) = await rest(socket)
    assert status(end) == SUCCESS


async def test_streams_that_nobody_asked_for_are_not_sent(node: Node) -> None:
    async with node.open("/exec/default/p/web?command=x&stdin=1&stderr=1") as socket:
        assert await socket.recv() == b"\x02"
        node.session.say(b"unheard")
        node.session.say(b"heard", "stderr")
        assert await socket.recv() == b"\x02heard"


async def test_a_terminal_hears_of_its_size(node: Node) -> None:
    async with node.open(EXEC + "&stdin=1&tty=1") as socket:
        await socket.send(b'\x04{"Width":90,"Height":33}')
        await socket.send(b"\x04nonsense")
        await socket.send(b"\xff\x00")
        await rest(socket)
    assert node.session.sizes == [(90, 33)]


async def test_a_client_that_goes_ends_its_session(node: Node) -> None:
    async with node.open(EXEC + "&stdin=1") as socket:
        await socket.recv()
        session = node.session
        assert not session.closed.is_set()
    await session.closed.wait()


async def test_a_message_that_is_too_big_ends_the_session(node: Node) -> None:
    async with node.open(EXEC + "&stdin=1") as socket:
        await socket.recv()
        await socket.send(bytes(MESSAGE_BYTES + 1))
        await socket.wait_closed()
        assert socket.close_code == 1009
    await node.session.closed.wait()


async def test_pongs_come_while_a_command_does_not_read(node: Node) -> None:
    head = ("Upgrade", "websocket"), ("Sec-WebSocket-Protocol", V5), ("Sec-WebSocket-Key", "k")
    async with upgraded(node, "GET", EXEC + "&stdin=1", *head) as (connection, _):
        protocol = Protocol(Side.CLIENT)
        protocol.receive_data(await connection.read())
        assert [e.opcode for e in frames(protocol)] == [Opcode.BINARY]
        for _ in range(2):
            await node.stage.clock.advance(PONG_S)
            protocol.receive_data(await connection.read())
            assert [e.opcode for e in frames(protocol)] == [Opcode.PONG]


async def test_a_client_is_missed_even_if_nobody_reads_its_input(node: Node) -> None:
    async with node.open(EXEC + "&stdin=1") as socket:
        await socket.recv()
        session = node.session
        session.reads.clear()
        for _ in range(100):
            await socket.send(bytes(10_000))
        socket.transport.abort()
    async with asyncio.timeout(5):
        while not session.closed.is_set():
            await node.stage.clock.advance(PONG_S)


def frames(protocol: Protocol) -> list[Frame]:
    return [event for event in protocol.events_received() if isinstance(event, Frame)]


async def test_older_clients_choose_an_older_protocol(node: Node) -> None:
    async with node.open(EXEC, "unknown", V4) as socket:
        assert socket.subprotocol == V4
        assert status((await rest(socket))[-1]) == SUCCESS
    async with node.open(EXEC + "&stdin=1", V4_BASE64) as socket:
        assert await socket.recv() == "1"
        await socket.send("0aGk=")
        assert await socket.recv() == "1aGk="


async def test_attaching_joins_and_leaves_a_running_container(node: Node) -> None:
    async with node.open("/attach/default/p/web?stdout=1&stderr=1") as socket:
        assert await socket.recv() == b"\x01"
        node.session.say(b"news")
        assert await socket.recv() == b"\x01news"
    assert (await node.stage.running("web")).id


async def test_what_is_wrong_is_said_before_the_upgrade(node: Node) -> None:
    one_of = "you must specify at least 1 of stdin, stdout, stderr"
    assert await node.refused("/exec/default/p/web?command=x") == (400, one_of)
    wrong = EXEC.replace("/web", "/nosuch")
    assert await node.refused(wrong) == (500, 'container not found ("nosuch")')
    assert await node.refused("/exec/default/q/web?command=x&stdout=1") == (
        404,
        'pod "q" does not run on this node',
    )
    assert (await node.refused(EXEC, "v1.unknown"))[0] == 400
    assert (await node.refused("/exec/default/p/web?stdout=1"))[0] == 400


@asynccontextmanager
async def over_spdy(node: Node, path: str) -> AsyncIterator[Spdy]:
    head = ("Upgrade", "SPDY/3.1"), ("X-Stream-Protocol-Version", "v4.channel.k8s.io")
    async with upgraded(node, "POST", path, *head) as (connection, answer):
        assert answer.status == 101, answer
        assert answer.headers["x-stream-protocol-version"] == "v4.channel.k8s.io"
        yield Spdy(connection.write, connection.read)


async def test_clients_from_before_websocket_open_streams(node: Node) -> None:
    node.stage.runtime.on_exec = lambda _container, _argv: ExecResult(7, b"")
    async with over_spdy(node, EXEC + "&stdin=1") as client:
        for number, kind in ((1, "error"), (3, "stdin"), (5, "stdout"), (7, "stderr")):
            await client.open(number, kind, 0)
        await client.send(client.writer.data(3, b"typed", fin=True))
        await client.until(lambda: client.ended(1, 5, 7))
        assert (client.said(5), client.said(7)) == (b"typed", b"")
        causes = json.loads(client.said(1))["details"]["causes"]
        assert causes == [{"reason": "ExitCode", "message": "7"}]
    await node.session.closed.wait()


async def test_streams_that_were_not_asked_for_are_refused(node: Node) -> None:
    async with over_spdy(node, EXEC + "&stdin=1&tty=1") as client:
        for number, kind in ((1, "error"), (3, "stdin"), (5, "stdout"), (7, "stderr")):
            await client.open(number, kind, 0)
        await client.open(9, "resize", 0)
        await client.until(lambda: Reset(7, 3) in client.heard)
        await client.send(client.writer.data(9, b'{"Width":90,"Height":33}\n'))
        await client.send(client.writer.data(3, b"typed"))
        await client.until(lambda: client.said(5) == b"typed")
    await node.session.closed.wait()
    assert node.session.sizes == [(90, 33)]
