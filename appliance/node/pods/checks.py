"""Ask a container something: run a command in it, GET a page of it, open a port of it.

Used by probes and hooks. A check has a deadline and never raises for what it finds out: the
answer is an `Outcome`. Output is cut at OUTPUT_MAX.
"""

import asyncio
import ssl
from dataclasses import dataclass

from appliance.api.kinds.core.pod.container import Container as ContainerWish
from appliance.api.kinds.core.pod.handlers import (
    ExecAction,
    GRPCAction,
    HTTPGetAction,
    LifecycleHandler,
    ProbeHandler,
    SleepAction,
    TCPSocketAction,
)
from appliance.kit.clock import Clock
from appliance.node.pods.grpc_health import SERVING, STATUSES, HealthFault, health
from appliance.node.runtimes.base import Runtime, RuntimeFault

OUTPUT_MAX = 10 * 1024
HEAD_MAX = 64 * 1024


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a check found."""

    ok: bool
    text: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """Whom to ask."""

    container_id: str
    wish: ContainerWish
    address: str


class Checker:
    """Carries out checks."""

    def __init__(self, runtime: Runtime, clock: Clock) -> None:
        self._runtime = runtime
        self._clock = clock

    async def check(
        self, handler: ProbeHandler | LifecycleHandler, target: Target, timeout_s: float
    ) -> Outcome:
        """Do what the handler says, within `timeout_s`."""
        try:
            async with asyncio.timeout(timeout_s):
                return await self._dispatch(handler, target, timeout_s)
        except TimeoutError:
            return Outcome(ok=False, text=f"timed out after {timeout_s:g}s")
        except RuntimeFault as error:
            return Outcome(ok=False, text=str(error))
        except (OSError, ValueError, EOFError) as error:
            return Outcome(ok=False, text=str(error) or type(error).__name__)

    async def _dispatch(
        self, handler: ProbeHandler | LifecycleHandler, target: Target, timeout_s: float
    ) -> Outcome:
        if handler.exec is not None:
            return await self._exec(handler.exec, target, timeout_s)
        if handler.httpGet is not None:
            return await _http_get(handler.httpGet, target)
        if handler.tcpSocket is not None:
            return await _tcp_open(handler.tcpSocket, target)
        if isinstance(handler, LifecycleHandler):
            if handler.sleep is not None:
                return await self._sleep(handler.sleep)
        elif handler.grpc is not None:
            return await _grpc(handler.grpc, target)
        return Outcome(ok=False, text="no way to check is given")

    async def _exec(self, action: ExecAction, target: Target, timeout_s: float) -> Outcome:
        result = await self._runtime.exec(target.container_id, action.command, timeout_s)
        text = result.output[:OUTPUT_MAX].decode(errors="replace").strip()
        return Outcome(ok=result.exit_code == 0, text=text)

    async def _sleep(self, action: SleepAction) -> Outcome:
        await self._clock.sleep(action.seconds)
        return Outcome(ok=True)


def port_of(port: int | str, wish: ContainerWish) -> int:
    """A port's number, by its name where it has one.

    Raises:
        ValueError: the container has no port of that name.
    """
    if isinstance(port, int):
        return port
    for candidate in wish.ports:
        if candidate.name == port:
            return candidate.containerPort
    if port.isdecimal():
        return int(port)
    raise ValueError(f"couldn't find port: {port} in container {wish.name}")


async def _tcp_open(action: TCPSocketAction, target: Target) -> Outcome:
    port = port_of(action.port, target.wish)
    _, writer = await asyncio.open_connection(action.host or target.address, port)
    writer.close()
    return Outcome(ok=True)


async def _grpc(action: GRPCAction, target: Target) -> Outcome:
    service = action.service or ""
    try:
        status = await health(target.address, action.port, service)
    except HealthFault as fault:
        return Outcome(ok=False, text=f"service {service!r}: {fault}")
    if status == SERVING:
        return Outcome(ok=True)
    text = f"service unhealthy (responded with {STATUSES.get(status, status)})"
    return Outcome(ok=False, text=text)


async def _http_get(action: HTTPGetAction, target: Target) -> Outcome:
    """GET by hand: one request on one connection, so that no pool outlives the probe.

    200 to 399 is healthy; a redirect is not followed, it already shows that the server lives.
    """
    host = action.host or target.address
    port = port_of(action.port, target.wish)
    reader, writer = await asyncio.open_connection(
        host, port, ssl=_any_certificate() if action.scheme.upper() == "HTTPS" else None
    )
    try:
        writer.write(_request(action, host, port))
        await writer.drain()
        line = await reader.readline()
        version, _, rest = line.decode("latin-1").strip().partition(" ")
        if not version.startswith("HTTP/"):
            return Outcome(ok=False, text="the answer is not HTTP")
        code = int(rest[:3])
        if 200 <= code < 400:
            return Outcome(ok=True)
        return Outcome(ok=False, text=f"HTTP probe failed with statuscode: {code}")
    finally:
        writer.close()


def _request(action: HTTPGetAction, host: str, port: int) -> bytes:
    path = action.path or "/"
    if not path.startswith("/"):
        path = "/" + path
    headers = {
        "Host": f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
        "User-Agent": "kube-probe/1.36",
        "Accept": "*/*",
        "Connection": "close",
    }
    for header in action.httpHeaders:
        headers[header.name] = header.value
    lines = [f"GET {path} HTTP/1.1", *(f"{name}: {text}" for name, text in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1", errors="replace")


def _any_certificate() -> ssl.SSLContext:
    """Probes ask whether the server answers, not who it is."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
