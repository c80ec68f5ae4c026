"""A command in a container, between a client's channels and an engine's session.

Called by `endpoints` for exec and attach. Both directions run until the command ends or the
client goes; then the session is closed, which kills a command that still runs.
Bound: nothing is kept; each side waits for the other.
"""

from dataclasses import dataclass

from appliance.kit.duplex import first_of
from appliance.node.runtimes.base import ExecStream, RuntimeFault
from appliance.node.serve.channels import (
    CLOSE,
    ERROR,
    OUTPUTS,
    RESIZE,
    STDIN,
    Channels,
    ended_with,
    failed_with,
    size_of,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which streams the client asked for; a terminal has no stderr of its own."""

    stdin: bool
    stdout: bool
    stderr: bool
    tty: bool

    @property
    def lowest_output(self) -> int:
        """The channel of the empty message that tells the client that it is connected."""
        if self.stdout:
            return OUTPUTS["stdout"]
        return OUTPUTS["stderr"] if self.stderr and not self.tty else ERROR


async def run(channels: Channels, session: ExecStream, wanted: Wanted) -> None:
    """Carry everything, then the exit code."""
    await channels.send(wanted.lowest_output, b"")
    await first_of(_input(channels, session, wanted), _output(channels, session, wanted))


async def _input(channels: Channels, session: ExecStream, wanted: Wanted) -> None:
    while (received := await channels.receive()) is not None:
        channel, data = received
        if channel == STDIN and wanted.stdin:
            await session.write(data)
        elif channel == RESIZE and wanted.tty and (size := size_of(data)):
            await session.resize(size.width, size.height)
        elif channel == CLOSE and data[:1] == bytes([STDIN]):
            session.close_stdin()


async def _output(channels: Channels, session: ExecStream, wanted: Wanted) -> None:
    asked = {"stdout": wanted.stdout, "stderr": wanted.stderr}
    try:
        while (chunk := await session.read()) is not None:
            if asked[chunk.stream]:
                await channels.send(OUTPUTS[chunk.stream], chunk.data)
        status = ended_with(await session.exit_code())
    except RuntimeFault as fault:
        status = failed_with(str(fault))
    await channels.send(ERROR, status)
