"""HAProxy as a daemon of its own: it outlives the server, so traffic goes on while that restarts.

A new configuration is checked before it is put in place; a running HAProxy takes it over without
dropping a connection (SIGUSR2 to its master process). Its process id lies beside its
configuration, and counts only while that process runs this very configuration. Source: HAProxy
management guide, "Master-worker mode".
"""

import asyncio
import os
import shutil
import signal
import ssl
from collections.abc import Mapping
from pathlib import Path

import structlog

from appliance.kit import subproc
from appliance.kit.atomicfile import write_atomic

log = structlog.get_logger(__name__)

PROGRAM = "haproxy"
_START_S = 1.0
"""A start that fails (a port is taken, mostly) fails within this time."""
_STOP_S = 5.0
_LOG_SHOWN = 400


class ProxyFault(Exception):
    """HAProxy does not do what it was told; the message says why."""


class HAProxy:
    """One HAProxy, with all its files in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._config = folder / "haproxy.cfg"
        self._pid = folder / "haproxy.pid"
        self._log = folder / "haproxy.log"
        self.certificates = folder / "certificates"

    async def apply(self, config: str, lists: Mapping[str, bytes]) -> None:
        """Run with this configuration; `lists` are files that it names, by path in the folder.

        Raises:
            ProxyFault: it is refused, or HAProxy does not start.
        """
        if shutil.which(PROGRAM) is None:
            raise ProxyFault(f"there is no program {PROGRAM}: install the package {PROGRAM}")
        self._config.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        for name, content in lists.items():
            write_atomic(self._config.parent / name, content)
        draft = self._config.with_suffix(".new")
        write_atomic(draft, config.encode())
        checked = await subproc.run([PROGRAM, "-c", "-f", str(draft)])
        if checked.code:
            raise ProxyFault(checked.stderr.decode(errors="replace").strip()[-_LOG_SHOWN:])
        draft.replace(self._config)
        pid = self.running()
        if pid is None:
            await self._start()
        else:
            os.kill(pid, signal.SIGUSR2)
            log.info("ingress reloaded", pid=pid)

    def put_certificate(self, name: str, pem: bytes) -> Path:
        """Store certificate and key.

        Raises:
            ProxyFault: they are none, or do not belong together.
        """
        self.certificates.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self.certificates / f"{name}.pem"
        draft = path.with_suffix(".new")
        write_atomic(draft, pem)
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(draft)
        except (ssl.SSLError, ValueError) as error:
            draft.unlink()
            raise ProxyFault(f"no certificate with its key: {error}") from error
        draft.replace(path)
        return path

    def running(self) -> int | None:
        """The process that runs our configuration."""
        try:
            pid = int(self._pid.read_text())
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError):
            return None
        return pid if os.fsencode(self._config) in words else None

    async def ended(self) -> None:
        """Return when the running process is gone; at once if there is none."""
        pid = self.running()
        if pid is not None:
            await _gone(pid)

    async def stop(self) -> None:
        """End it, and what it serves."""
        pid = self.running()
        if pid is None:
            return
        os.kill(pid, signal.SIGTERM)
        try:
            async with asyncio.timeout(_STOP_S):
                await self.ended()
        except TimeoutError:
            os.kill(pid, signal.SIGKILL)
            await self.ended()

    async def _start(self) -> None:
        argv = [PROGRAM, "-W", "-db", "-f", str(self._config)]
        pid = subproc.detach(argv, log=self._log, env={"PATH": os.environ.get("PATH", "")})
        write_atomic(self._pid, f"{pid}\n".encode(), 0o644)
        if await self._died(pid):
            said = self._log.read_text(errors="replace").strip()[-_LOG_SHOWN:]
            raise ProxyFault(f"{PROGRAM} did not start: {said}")
        log.info("ingress started", pid=pid)

    async def _died(self, pid: int) -> bool:
        try:
            async with asyncio.timeout(_START_S):
                await _gone(pid)
        except TimeoutError:
            return False
        return True


async def _gone(pid: int) -> None:
    """Wait for a process, ours or not, to end."""
    try:
        watched = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    gone, loop = asyncio.Event(), asyncio.get_running_loop()
    loop.add_reader(watched, gone.set)
    try:
        await gone.wait()
    finally:
        loop.remove_reader(watched)
        os.close(watched)
    subproc.ended(pid)
