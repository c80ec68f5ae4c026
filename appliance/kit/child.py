"""A child process that belongs to this one: started again when it dies, stopped with its parent.

The child reads standard input to its end and stops then: however the parent dies, the kernel
closes the pipe, so no child outlives it and no pid file can be stale.
"""

import asyncio
import subprocess
from collections.abc import Sequence

import structlog

log = structlog.get_logger(__name__)


class Child:
    """One run of a program; `stop_grace_s` bounds how long it may take to stop."""

    def __init__(self, argv: Sequence[str], *, stop_grace_s: float = 8.0) -> None:
        self._argv = tuple(argv)
        self._grace_s = stop_grace_s

    async def run(self) -> None:
        """Start the program and wait until it ends; cancelling stops it.

        Raises:
            ChildDied: it ended by itself with a code other than 0.
        """
        process = await asyncio.create_subprocess_exec(*self._argv, stdin=subprocess.PIPE)
        log.info("child started", pid=process.pid, program=self._argv[-1])
        try:
            code = await process.wait()
        except asyncio.CancelledError:
            await self._stop(process)
            raise
        if code != 0:
            raise ChildDied(self._argv, code)

    async def _stop(self, process: asyncio.subprocess.Process) -> None:
        if process.stdin is not None:
            process.stdin.close()
        try:
            async with asyncio.timeout(self._grace_s):
                await process.wait()
        except TimeoutError:
            log.warning("child did not stop in time and is killed", pid=process.pid)
            process.kill()
            await process.wait()


class ChildDied(Exception):
    """The program ended by itself."""

    def __init__(self, argv: Sequence[str], code: int) -> None:
        super().__init__(f"{argv[0]} … ended with code {code}")
        self.code = code
