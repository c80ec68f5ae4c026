"""Pages for people and probes: /health, /livez, /readyz, /version, /metrics.

Source: etcd server/etcdserver/api/etcdhttp.
"""

import json
from collections.abc import Awaitable, Callable, Mapping

from appliance.store.base import Store
from appliance.store.errors import StoreError
from appliance.store.serve.alarms import CORRUPT, NOSPACE
from appliance.store.serve.http1 import HttpRequest, HttpResponse
from appliance.store.serve.identity import CLUSTER_VERSION, VERSION
from appliance.store.serve.quota import Quota

_JSON = "application/json"
_Answer = Callable[[HttpRequest], Awaitable[HttpResponse]]


class Pages:
    """What GET finds."""

    def __init__(self, store: Store, quota: Quota) -> None:
        self._store = store
        self._quota = quota
        self._alarms = quota.alarms
        self._pages: Mapping[str, _Answer] = {
            "/health": self._health,
            "/livez": self._ready,
            "/readyz": self._ready,
            "/version": self._version,
            "/metrics": self._metrics,
        }

    async def answer(self, request: HttpRequest) -> HttpResponse:
        """Any request."""
        page = self._pages.get(request.path)
        if page is None:
            return HttpResponse(status=404, body=b"404 page not found\n")
        if request.method not in {"GET", "HEAD"}:
            text = b"Method Not Allowed\n"
            return HttpResponse(status=405, headers={"Allow": "GET"}, body=text)
        return await page(request)

    async def _health(self, request: HttpRequest) -> HttpResponse:
        excluded = set(request.query.get("exclude", []))
        why = await self._trouble(excluded)
        body = _dump({"health": "false" if why else "true", "reason": why})
        return HttpResponse(status=503 if why else 200, content_type=_JSON, body=body)

    async def _ready(self, request: HttpRequest) -> HttpResponse:
        del request
        why = await self._trouble(excluded={"NOSPACE"})
        if why:
            return HttpResponse(status=503, body=f"[-]store failed: {why}\n".encode())
        return HttpResponse(body=b"ok\n")

    async def _trouble(self, excluded: set[str]) -> str:
        for alarm, name in ((NOSPACE, "NOSPACE"), (CORRUPT, "CORRUPT")):
            if self._alarms.on(alarm) and name not in excluded:
                return f"ALARM {name}"
        try:
            await self._store.status()
        except StoreError as error:
            return str(error)
        return ""

    async def _version(self, request: HttpRequest) -> HttpResponse:
        del request
        versions = {"etcdserver": VERSION, "etcdcluster": CLUSTER_VERSION}
        return HttpResponse(content_type=_JSON, body=_dump(versions))

    async def _metrics(self, request: HttpRequest) -> HttpResponse:
        """The gauges that tools look for."""
        del request
        status = await self._store.status()
        values = {
            "etcd_server_has_leader": 1,
            "etcd_server_is_leader": 1,
            "etcd_server_quota_backend_bytes": max(0, self._quota.limit_bytes),
            "etcd_mvcc_db_total_size_in_bytes": status.size_bytes,
            "etcd_mvcc_db_total_size_in_use_in_bytes": status.size_in_use_bytes,
            "etcd_debugging_mvcc_keys_total": status.keys,
            "etcd_debugging_mvcc_current_revision": status.revision,
            "etcd_debugging_mvcc_compact_revision": status.compact_revision,
        }
        lines = [f"# TYPE {name} gauge\n{name} {value}\n" for name, value in values.items()]
        version = f'etcd_server_version{{server_version="{VERSION}"}} 1\n'
        text = "".join(lines) + "# TYPE etcd_server_version gauge\n" + version
        return HttpResponse(
            content_type="text/plain; version=0.0.4; charset=utf-8", body=text.encode()
        )


def _dump(data: Mapping[str, str]) -> bytes:
    return json.dumps(data, separators=(",", ":")).encode()
