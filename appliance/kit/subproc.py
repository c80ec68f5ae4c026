"""The one door to other programs: argument lists only, a deadline, bounded output."""

import asyncio
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

Daemon = subprocess.Popen[bytes]
_MAX_OUTPUT_BYTES = 1 << 20  # enough for any command we run; more is cut, never kept in memory


@dataclass(frozen=True, slots=True)
class Finished:
    """What a program left behind."""

    argv: tuple[str, ...]
    code: int
    stdout: bytes
    stderr: bytes

    def check(self) -> "Finished":
        """Return self if the program succeeded.

        Raises:
            ProgramError: it did not.
        """
        if self.code != 0:
            raise ProgramError(self)
        return self


class ProgramError(Exception):
    """A program ended with a code other than 0."""

    def __init__(self, finished: Finished) -> None:
        self.finished = finished
        text = finished.stderr.decode(errors="replace").strip()[-400:]
        super().__init__(f"{finished.argv[0]} ended with code {finished.code}: {text}")


async def run(
    argv: Sequence[str], *, stdin: bytes | None = None, timeout_s: float = 30.0
) -> Finished:
    """Run a program to its end.

    Raises:
        TimeoutError: it did not end in time (it has been killed).
        FileNotFoundError: there is no such program.
    """
    process = await asyncio.create_subprocess_exec(
        *argv,
        stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(timeout_s):
            out, err = await process.communicate(stdin)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    code = process.returncode or 0
    return Finished(tuple(argv), code, out[:_MAX_OUTPUT_BYTES], err[:_MAX_OUTPUT_BYTES])


def detach(argv: Sequence[str], *, log: Path, env: Mapping[str, str]) -> Daemon:
    """Start a daemon that outlives us, in a session of its own; its output goes to `log`.

    It works in the folder of its log: what it leaves there (core files, notes) is found there.

    Raises:
        FileNotFoundError: there is no such program.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        return subprocess.Popen(  # noqa: S603 - an argument list, no shell
            argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=env,
            cwd=log.parent,
            start_new_session=True,
        )
