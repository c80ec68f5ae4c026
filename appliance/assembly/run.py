"""Start order, stop order, signals: how the long-running verbs run.

A verb runs until SIGTERM or SIGINT, until one of its parts fails for good, or, for an agent that
belongs to a server, until that server is gone. Stopping leaves pods running.
"""

import asyncio
import importlib
import os
import signal
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import structlog

from appliance.config.schema import Config
from appliance.host.notify import notify
from appliance.kit import collector, heap
from appliance.kit import log as logs
from appliance.kit.tasks import Tasks

log = structlog.get_logger(__name__)

Role = Callable[[Config, Tasks], AbstractAsyncContextManager[None]]


def run(config: Config, role: Role, *, with_parent: bool = False, use_uvloop: bool = False) -> int:
    """Run a role (`server.master`, `worker.worker`); the exit code says how it went.

    uvloop serves HTTP faster; it can't open netlink sockets, which the node needs.
    """
    logs.configure(config.log_format, config.log_level)
    if config.role == "agent":
        heap.keep_small()
    collector.relax()
    try:
        with asyncio.Runner(loop_factory=_uvloop() if use_uvloop else None) as runner:
            runner.run(_until_stopped(config, role, with_parent=with_parent))
    except Exception as error:
        log.critical("stopped by an error", why=str(error), exc_info=config.log_level == "debug")
        return 1
    return 0


def _uvloop() -> Callable[[], asyncio.AbstractEventLoop]:
    """Loaded by those alone who use it."""
    factory: Callable[[], asyncio.AbstractEventLoop]
    factory = importlib.import_module("uvloop").new_event_loop
    return factory


async def _until_stopped(config: Config, role: Role, *, with_parent: bool) -> None:
    stop = _Stop()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.ask)
    os.register_at_fork(after_in_child=_forget_signals)
    if with_parent:
        loop.add_reader(sys.stdin.fileno(), lambda: _watch_parent(stop))
    try:
        async with Tasks(config.role) as tasks, role(config, tasks):
            stop.started()
            notify("READY=1", os.environ)
            await _first_of(stop.asked, tasks)
            notify("STOPPING=1", os.environ)
            log.info("stopping; pods go on running")
    except asyncio.CancelledError:
        if not stop.asked.is_set():
            raise
        log.info("stopped before it had started")


class _Stop:
    """The wish to stop; it also ends a start that waits (a node for its master)."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self._starting = asyncio.current_task()

    def ask(self) -> None:
        self.asked.set()
        if self._starting is not None:
            self._starting.cancel()
            self._starting = None

    def started(self) -> None:
        self._starting = None


def _forget_signals() -> None:
    """A forked helper (pyroute2 makes them) shares the descriptor by which asyncio hears signals.

    Without this, a SIGTERM that ends the helper would stop us.
    """
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)


def _watch_parent(stop: _Stop) -> None:
    """Standard input is a pipe from the server: its end means that the server is gone."""
    if not os.read(sys.stdin.fileno(), 4096):
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        stop.ask()


async def _first_of(stop: asyncio.Event, tasks: Tasks) -> None:
    stopped = tasks.spawn("signals", stop.wait())
    failed = tasks.spawn("failures", tasks.wait_failed())
    await asyncio.wait([stopped, failed], return_when=asyncio.FIRST_COMPLETED)
    if failed.done():
        await failed
