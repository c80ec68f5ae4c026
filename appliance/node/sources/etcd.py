"""Static pods of keys in an etcd, watched: a put acts at once.

The keys are those of the first kubelets, `/registry/hosts/<host>/kubelet` and the shorter
`/registry/hosts/<host>`, for the host's full name and the node's name. Spoken is etcd's v3 protocol
as JSON over HTTP (its "gateway"), with any etcd since 3.4 and with `appliance store`.

Watch first, then read, and read again after each event: nothing is missed, and neither revisions
nor compaction matter. A lost watch is opened again with growing pauses, at the next endpoint.
"""

import base64
import json
import socket
from collections.abc import AsyncIterator, Sequence
from typing import Any

import httpx
import structlog

from appliance.api.kinds.core.pod.kind import Pod
from appliance.kit.backoff import Backoff
from appliance.kit.clock import Clock
from appliance.node.sources.complaints import Complaints
from appliance.node.sources.kept import Kept, Text

log = structlog.get_logger(__name__)

PREFIX = "/registry/hosts/"
PAUSES = Backoff(base_s=0.5, maximum_s=10.0)
ANSWER_S = 10.0
# A watch may be silent for days: the kernel finds out if the other side is gone.
_ALIVE = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 30),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
)


class EtcdFault(Exception):
    """The endpoint's answer is none of etcd's; `str()` says what it was."""


def keys_of(hosts: Sequence[str]) -> tuple[str, ...]:
    """Where manifests for these names of this host are looked for."""
    names = dict.fromkeys(name for name in hosts if name)
    return tuple(f"{PREFIX}{name}{end}" for name in names for end in ("", "/kubelet"))


class EtcdSource:
    """Keys of an etcd as a source."""

    name = "etcd"

    def __init__(
        self,
        endpoints: Sequence[str],
        keys: Sequence[str],
        *,
        clock: Clock,
        kept: Kept,
        complaints: Complaints,
    ) -> None:
        self._endpoints = [endpoint.rstrip("/") for endpoint in endpoints]
        self._keys = keys
        self._clock = clock
        self._kept = kept
        self._complaints = complaints

    async def snapshots(self) -> AsyncIterator[Sequence[Pod]]:
        """All pods of the keys, when they changed."""
        before: list[str] | None = None
        failures = 0
        while True:
            endpoint = self._endpoints[failures % len(self._endpoints)]
            try:
                async for texts in self._follow(endpoint):
                    failures = 0
                    self._complaints.mended(endpoint)
                    pods = self._kept.take(texts)
                    uids = sorted(pod.metadata.uid for pod in pods)
                    if uids != before:
                        before = uids
                        yield pods
                fault = "ended the watch"
            except (httpx.HTTPError, httpx.InvalidURL, EtcdFault) as error:
                fault = str(error) or type(error).__name__
            self._complaints.tell(endpoint, f"the keys can't be watched: {fault}")
            failures += 1
            await self._clock.sleep(PAUSES.delay(failures))

    async def _follow(self, endpoint: str) -> AsyncIterator[dict[str, Text]]:
        """The texts of the keys that are there: now, and after each change."""
        timeout = httpx.Timeout(ANSWER_S, read=None)
        transport = httpx.AsyncHTTPTransport(socket_options=_ALIVE)
        async with httpx.AsyncClient(transport=transport, timeout=timeout) as http:
            wish = b"".join(_watch_of(key) for key in self._keys)
            async with http.stream("POST", f"{endpoint}/v3/watch", content=wish) as answer:
                if answer.status_code != httpx.codes.OK:
                    raise EtcdFault(f"answers {answer.status_code} to a watch")
                made = 0
                async for line in answer.aiter_lines():
                    said = _result(line)
                    made += bool(said.get("created"))
                    if made >= len(self._keys) and (said.get("created") or said.get("events")):
                        yield await self._read(http, endpoint)

    async def _read(self, http: httpx.AsyncClient, endpoint: str) -> dict[str, Text]:
        asked = [{"request_range": {"key": _packed(key)}} for key in self._keys]
        answer = await http.post(f"{endpoint}/v3/kv/txn", json={"success": asked}, timeout=ANSWER_S)
        if answer.status_code != httpx.codes.OK:
            raise EtcdFault(f"answers {answer.status_code} to a read: {answer.text[:200]}")
        return _values(_object(answer.text))


def _watch_of(key: str) -> bytes:
    return json.dumps({"create_request": {"key": _packed(key)}}).encode() + b"\n"


def _result(line: str) -> dict[str, Any]:
    """What one line of the watch says.

    Raises:
        EtcdFault: an error, or the end of a watch.
    """
    said = _object(line) if line.strip() else {}
    if "error" in said:
        raise EtcdFault(f"answers {said['error']}")
    result: dict[str, Any] = said.get("result", {})
    if result.get("canceled"):
        raise EtcdFault(f"ended the watch: {result.get('cancel_reason', 'no reason given')}")
    return result


def _values(read: dict[str, Any]) -> dict[str, Text]:
    """Key → value of the transaction's answer."""
    try:
        found = [
            pair
            for part in read.get("responses", ())
            for pair in part.get("response_range", {}).get("kvs", ())
        ]
        return {_unpacked(p["key"]).decode(): _unpacked(p.get("value", "")) for p in found}
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise EtcdFault(f"does not speak etcd's JSON: {error}") from error


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise EtcdFault(f"does not speak etcd's JSON: {text[:80]!r}") from error
    if not isinstance(found, dict):
        raise EtcdFault(f"does not speak etcd's JSON: {text[:80]!r}")
    return found


def _packed(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _unpacked(text: str) -> bytes:
    return base64.b64decode(text)
