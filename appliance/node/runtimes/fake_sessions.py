"""Commands and terminals of `FakeRuntime`: what is written comes back, then the command ends.

A session without stdin says what `FakeRuntime.on_exec` answers and ends. One with stdin echoes
until its input is closed, as `cat` would. Tests look at `sizes` and `closed`.
"""

import asyncio

from appliance.node.runtimes.base import ExecResult, LogChunk


class FakeSession:
    """See `base.ExecStream`."""

    def __init__(self, result: ExecResult, *, stdin: bool) -> None:
        self._result = result
        self._chunks: asyncio.Queue[LogChunk | None] = asyncio.Queue()
        self.sizes: list[tuple[int, int]] = []
        self.closed = asyncio.Event()
        self.reads = asyncio.Event()
        """Clear it, and the command no longer reads its input."""
        self.reads.set()
        if not stdin:
            self.end()

    def say(self, data: bytes, stream: str = "stdout") -> None:
        """The command writes."""
        self._chunks.put_nowait(LogChunk(stream, data))

    def end(self) -> None:
        """The command ends."""
        if self._result.output:
            self.say(self._result.output)
        self._chunks.put_nowait(None)

    async def read(self) -> LogChunk | None:
        """See `base.ExecStream`."""
        return await self._chunks.get()

    async def write(self, data: bytes) -> None:
        """See `base.ExecStream`."""
        await self.reads.wait()
        self.say(data)

    def close_stdin(self) -> None:
        """See `base.ExecStream`."""
        self.end()

    async def resize(self, width: int, height: int) -> None:
        """See `base.ExecStream`."""
        self.sizes.append((width, height))

    async def exit_code(self) -> int:
        """See `base.ExecStream`."""
        return self._result.exit_code

    async def close(self) -> None:
        """See `base.ExecStream`."""
        self.closed.set()
