"""exec, attach and port-forward, joined to a node that this test plays."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from appliance.control.http.server import ApiServer
from appliance.kit.duplex import Duplex, connect
from appliance.kit.takeover import take_over
from appliance.kit.upgrading import Answer, ask, refusal, request_bytes
from tests.conform.live import Live, live
from tests.unit.control.http.test_logs import fill

POD = "/api/v1/namespaces/shop/pods/web"
ASK = [("Host", "x"), ("Connection", "Upgrade"), ("Upgrade", "websocket")]


@dataclass
class PlayedNode:
    """Switches protocols when it may and gives the connection to the test."""

    refuses: str = ""
    asked: list[str] = field(default_factory=list)
    headers: dict[bytes, bytes] = field(default_factory=dict)
    connections: list[Duplex] = field(default_factory=list)
    taken: "asyncio.Queue[Duplex]" = field(default_factory=asyncio.Queue)

    async def __call__(self, scope: Any, _receive: Any, send: Any) -> None:
        self.asked.append(f"{scope['method']} {scope['path']}?{scope['query_string'].decode()}")
        self.headers = dict(scope["headers"])
        if self.refuses:
            body = self.refuses.encode()
            headers = [(b"content-length", b"%d" % len(body))]
            await send({"type": "http.response.start", "status": 404, "headers": headers})
            await send({"type": "http.response.body", "body": body})
            return
        connection = take_over(scope)
        await connection.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Protocol: v5.channel.k8s.io\r\nX-Secret: no\r\n\r\nhello"
        )
        self.connections.append(connection)
        self.taken.put_nowait(connection)


@dataclass
class Lab:
    running: Live
    node: PlayedNode
    tls: ssl.SSLContext
    opened: list[Duplex] = field(default_factory=list)
    away: Callable[[], Awaitable[None]] | None = None
    """The node stops answering."""

    async def ask(self, path: str, method: str = "GET", *more: tuple[str, str]) -> Answer:
        url = httpx.URL(self.running.access.server)
        connection = await connect(url.host, url.port or 0, self.tls)
        self.opened.append(connection)
        return await ask(connection, request_bytes(method, f"{POD}{path}", [*ASK, *more]))

    @property
    def client(self) -> Duplex:
        return self.opened[-1]

    async def message(self, answer: Answer) -> str:
        return str(
            httpx.Response(200, content=await refusal(self.client, answer)).json()["message"]
        )


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    node = PlayedNode()
    async with live(tmp_path) as running:
        server = ApiServer(
            node,
            host="127.0.0.1",
            port=0,
            cert_pem_path=tmp_path / "node.crt",
            key_pem_path=tmp_path / "node.key",
            client_ca_path=tmp_path / "ca.crt",
        )
        await server.start()
        await fill(running, server.port)
        context = ssl.create_default_context(cafile=str(tmp_path / "ca.crt"))
        context.load_cert_chain(tmp_path / "admin.crt", tmp_path / "admin.key")
        made = Lab(running, node, context, away=server.stop)
        yield made
        for connection in (*made.opened, *node.connections):
            await connection.close()
        await server.stop()


async def test_bytes_go_both_ways_until_one_side_ends(lab: Lab) -> None:
    own = ("Sec-WebSocket-Protocol", "v5.channel.k8s.io"), ("Cookie", "private")
    answer = await lab.ask("/exec?command=ls&command=-l&stdout=true&other=x", "GET", *own)
    assert (answer.status, answer.headers["upgrade"]) == (101, "websocket")
    assert answer.headers["sec-websocket-protocol"] == "v5.channel.k8s.io"
    assert "x-secret" not in answer.headers
    assert lab.node.asked == ["GET /exec/shop/web/main?command=ls&command=-l&stdout=true"]
    assert lab.node.headers[b"sec-websocket-protocol"] == b"v5.channel.k8s.io"
    assert b"cookie" not in lab.node.headers

    node = await lab.node.taken.get()
    assert await lab.client.reader.readexactly(5) == b"hello"
    await lab.client.write(b"ping")
    assert await node.reader.readexactly(4) == b"ping"
    await node.write(b"last words")
    await node.close()
    async with asyncio.timeout(5):
        assert await lab.client.reader.read() == b"last words"


async def test_what_a_client_says_before_it_is_answered_is_not_lost(lab: Lab) -> None:
    url = httpx.URL(lab.running.access.server)
    connection = await connect(url.host, url.port or 0, lab.tls)
    lab.opened.append(connection)
    request = request_bytes("GET", f"{POD}/attach?stdin=true", ASK)
    await connection.write(request + b"early ")
    await connection.write(b"birds")
    node = await lab.node.taken.get()
    async with asyncio.timeout(5):
        assert await node.reader.readexactly(11) == b"early birds"


async def test_who_asks_for_an_upgrade_that_nobody_gives_is_answered_as_ever(lab: Lab) -> None:
    url = httpx.URL(lab.running.access.server)
    connection = await connect(url.host, url.port or 0, lab.tls)
    lab.opened.append(connection)
    head = [("Host", "x"), ("Connection", "Upgrade"), ("Upgrade", "h2c")]
    answer = await ask(connection, request_bytes("GET", "/version", head))
    assert answer.status == 200
    async with asyncio.timeout(5):
        assert b"gitVersion" in await connection.reader.read(), "and the connection ends"


async def test_megabytes_wait_for_a_slow_client(lab: Lab) -> None:
    await lab.ask("/attach?stdout=true")
    node = await lab.node.taken.get()
    await lab.client.reader.readexactly(5)
    size, sent = 20_000_000, 0

    async def write() -> None:
        nonlocal sent
        while sent < size and await node.write(b"x" * 100_000):
            sent += 100_000

    writing = asyncio.ensure_future(write())
    await asyncio.wait([writing], timeout=0.1)
    assert 0 < sent < size, "nobody reads yet, so the node has to wait"
    async with asyncio.timeout(20):
        assert len(await lab.client.reader.readexactly(size)) == size
    await writing


async def test_a_client_that_goes_is_noticed_by_the_node(lab: Lab) -> None:
    await lab.ask("/portforward?ports=80,81&ports=82")
    assert lab.node.asked == ["GET /portForward/shop/web?port=80&port=81&port=82"]
    node = await lab.node.taken.get()
    await lab.client.close()
    async with asyncio.timeout(5):
        assert await node.reader.read() == b""


async def test_streams_end_when_the_server_stops(lab: Lab) -> None:
    await lab.ask("/attach?stdout=true")
    await lab.client.reader.readexactly(5)
    async with asyncio.timeout(5):
        await lab.running.server.stop()
        assert await lab.client.reader.read() == b""


async def test_what_the_node_refuses_is_the_message(lab: Lab) -> None:
    lab.node.refuses = 'pod "web" does not run on this node'
    answer = await lab.ask("/exec?command=x&stdout=1", "POST")
    assert answer.status == 404
    assert await lab.message(answer) == 'pod "web" does not run on this node'


@pytest.mark.parametrize(
    ("path", "code", "message"),
    [
        ("/exec?command=x&container=nosuch", 400, "container nosuch is not valid for pod web"),
        ("/portforward?ports=x", 400, "invalid ports: ['x']"),
    ],
)
async def test_bad_questions_do_not_reach_the_node(
    lab: Lab, path: str, code: int, message: str
) -> None:
    answer = await lab.ask(path)
    assert answer.status == code
    assert await lab.message(answer) == message
    assert lab.node.asked == []


async def test_a_node_that_is_away_is_told(lab: Lab) -> None:
    assert lab.away is not None
    await lab.away()
    answer = await lab.ask("/exec?command=ls&stdout=1")
    assert answer.status == 500
    assert (await lab.message(answer)).startswith("error dialing backend: ")


async def test_only_upgrades_are_answered(lab: Lab) -> None:
    async with httpx.AsyncClient(verify=lab.tls, trust_env=False) as http:
        answer = await http.get(f"{lab.running.access.server}{POD}/exec?command=ls")
    assert (answer.status_code, answer.json()["message"]) == (400, "Upgrade request required")


async def test_strangers_are_refused_as_anywhere(lab: Lab) -> None:
    nobody = ssl.create_default_context()
    nobody.check_hostname, nobody.verify_mode = False, ssl.CERT_NONE
    answer = await Lab(lab.running, lab.node, nobody, lab.opened).ask("/exec?command=ls")
    assert answer.status == 403
    assert lab.node.asked == []
