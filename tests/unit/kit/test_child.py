"""Children that can't outlive their parent."""

import asyncio
import sys
from pathlib import Path

import pytest

from appliance.kit.child import Child, ChildDied

# Says over a socket that it lives, and what became of it.
HELLO = "import socket, sys, time; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]);"
PATIENT = HELLO + "sys.stdin.read(); s.sendall(b'ended by itself')"
DEAF = HELLO + "sys.stdin.read(); time.sleep(60)"


def python(code: str, *args: str) -> list[str]:
    return [sys.executable, "-c", code, *args]


async def stopped(code: str, folder: Path, grace_s: float) -> bytes:
    """Start a child, stop it once it lives, and give its last words."""
    living, words = asyncio.Event(), asyncio.get_running_loop().create_future()

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        living.set()
        words.set_result(await reader.read())
        writer.close()

    path = str(folder / "s")
    async with await asyncio.start_unix_server(hear, path):
        running = asyncio.ensure_future(Child(python(code, path), stop_grace_s=grace_s).run())
        await living.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        return bytes(await words)


async def test_a_child_that_dies_is_said_to_have() -> None:
    with pytest.raises(ChildDied, match="ended with code 3"):
        await Child(python("raise SystemExit(3)")).run()


async def test_stopping_closes_its_input_and_lets_it_end_by_itself(tmp_path: Path) -> None:
    assert await stopped(PATIENT, tmp_path, grace_s=20) == b"ended by itself"


async def test_a_deaf_child_is_killed_when_its_grace_is_over(tmp_path: Path) -> None:
    assert await stopped(DEAF, tmp_path, grace_s=0.1) == b""
