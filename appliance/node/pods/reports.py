"""Tell the API what became of pods: status writes and final deletes.

Workers leave the newest status of their pod here and never wait. SENDERS loops write them out, the
oldest first, each pod's in order; while the API is away they wait, and only the newest status of
each pod is kept: all is bounded by the number of pods.
"""

import asyncio
from dataclasses import dataclass
from typing import Any

import structlog

from appliance.api.errors import ApiError, Conflict, NotFound
from appliance.api.kinds.core.pod.kind import POD, Pod
from appliance.api.kinds.core.pod.status import PodStatus
from appliance.client.base import Client, DeleteOptions, PatchType
from appliance.kit import jsonio
from appliance.kit.backoff import Backoff
from appliance.kit.clock import Clock
from appliance.node.sources.base import is_static

log = structlog.get_logger(__name__)

PAUSES = Backoff(base_s=0.2, maximum_s=10.0)
SENDERS = 4
"""Enough to hide the way to the API when twenty pods start at once."""
LASTING_CODES = range(400, 429)
"""The request itself is wrong: sending it again changes nothing."""


@dataclass(slots=True)
class _Entry:
    pod: Pod
    status: PodStatus | None = None
    delete: bool = False


class Reports:
    """The way from workers to the API."""

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._waiting: dict[str, _Entry] = {}
        self._sent: dict[str, dict[str, Any]] = {}
        self._busy: set[str] = set()
        self._wake = asyncio.Event()

    def report(self, pod: Pod, status: PodStatus) -> None:
        """Send this status when it is this pod's turn; replaces one that still waits."""
        entry = self._waiting.setdefault(pod.metadata.uid, _Entry(pod))
        entry.pod, entry.status = pod, status
        self._wake.set()

    def confirm_deletion(self, pod: Pod) -> None:
        """After its status: let the API forget the pod."""
        entry = self._waiting.setdefault(pod.metadata.uid, _Entry(pod))
        entry.delete = True
        self._wake.set()

    def again(self, pod: Pod, status: PodStatus) -> None:
        """Send a status anew: the object that showed it was replaced."""
        self._sent[pod.metadata.uid] = {}
        self.report(pod, status)

    def keep_only(self, uids: frozenset[str]) -> None:
        """Forget what was sent for pods that are no more."""
        for uid in self._sent.keys() - uids:
            del self._sent[uid]

    async def run(self) -> None:
        """Write out until cancelled."""
        async with asyncio.TaskGroup() as senders:
            for number in range(SENDERS):
                senders.create_task(self._send_on(), name=f"reports/{number}")

    async def _send_on(self) -> None:
        failures = 0
        while True:
            uid = next((u for u in self._waiting if u not in self._busy), None)
            if uid is None:
                self._wake.clear()
                await self._wake.wait()
                continue
            self._busy.add(uid)  # one pod's statuses never overtake each other
            entry = self._waiting.pop(uid)
            try:
                await self._send(uid, entry)
                failures = 0
            except Exception as error:  # noqa: BLE001 - the top of the loop: no status may be lost
                failures += 1
                self._put_back(uid, entry)
                pause = PAUSES.delay(failures)
                text = f"{type(error).__name__}: {error}"
                log.warning("status not written", error=text, again_in_s=pause)
                await self._clock.sleep(pause)
            finally:
                self._busy.discard(uid)
                self._wake.set()

    def _put_back(self, uid: str, entry: _Entry) -> None:
        """What came in meanwhile is newer."""
        newer = self._waiting.get(uid)
        if newer is None:
            self._waiting[uid] = entry
            return
        newer.delete = newer.delete or entry.delete
        if newer.status is None:
            newer.status = entry.status

    async def _send(self, uid: str, entry: _Entry) -> None:
        meta = entry.pod.metadata
        entry.delete = entry.delete and not is_static(entry.pod)
        if entry.status is not None:
            await self._send_status(uid, entry.pod, entry.status)
        if not entry.delete:
            return
        try:
            options = DeleteOptions(grace_period_s=0, uid=uid)
            await self._client.delete(POD, meta.name, namespace=meta.namespace, options=options)
        except (NotFound, Conflict):
            pass  # gone already, or a pod of the same name stands in its place
        self._sent.pop(uid, None)

    async def _send_status(self, uid: str, pod: Pod, status: PodStatus) -> None:
        made: dict[str, Any] = jsonio.loads(jsonio.dumps(status))
        before = self._sent.get(uid)
        if before is None:
            before = jsonio.loads(jsonio.dumps(pod.status))
        if made == before:
            return
        # a merge patch replaces lists whole and removes what is null
        gone = {name: None for name in before if name not in made}
        body: dict[str, Any] = {"status": made | gone}
        if not is_static(pod):  # its mirror has a uid of its own
            body["metadata"] = {"uid": uid}
        try:
            await self._client.patch(
                POD,
                pod.metadata.name,
                body,
                namespace=pod.metadata.namespace,
                how=PatchType.MERGE,
                subresource="status",
            )
        except (NotFound, Conflict):
            return  # the pod is gone, another one has its name, or its mirror is not made yet
        except ApiError as error:
            if error.code not in LASTING_CODES:
                raise
            log.exception("status refused", pod=pod.metadata.name)
        self._sent[uid] = made
