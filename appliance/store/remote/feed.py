"""All changes of an etcd cluster, in order, from one watch over the whole key space.

    etcd ──one watch──► Feed ──► last changes in memory (bounded)
                         └─────► Hub ──► every watcher of this process

Every revision changes at least one key, so whoever watches all keys knows exactly how far he is:
having seen revision R, nothing at or before R is still to come. No progress requests are needed
(those of etcd before 3.4.25 and 3.5.8 may overtake events), and a thousand watchers cost etcd one.

When the connection is lost, the watch goes on at the next revision, on whichever member answers.
If etcd has meanwhile been compacted past that point, all watchers are told, and list again.
"""

import asyncio
from bisect import bisect_left
from collections.abc import Awaitable, Callable, Sequence

import structlog
from msgspec.structs import replace

from appliance.kit.backoff import Backoff
from appliance.kit.clock import Clock
from appliance.store.base import FROM_KEY, Event
from appliance.store.errors import Compacted, StoreError, Unavailable
from appliance.store.mvcc.ranges import covers
from appliance.store.remote import convert
from appliance.store.remote.channel import Lost
from appliance.store.remote.rpc import Rpc, refusal
from appliance.store.serve.messages import watch as pb
from appliance.store.serve.status import Refused

log = structlog.get_logger(__name__)

_PATH = "/etcdserverpb.Watch/Watch"
_PAUSE = Backoff(base_s=0.05, maximum_s=5.0)


class Feed:
    """The newest revisions; what a hub calls `History`."""

    def __init__(self, rpc: Rpc, clock: Clock, *, kept_revisions: int) -> None:
        self.revision = 1
        """Up to here all changes have come."""
        self.compact_revision = -1
        self.publish: Callable[[int, Sequence[Event]], None] = lambda _revision, _events: None
        self.cut: Callable[[StoreError], None] = lambda _error: None
        self._rpc = rpc
        self._clock = clock
        self._kept = kept_revisions
        self._revisions: list[int] = []
        self._changes: list[list[Event]] = []
        self._floor = 1
        """The first revision whose changes are all in memory."""
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []

    def oldest(self, key: bytes, end: bytes) -> int:
        """The first revision whose changes are all still here."""
        del key, end
        return max(self.compact_revision, self._floor)

    def events(self, key: bytes, end: bytes, first: int, last: int) -> tuple[list[Event], int]:
        """Changes of the range in revisions first to last."""
        start = bisect_left(self._revisions, first)
        stop = bisect_left(self._revisions, last + 1)
        return [
            replace(change, prev_kv=None) if revision <= self.compact_revision else change
            for revision, changes in zip(
                self._revisions[start:stop], self._changes[start:stop], strict=True
            )
            for change in changes
            if covers(key, end, change.kv.key)
        ], last

    def begin(self, head: int) -> None:
        """Follow from some way before the newest revision on, so that watches may begin there."""
        self.revision = max(1, head - self._kept // 2)
        self._floor = self.revision + 1 if self.revision > 1 else 1  # nothing came before

    def compacted(self, revision: int) -> None:
        """History before `revision` is gone."""
        self.compact_revision = max(self.compact_revision, revision)

    async def reach(self, revision: int) -> None:
        """Return once everything up to `revision` has come."""
        if self.revision < revision:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append((revision, future))
            await future

    async def run(self, head: Callable[[], Awaitable[int]]) -> None:
        """Follow until cancelled; `head` reads the newest revision of the cluster."""
        failures = 0
        while True:
            before = self.revision
            try:
                await self._check_time_goes_forward(await head())
                await self._follow()
            except (StoreError, Lost, Refused) as error:
                failures = 1 if self.revision > before else failures + 1
                log.warning("etcd watch interrupted", revision=self.revision, why=str(error))
            await self._clock.sleep(_PAUSE.delay(failures))

    async def _follow(self) -> None:
        """Follow until the stream ends."""
        channel, call = await self._rpc.stream(_PATH)
        request = pb.WatchCreateRequest(
            key=FROM_KEY,
            range_end=FROM_KEY,
            start_revision=self.revision + 1,
            prev_kv=True,
            fragment=True,
        )
        call.send(pb.WatchRequest(create_request=request).encode())
        parts: list[Event] = []
        try:
            async for data in call:
                answer = pb.WatchResponse.decode(data)
                if answer.canceled:
                    self._rpc.leave(channel)
                    self._cancelled(answer)
                parts += convert.events(answer.events)
                if not answer.fragment:
                    self._take(parts)
                    parts = []
        except Refused as refused:
            self._rpc.leave(channel)
            raise refusal(refused) from refused
        finally:
            call.close()
        raise Unavailable("etcd ended the watch")

    def _cancelled(self, answer: pb.WatchResponse) -> None:
        """The member ended the watch: say so, or go on behind the gap if history is gone."""
        if answer.compact_revision <= self.revision:
            raise Unavailable(answer.cancel_reason or "etcd cancelled the watch")
        self.compacted(answer.compact_revision)
        self._jump(answer.compact_revision)
        raise Compacted(answer.compact_revision)

    async def _check_time_goes_forward(self, head: int) -> None:
        if head < self.revision:
            log.error("etcd has lost revisions: was it restored?", was=self.revision, now=head)
            self.compact_revision = min(self.compact_revision, head)
            self._jump(head)

    def _jump(self, revision: int) -> None:
        """Changes are missing: forget what came before and let all watchers know."""
        self._revisions.clear()
        self._changes.clear()
        self.revision, self._floor = revision, revision + 1
        self.cut(Compacted(revision))
        self._wake()

    def _take(self, events: list[Event]) -> None:
        """Take events of whole revisions."""
        first = 0
        for at in range(1, len(events) + 1):
            revision = events[first].kv.mod_revision
            if at == len(events) or events[at].kv.mod_revision != revision:
                self._one(revision, events[first:at])
                first = at
        self._trim()
        self._wake()

    def _one(self, revision: int, changes: list[Event]) -> None:
        if revision <= self.revision:
            return
        self._revisions.append(revision)
        self._changes.append(changes)
        self.revision = revision
        self.publish(revision, changes)

    def _trim(self) -> None:
        if len(self._revisions) > self._kept:
            keep_from = len(self._revisions) - self._kept // 2
            del self._revisions[:keep_from], self._changes[:keep_from]
            self._floor = self._revisions[0]

    def _wake(self) -> None:
        still = []
        for revision, future in self._waiting:
            if revision > self.revision:
                still.append((revision, future))
            elif not future.done():
                future.set_result(None)
        self._waiting = still
