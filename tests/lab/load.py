"""Requests at a steady rate, each on a connection of its own: `python -m tests.lab.load URL RATE`.

Open loop: a request starts when its time has come, whether the others have been answered or not.
Ends at SIGTERM and says what came of it in one line of JSON. A program of its own, so that a busy
test does not slow it down.
"""

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

ANSWER_S = 10.0
LATE_S = 0.5
"""A generator this far behind its own schedule is overloaded and says so."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of all requests."""

    sent: int
    failures: dict[str, int]
    seconds: float
    p99_s: float
    slipped: int
    """Requests that started late because the machine was busy."""

    @property
    def rate(self) -> float:
        return self.sent / self.seconds


class Load:
    """The program in the background of a test; `outcome` is there when it has been left."""

    outcome: Outcome

    def __init__(self, url: str, rate: int) -> None:
        self._argv = [sys.executable, "-m", "tests.lab.load", url, str(rate)]

    def __enter__(self) -> Self:
        root = Path(__file__).parents[2]
        self._process = subprocess.Popen(self._argv, stdout=subprocess.PIPE, cwd=root)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        out, _ = self._process.communicate(timeout=60)
        self.outcome = Outcome(**json.loads(out))


async def _request(host: str, port: int, path: str) -> None:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        head = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode())
        answer = await reader.read()
        status = answer.split(b"\r\n", 1)[0].split(b" ")
        if len(status) < 2 or status[1] != b"200":
            raise OSError(f"answered {answer[:40]!r}")
    finally:
        writer.close()


async def _run(url: str, rate: int) -> Outcome:
    parts = urlsplit(url)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    failures: Counter[str] = Counter()
    took: list[float] = []
    slipped = 0

    async def one() -> None:
        started = time.monotonic()
        try:
            async with asyncio.timeout(ANSWER_S):
                await _request(parts.hostname or "", parts.port or 80, parts.path)
        except (OSError, TimeoutError) as error:
            failures[f"{type(error).__name__}: {error}"] += 1
        took.append(time.monotonic() - started)

    began = due = time.monotonic()
    async with asyncio.TaskGroup() as group:
        sent = 0
        while not stop.is_set():
            now = time.monotonic()
            if now - due > LATE_S:
                slipped += 1
            while due <= now:
                group.create_task(one())
                sent += 1
                due += 1 / rate
            await asyncio.sleep(due - now)
        seconds = time.monotonic() - began
    took.sort()
    p99 = took[int(len(took) * 0.99)] if took else 0.0
    return Outcome(sent, dict(failures.most_common(5)), seconds, p99, slipped)


if __name__ == "__main__":
    found = asyncio.run(_run(sys.argv[1], int(sys.argv[2])))
    print(json.dumps({name: getattr(found, name) for name in Outcome.__slots__}))
