"""/livez and /readyz: named checks, each also at an address of its own.

Source: etcd server/etcdserver/api/etcdhttp/health.go.
"""

from collections.abc import Awaitable, Callable, Mapping

from appliance.store.base import Range, Store
from appliance.store.errors import StoreError
from appliance.store.serve.alarms import CORRUPT, Alarms
from appliance.store.serve.http1 import HttpRequest, HttpResponse

_Check = Callable[[], Awaitable[str]]
"""Why it fails; empty if it does not."""


class Probes:
    """The checks."""

    def __init__(self, store: Store, alarms: Alarms) -> None:
        self._store = store
        self._alarms = alarms
        self._probes: Mapping[str, Mapping[str, _Check]] = {
            "livez": {"serializable_read": self._read},
            "readyz": {
                "data_corruption": self._corruption,
                "linearizable_read": self._read,
                "non_learner": self._never,
                "serializable_read": self._read,
            },
        }

    def serves(self, path: str) -> bool:
        """Whether a path is ours."""
        return bool(self._asked(path))

    async def answer(self, request: HttpRequest) -> HttpResponse:
        """Run what is asked for, but for what is excluded."""
        checks = self._asked(request.path)
        excluded = set(request.query.get("exclude", [])) if len(checks) > 1 else set()
        told, failed = "", False
        for name, check in checks.items():
            if name not in excluded:
                why = await check()
                failed = failed or bool(why)
                told += f"[-]{name} failed: {why}\n" if why else f"[+]{name} ok\n"
        if failed:
            return HttpResponse(status=503, body=f"{told}\n".encode())
        shown = told if "verbose" in request.query else ""
        return HttpResponse(body=f"{shown}ok\n".encode())

    def _asked(self, path: str) -> Mapping[str, _Check]:
        probe, _, name = path.lstrip("/").partition("/")
        checks = self._probes.get(probe, {})
        return {name: checks[name]} if name in checks else ({} if name else checks)

    async def _read(self) -> str:
        try:
            await self._store.range(Range(key=b"\x00", keys_only=True, limit=1))
        except StoreError as error:
            return str(error)
        return ""

    async def _corruption(self) -> str:
        return "alarm activated: CORRUPT" if self._alarms.on(CORRUPT) else ""

    async def _never(self) -> str:
        return ""
