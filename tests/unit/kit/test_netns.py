"""A socket in another network namespace, and we stay where we are."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.kit.netns import socket_inside

pytestmark = [pytest.mark.root, pytest.mark.skipif(os.geteuid() != 0, reason="needs root")]


def here() -> Path:
    return Path("/proc/self/ns/net").readlink()


@pytest.fixture
def away() -> Iterator[int]:
    """A process in a network namespace of its own."""
    command = ["unshare", "-n", "sh", "-c", "echo; exec sleep 60"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process.pid
        process.kill()


async def test_the_socket_is_there_and_we_are_here(away: int) -> None:
    before = here()
    inside = await socket_inside(away)
    # Over there even the loopback device is down.
    with inside, pytest.raises(OSError, match="unreachable"):
        inside.connect(("127.0.0.1", 9))
    assert here() == before


async def test_a_process_that_has_ended_is_said_to_have() -> None:
    with pytest.raises(ProcessLookupError, match="has ended"):
        await socket_inside(2**22 + 1)
