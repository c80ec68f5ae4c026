"""What every engine promises about commands with input, terminals and attaching.

See `ExecStream` and `Interactive` in `appliance/node/runtimes/base.py`.
"""

import asyncio
import hashlib
import os
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from appliance.node.runtimes.base import (
    ContainerSpec,
    ExecResult,
    ExecStream,
    NotThere,
    Runtime,
    State,
)
from appliance.node.runtimes.fake import FakeRuntime
from tests.contract.engines import DEAF, SLEEPER, Engine, open_engine

REAL = [
    pytest.param("docker", marks=pytest.mark.docker),
    pytest.param("podman", marks=pytest.mark.podman),
]
pytestmark = pytest.mark.asyncio(loop_scope="module")
ECHO_INPUT = ("sh", "-c", 'while read line; do echo "got $line"; done; sleep 60')


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["fake", *REAL])
async def engine(request: pytest.FixtureRequest) -> AsyncIterator[Engine]:
    async with open_engine(request.param) as opened:
        yield opened


@asynccontextmanager
async def running(
    runtime: Runtime, *, command: Sequence[str] = (), **settings: bool
) -> AsyncIterator[str]:
    """A container of the test's own, gone afterwards."""
    name = f"apl-streams-{secrets.token_hex(6)}"
    image = DEAF if not command else SLEEPER
    spec = ContainerSpec(
        name=name,
        image=image,
        marks={"appliance.test": name},
        command=tuple(command),
        **settings,
    )
    container_id = await runtime.create(spec)
    try:
        await runtime.start(container_id)
        yield container_id
    finally:
        await runtime.remove(container_id)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def container(engine: Engine) -> AsyncIterator[str]:
    """One that runs all the time."""
    async with running(engine.runtime) as container_id:
        yield container_id


@pytest.fixture
def real(engine: Engine) -> Runtime:
    """An engine whose containers are processes."""
    if not engine.real:
        pytest.skip("the fake runs no processes")
    return engine.runtime


@asynccontextmanager
async def executing(
    runtime: Runtime, container: str, *argv: str, stdin: bool = False, tty: bool = False
) -> AsyncIterator[ExecStream]:
    session = await runtime.exec_stream(container, argv, stdin=stdin, tty=tty)
    try:
        async with asyncio.timeout(20):
            yield session
    finally:
        await session.close()


async def rest(session: ExecStream) -> dict[str, bytes]:
    """All that comes, by stream."""
    said = {"stdout": b"", "stderr": b""}
    while (chunk := await session.read()) is not None:
        said[chunk.stream] += chunk.data
    return said


async def until(session: ExecStream, text: bytes) -> bytes:
    """Read until `text` has come."""
    said = b""
    while text not in said:
        chunk = await session.read()
        assert chunk is not None, said
        said += chunk.data
    return said


def processes(text: str) -> list[str]:
    """Pids on this host whose command line has `text` in it."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if text.encode() in (folder / "cmdline").read_bytes():
                found.append(folder.name)
        except OSError:
            continue
    return found


async def test_input_comes_back_and_its_end_ends_the_command(
    engine: Engine, container: str
) -> None:
    async with executing(engine.runtime, container, "cat", stdin=True) as session:
        await session.write(b"one ")
        assert await until(session, b"one ") == b"one "
        await session.write(b"two")
        session.close_stdin()
        assert await rest(session) == {"stdout": b"two", "stderr": b""}
        assert await session.exit_code() == 0


async def test_the_exit_code_is_the_commands(engine: Engine, container: str) -> None:
    if isinstance(engine.runtime, FakeRuntime):
        engine.runtime.on_exec = lambda _container, _argv: ExecResult(7, b"out\n")
    script = "echo out; exit 7"
    async with executing(engine.runtime, container, "sh", "-c", script) as session:
        assert await rest(session) == {"stdout": b"out\n", "stderr": b""}
        assert await session.exit_code() == 7
    if isinstance(engine.runtime, FakeRuntime):
        engine.runtime.on_exec = lambda _container, _argv: ExecResult(0, b"")


async def test_complaints_come_apart(real: Runtime, container: str) -> None:
    async with executing(real, container, "sh", "-c", "echo out; echo err >&2") as session:
        assert await rest(session) == {"stdout": b"out\n", "stderr": b"err\n"}


async def test_a_command_without_input_reads_nothing(real: Runtime, container: str) -> None:
    async with executing(real, container, "cat") as session:
        assert await rest(session) == {"stdout": b"", "stderr": b""}
        assert await session.exit_code() == 0


async def test_a_terminal_has_the_size_it_is_given(real: Runtime, container: str) -> None:
    script = "read x; stty size; echo err >&2; read x; stty size; exit 3"
    async with executing(real, container, "sh", "-c", script, stdin=True, tty=True) as session:
        await session.resize(90, 33)
        await session.write(b"go\n")
        assert b"33 90\r\nerr\r\n" in await until(session, b"err\r\n")
        await session.resize(40, 12)
        await session.write(b"on\n")
        assert (await rest(session))["stdout"].endswith(b"12 40\r\n")
        assert await session.exit_code() == 3
        await session.resize(1, 1)  # it has ended: nothing to do


async def test_ten_megabytes_go_through(real: Runtime, container: str) -> None:
    data = os.urandom(10_000_000)
    async with executing(real, container, "cat", stdin=True) as session:

        async def write() -> None:
            for at in range(0, len(data), 100_000):
                await session.write(data[at : at + 100_000])
            session.close_stdin()

        writing = asyncio.ensure_future(write())
        said = await rest(session)
        await writing
        assert await session.exit_code() == 0
    assert hashlib.sha256(said["stdout"]).digest() == hashlib.sha256(data).digest()


async def test_a_reader_that_stops_stops_the_command(real: Runtime, container: str) -> None:
    async with executing(real, container, "sh", "-c", "yes; echo never") as session:
        assert await session.read() is not None
        assert len(processes("yes; echo never")) > 0
    await gone("yes; echo never")


async def gone(text: str) -> None:
    async with asyncio.timeout(20):
        while processes(text):  # noqa: ASYNC110 - processes give no events
            await asyncio.sleep(0.02)


async def test_closing_kills_the_command(real: Runtime, container: str) -> None:
    mark = f"sleep 10{secrets.randbelow(10**6)}"
    async with executing(real, container, "sh", "-c", f"echo on; {mark}; true") as session:
        await until(session, b"on\n")
        assert processes(mark)
    await gone(f"echo on; {mark}; true")


async def test_a_cancelled_user_leaves_nothing_behind(real: Runtime, container: str) -> None:
    mark = f"10{secrets.randbelow(10**6)}"
    begun = asyncio.Event()

    async def use() -> None:
        script = f"echo on; sleep {mark}; true"
        async with executing(real, container, "sh", "-c", script) as session:
            await until(session, b"on\n")
            begun.set()
            await rest(session)

    user = asyncio.ensure_future(use())
    await begun.wait()
    user.cancel()
    with pytest.raises(asyncio.CancelledError):
        await user
    await gone(f"echo on; sleep {mark}")


async def test_a_user_cancelled_at_once_does_no_harm(real: Runtime, container: str) -> None:
    for pause in (0.0, 0.001, 0.005, 0.02, 0.05):
        work = real.exec_stream(container, ["sh", "-c", "sleep 0.1"], stdin=False, tty=False)
        beginning = asyncio.ensure_future(work)
        await asyncio.sleep(pause)
        beginning.cancel()
        results = await asyncio.gather(beginning, return_exceptions=True)
        if isinstance(results[0], BaseException):
            continue
        await results[0].close()
    async with asyncio.timeout(10):
        assert (await real.inspect(container)).state is State.RUNNING
        assert (await real.exec(container, ["true"], 10)).exit_code == 0


async def test_what_is_missing_is_said_to_be(engine: Engine) -> None:
    nobody = "0" * 64
    with pytest.raises(NotThere):
        await engine.runtime.exec_stream(nobody, ["true"], stdin=False, tty=False)
    with pytest.raises(NotThere):
        await engine.runtime.attach_stream(nobody, stdin=False)


async def test_a_command_that_is_not_there_fails(real: Runtime, container: str) -> None:
    async with executing(real, container, "/no/such") as session:
        said = await rest(session)
        assert b"no such file" in said["stdout"] + said["stderr"]
        assert await session.exit_code() in {126, 127}


async def test_attaching_joins_the_containers_own_streams(engine: Engine) -> None:
    async with running(engine.runtime, command=ECHO_INPUT, stdin=True) as container:
        session = await engine.runtime.attach_stream(container, stdin=True)
        await session.write(b"hello\n")
        async with asyncio.timeout(10):
            await until(session, b"hello\n")
        await session.close()
        assert (await engine.runtime.inspect(container)).state is State.RUNNING


async def test_input_that_comes_once_ends_with_its_client(real: Runtime) -> None:
    async with running(real, command=("cat",), stdin=True, stdin_once=True) as container:
        session = await real.attach_stream(container, stdin=True)
        await session.write(b"all there is")
        session.close_stdin()
        async with asyncio.timeout(10):
            assert (await rest(session))["stdout"] == b"all there is"
        await session.close()


async def test_an_attached_terminal_is_resized(real: Runtime) -> None:
    command = ("sh", "-c", "while read x; do stty size; done; sleep 60")
    async with running(real, command=command, stdin=True, tty=True) as container:
        session = await real.attach_stream(container, stdin=True)
        await session.resize(90, 33)
        await session.write(b"go\n")
        async with asyncio.timeout(10):
            await until(session, b"33 90\r\n")
        await session.close()
        assert (await real.inspect(container)).state is State.RUNNING


async def test_an_attached_client_hears_of_the_end(real: Runtime) -> None:
    async with running(real, command=("sh", "-c", "sleep 1; echo bye"), stdin=False) as container:
        session = await real.attach_stream(container, stdin=False)
        async with asyncio.timeout(10):
            assert (await rest(session))["stdout"] == b"bye\n"
            assert await session.exit_code() == 0
        await session.close()
