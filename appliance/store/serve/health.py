"""Pages for people and probes: /health, /livez, /readyz, /version, /metrics.

Source: etcd server/etcdserver/api/etcdhttp.
"""

import json
from collections.abc import Awaitable, Callable, Mapping

from appliance.store.base import Store
from appliance.store.durations import Timed
from appliance.store.errors import StoreError
from appliance.store.prefixquota import PrefixQuotas
from appliance.store.serve.alarms import CORRUPT, NOSPACE
from appliance.store.serve.http1 import HttpRequest, HttpResponse
from appliance.store.serve.identity import CLUSTER_VERSION, VERSION, Identity
from appliance.store.serve.metrics import disk, exposition, health, prefixes
from appliance.store.serve.probes import Probes
from appliance.store.serve.quota import Quota
from appliance.store.serve.tally import Tallies

_JSON = "application/json"
_Answer = Callable[[HttpRequest], Awaitable[HttpResponse]]


class Pages:
    """What GET finds."""

    def __init__(
        self,
        store: Store,
        identity: Identity,
        quota: Quota,
        tallies: Tallies,
        *,
        prefix_quotas: PrefixQuotas | None = None,
    ) -> None:
        self._store = store
        self._identity = identity
        self._quota = quota
        self._tallies = tallies
        self._prefix_quotas = prefix_quotas
        self._alarms = quota.alarms
        self._asked = {True: 0, False: 0}
        self._probes = Probes(store, quota.alarms)
        self._pages: Mapping[str, _Answer] = {
            "/health": self._health,
            "/version": self._version,
            "/metrics": self._metrics,
        }

    async def answer(self, request: HttpRequest) -> HttpResponse:
        """Any request."""
        probed = self._probes.serves(request.path)
        page = self._probes.answer if probed else self._pages.get(request.path)
        if page is None:
            return HttpResponse(status=404, body=b"404 page not found\n")
        if request.method not in {"GET", "HEAD"}:
            text = b"Method Not Allowed\n"
            return HttpResponse(status=405, headers={"Allow": "GET"}, body=text)
        return await page(request)

    async def _health(self, request: HttpRequest) -> HttpResponse:
        excluded = set(request.query.get("exclude", []))
        why = await self._trouble(excluded)
        self._asked[not why] += 1
        body = _dump({"health": "false" if why else "true", "reason": why})
        return HttpResponse(status=503 if why else 200, content_type=_JSON, body=body)

    async def _trouble(self, excluded: set[str]) -> str:
        for alarm, name in ((NOSPACE, "NOSPACE"), (CORRUPT, "CORRUPT")):
            if self._alarms.on(alarm) and name not in excluded:
                return f"ALARM {name}"
        try:
            await self._store.status()
        except StoreError as error:
            return f"RANGE ERROR:{error}"
        return ""

    async def _version(self, request: HttpRequest) -> HttpResponse:
        del request
        versions = {
            "etcdserver": VERSION,
            "etcdcluster": CLUSTER_VERSION,
            "storage": CLUSTER_VERSION,
        }
        return HttpResponse(content_type=_JSON, body=_dump(versions))

    async def _metrics(self, request: HttpRequest) -> HttpResponse:
        del request
        quota_bytes = max(0, self._quota.limit_bytes)
        status = await self._store.status()
        text = exposition(status, self._identity, self._tallies, quota_bytes)
        text += health(good=self._asked[True], bad=self._asked[False])
        if isinstance(self._store, Timed):
            text += disk(self._store.commits)
        if self._prefix_quotas is not None and self._prefix_quotas.quotas:
            text += prefixes(self._prefix_quotas)
        return HttpResponse(
            content_type="text/plain; version=0.0.4; charset=utf-8", body=text.encode()
        )


def _dump(data: Mapping[str, str]) -> bytes:
    return json.dumps(data, separators=(",", ":")).encode()
