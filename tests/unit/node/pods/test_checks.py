"""Checks of probes and hooks, against real servers on the loopback."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from appliance.api.kinds.core.pod.container import ContainerPort
from appliance.api.kinds.core.pod.handlers import (
    ExecAction,
    GRPCAction,
    HTTPGetAction,
    HTTPHeader,
    LifecycleHandler,
    Probe,
    SleepAction,
    TCPSocketAction,
)
from appliance.kit.clock import FakeClock, SystemClock
from appliance.node.pods.checks import Checker, Outcome, Target
from appliance.node.pods.grpc_health import Frame
from appliance.node.pods.probes import Tally, count
from appliance.node.runtimes.base import Container, ContainerSpec, ExecResult, NotThere
from appliance.node.runtimes.fake import FakeRuntime
from tests.unit.node.stage import wish


class Server:
    """Answers every connection with fixed bytes and keeps what it was asked."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.asked = b""
        self.port = 0
        self.done = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self.asked = await reader.readuntil(b"\r\n\r\n")
            writer.write(self.answer)
            await writer.drain()
        except asyncio.IncompleteReadError:
            pass  # it was only a look at the port
        finally:
            writer.close()
            self.done.set()


@asynccontextmanager
async def serving(answer: bytes) -> AsyncIterator[Server]:
    server = Server(answer)
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.port = listener.sockets[0].getsockname()[1]
    async with listener:
        yield server
        await server.done.wait()


def checker() -> Checker:
    return Checker(FakeRuntime(FakeClock()), SystemClock())


def target(port: int = 0) -> Target:
    named = ContainerPort(name="http", containerPort=port)
    return Target("c1", wish(ports=[named]), "127.0.0.1")


@pytest.mark.parametrize(
    ("status", "ok"),
    [
        ("200 OK", True),
        ("204 None", True),
        ("302 Found", True),
        ("404 No", False),
        ("500 X", False),
    ],
)
async def test_http_codes(status: str, ok: bool) -> None:
    async with serving(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode()) as server:
        probe = Probe(httpGet=HTTPGetAction(port="http", path="/healthz"))
        outcome = await checker().check(probe, target(server.port), 1)
        assert outcome.ok is ok
        if not ok:
            assert outcome.text == f"HTTP probe failed with statuscode: {status[:3]}"
        assert server.asked.startswith(b"GET /healthz HTTP/1.1\r\n")


async def test_headers_and_host() -> None:
    async with serving(b"HTTP/1.1 200 OK\r\n\r\n") as server:
        headers = [HTTPHeader(name="Host", value="web"), HTTPHeader(name="X-A", value="1")]
        action = HTTPGetAction(port=server.port, httpHeaders=headers)
        await checker().check(Probe(httpGet=action), target(), 1)
        lines = server.asked.decode().splitlines()
        assert lines[0] == "GET / HTTP/1.1"
        assert "Host: web" in lines
        assert "X-A: 1" in lines


async def test_what_does_not_speak_http() -> None:
    async with serving(b"220 ready\r\n") as server:
        probe = Probe(httpGet=HTTPGetAction(port=server.port))
        outcome = await checker().check(probe, target(), 1)
        assert outcome == Outcome(ok=False, text="the answer is not HTTP")


async def test_an_open_port_is_enough_for_tcp() -> None:
    async with serving(b"") as server:
        probe = Probe(tcpSocket=TCPSocketAction(port=server.port))
        assert (await checker().check(probe, target(), 1)).ok
    refused = await checker().check(probe, target(), 1)
    assert not refused.ok
    assert "Connect call failed" in refused.text


async def test_a_name_that_no_port_has() -> None:
    probe = Probe(tcpSocket=TCPSocketAction(port="metrics"))
    outcome = await checker().check(probe, target(), 1)
    assert outcome.text == "couldn't find port: metrics in container web"


async def test_a_silent_server_is_not_waited_for() -> None:
    done = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        done.set()

    listener = await asyncio.start_server(silent, "127.0.0.1", 0)
    async with listener:
        port = listener.sockets[0].getsockname()[1]
        outcome = await checker().check(Probe(httpGet=HTTPGetAction(port=port)), target(), 0.05)
        assert outcome == Outcome(ok=False, text="timed out after 0.05s")
        await done.wait()


async def test_commands() -> None:
    runtime = FakeRuntime(FakeClock(), images=("i",))
    container_id = await runtime.create(ContainerSpec(name="c", image="i", marks={}))
    asked: list[object] = []

    def answer(_container: Container, argv: object) -> ExecResult:
        asked.append(argv)
        return ExecResult(3, b" too bad\n")

    runtime.on_exec = answer
    probe = Probe(exec=ExecAction(command=["check", "it"]))
    there = Target(container_id, wish(), "")
    assert await Checker(runtime, FakeClock()).check(probe, there, 1) == Outcome(
        ok=False, text="too bad"
    )
    assert asked == [["check", "it"]]
    gone = await Checker(runtime, FakeClock()).check(probe, target(), 1)
    assert gone == Outcome(ok=False, text=str(NotThere("no container c1")))


async def test_a_hook_may_sleep() -> None:
    clock = FakeClock()
    handler = LifecycleHandler(sleep=SleepAction(seconds=3))
    async with asyncio.TaskGroup() as group:
        slept = group.create_task(Checker(FakeRuntime(clock), clock).check(handler, target(), 9))
        await asyncio.sleep(0)
        await clock.advance(2)
        assert not slept.done()
        await clock.advance(1)
    assert slept.result().ok


def test_a_verdict_needs_enough_equal_outcomes_in_a_row() -> None:
    probe = Probe(successThreshold=2, failureThreshold=3)
    good, bad = Outcome(ok=True), Outcome(ok=False)
    tally = Tally()
    verdicts = []
    for outcome in (bad, bad, good, bad, bad, bad, good, bad, good, good):
        tally = count(tally, probe, outcome)
        verdicts.append(tally.verdict)
    assert verdicts == [None, None, None, None, None, False, False, False, False, True]


class HealthServer:
    """Enough of HTTP/2 for one gRPC call; `frames` are sent after the request."""

    def __init__(self, *frames: Frame) -> None:
        self.frames = frames
        self.heard = b""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(Frame(4, 0, 0, b"").pack() + Frame(6, 0, 0, b"12345678").pack())
        want = b"12345678"  # the ping comes back when all has been heard
        while want not in self.heard:
            part = await reader.read(4096)
            if not part:
                break
            self.heard += part
        writer.write(b"".join(frame.pack() for frame in self.frames))
        await writer.drain()
        writer.close()


def answer(message: bytes, flags: int = 0) -> Frame:
    return Frame(0, flags, 1, b"\0" + len(message).to_bytes(4, "big") + message)


@pytest.mark.parametrize(
    ("frames", "ok", "text"),
    [
        ([Frame(1, 4, 1, b"\x88"), answer(b"\x08\x01"), Frame(1, 5, 1, b"\x88")], True, ""),
        ([answer(b"\x08\x02")], False, "NOT_SERVING"),
        ([answer(b"")], False, "UNKNOWN"),
        ([Frame(1, 5, 1, b"\x88")], False, "not known or not implemented"),
        ([Frame(7, 0, 0, b"\0" * 8)], False, "refused"),
        ([], False, "speaks no gRPC"),
    ],
)
async def test_grpc(frames: list[Frame], ok: bool, text: str) -> None:
    server = HealthServer(*frames)
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    async with listener:
        port = listener.sockets[0].getsockname()[1]
        probe = Probe(grpc=GRPCAction(port=port, service="db"))
        outcome = await checker().check(probe, target(), 5)
    assert outcome.ok is ok
    assert text in outcome.text
    assert b"/grpc.health.v1.Health/Check" in server.heard
    assert b"\x0a\x02db" in server.heard


async def test_grpc_of_what_is_another_protocol() -> None:
    async with serving(b"HTTP/1.1 400 Bad Request\r\n\r\n") as server:
        probe = Probe(grpc=GRPCAction(port=server.port))
        outcome = await checker().check(probe, target(), 5)
    assert outcome.text == "service '': the answer is not HTTP/2"
