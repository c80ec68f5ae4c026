"""The one door to other programs: argument lists only, a deadline, bounded output."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

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


def detach(argv: Sequence[str], *, log: Path, env: Mapping[str, str]) -> int:
    """Start a daemon that outlives us, in a session of its own; return its process id.

    Its output goes to `log`, and it works in the folder of its log: what it leaves there (core
    files, notes) is found there.

    Raises:
        FileNotFoundError: there is no such program.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    program = shutil.which(argv[0])
    if program is None:
        raise FileNotFoundError(f"there is no program {argv[0]}")
    # `env -C` changes the folder and becomes the program: same process id.
    return os.posix_spawnp(
        "env",
        ["env", "-C", str(log.parent.resolve()), program, *argv[1:]],
        env,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )


def ended(pid: int) -> int | None:
    """The exit code of a daemon that we started (minus the signal that ended it); None: it runs."""
    try:
        reaped, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return 0  # it was another's child, or somebody took note before us
    return os.waitstatus_to_exitcode(status) if reaped else None
