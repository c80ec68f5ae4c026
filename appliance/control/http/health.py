"""/healthz, /livez, /readyz with each check, as upstream words them.

`assembly` gives the checks: functions that raise when something is not right. `ping` is always
there: it says that the event loop turns.
Source: apiserver `server/healthz`.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from email.utils import formatdate

import structlog

from appliance.control.http.exchange import Exchange
from appliance.kit.clock import Clock, SystemClock

log = structlog.get_logger(__name__)

_TEXT = b"text/plain; charset=utf-8"
_EXTRA = ((b"cache-control", b"no-cache, private"), (b"x-content-type-options", b"nosniff"))
_ALIASES = {"etcd": "store"}
"""Upstream's names of checks; monitoring asks for them."""
ENDPOINTS = ("healthz", "livez", "readyz")


@dataclass(frozen=True, slots=True)
class Check:
    """A named condition; `run` raises where it does not hold. `live`: asked by /livez too."""

    name: str
    run: Callable[[], Awaitable[None]]
    live: bool = False


async def _ping() -> None:
    return None


PING = Check("ping", _ping, live=True)


@dataclass(frozen=True, slots=True)
class Health:
    """Answers the three endpoints and their single checks, with the time that it is here.

    Other hosts compare their clocks with it (`appliance check --server`).
    """

    checks: Sequence[Check] = ()
    clock: Clock = field(default_factory=SystemClock)

    def _extra(self) -> tuple[tuple[bytes, bytes], ...]:
        date = formatdate(self.clock.wall(), usegmt=True).encode()
        return (*_EXTRA, (b"date", date))

    async def handle(self, exchange: Exchange) -> None:
        """Run all checks of an endpoint, or the one named behind it."""
        endpoint, _, single = exchange.target.path.strip("/").partition("/")
        checks = [c for c in (PING, *self.checks) if c.live or endpoint != "livez"]
        if single:
            await self._single(exchange, checks, endpoint, single)
            return
        excluded = exchange.params.all.get("exclude", ())
        faults: list[str] = []
        lines: list[str] = []
        for check in checks:
            if check.name in excluded:
                lines.append(f"[+]{check.name} excluded: ok")
                continue
            ok = await _holds(check)
            lines.append(
                f"[+]{check.name} ok" if ok else f"[-]{check.name} failed: reason withheld"
            )
            if not ok:
                faults.append(check.name)
        if faults:
            text = "\n".join([*lines, f"{endpoint} check failed", ""])
            await exchange.answer_bytes(text.encode(), _TEXT, code=500, extra=self._extra())
        elif "verbose" in exchange.params.one:
            text = "\n".join([*lines, f"{endpoint} check passed", ""])
            await exchange.answer_bytes(text.encode(), _TEXT, extra=self._extra())
        else:
            await exchange.answer_bytes(b"ok", _TEXT, extra=self._extra())

    async def _single(
        self, exchange: Exchange, checks: Sequence[Check], endpoint: str, name: str
    ) -> None:
        name = _ALIASES.get(name, name)
        check = next((c for c in checks if c.name == name), None)
        if check is None:
            await exchange.answer_bytes(b"404 page not found\n", _TEXT, code=404)
        elif await _holds(check):
            await exchange.answer_bytes(b"ok", _TEXT, extra=self._extra())
        else:
            text = f"internal server error: {endpoint} check {name} failed\n"
            await exchange.answer_bytes(text.encode(), _TEXT, code=500, extra=self._extra())


async def _holds(check: Check) -> bool:
    try:
        await check.run()
    except Exception as error:  # noqa: BLE001 - whatever a check raises is its answer
        log.warning("health check failed", check=check.name, why=str(error))
        return False
    return True
