"""The Watch service: any number of watches on one stream, each fed by its own task.

The answers of a watch go out in the order of its batches. A progress answer for the stream
(watch id -1) is sent when every watch has reported that it has caught up, with the least of the
revisions they reported: nothing at or before it is still to come.

Source: etcd server/etcdserver/api/v3rpc/watch.go.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import cast

from msgspec.structs import replace

from appliance.kit.tasks import Tasks
from appliance.store.base import Event, PromptWatcher, WatchBatch, Watcher, WatchRequest
from appliance.store.errors import Compacted, EmptyRange, Overrun, StoreError
from appliance.store.serve.auth.permissions import Access
from appliance.store.serve.auth.refusals import AuthRefused
from appliance.store.serve.calls import Methods, PromptStream, Stream, Streaming
from appliance.store.serve.eventbytes import EventBytes
from appliance.store.serve.identity import current_revision
from appliance.store.serve.messages import watch as pb
from appliance.store.serve.parts import Parts
from appliance.store.serve.wire import Encoded

_NO_ID = -1
_NO_PUT, _NO_DELETE = 0, 1
_DUPLICATE_ID = "mvcc: duplicate watch ID provided on the WatchStream"


class WatchService:
    """Watches."""

    def __init__(self, parts: Parts) -> None:
        self.store = parts.store
        self.identity = parts.identity
        self.guard = parts.guard
        self.clock = parts.clock
        self.limits = parts.limits
        self.tallies = parts.tallies
        self.event_bytes = EventBytes(parts.identity)

    def methods(self) -> Methods:
        """The service's table."""
        return {"/etcdserverpb.Watch/Watch": Streaming(pb.WatchRequest, self.watch)}

    async def watch(self, stream: Stream) -> None:
        """Serve one stream."""
        async with Tasks("watch", self.clock) as tasks:
            session = _Session(self, stream, tasks)
            self.tallies.streams += 1
            try:
                async for request in stream:
                    await session.take(request)
                # A client that has nothing more to say still listens, as with etcd.
                await tasks.wait_failed()
            finally:
                self.tallies.streams -= 1
                session.close()


@dataclass(slots=True)
class _Watch:
    id: int
    watcher: Watcher
    fragment: bool
    progress_notify: bool
    quiet: bool = True
    """No events since the last look of the progress timer."""
    notify_due: bool = False


class _Session:
    """The watches of one stream."""

    def __init__(self, service: WatchService, stream: Stream, tasks: Tasks) -> None:
        self._service = service
        self._stream = stream
        self._tasks = tasks
        self._watches: dict[int, _Watch] = {}
        self._next_id = 0
        self._unreported: set[int] = set()
        """Watches that a progress answer still waits for."""
        self._reported: int | None = None
        self._timed = False

    async def take(self, request: pb.WatchRequest) -> None:
        """Act on a request; unknown ones are ignored."""
        if request.create_request is not None:
            await self._create(request.create_request)
        elif request.cancel_request is not None:
            await self._cancel(request.cancel_request.watch_id)
        elif request.progress_request is not None:
            self._ask_progress()

    def close(self) -> None:
        """The stream ends."""
        for watch in list(self._watches.values()):
            self._forget(watch)

    async def _create(self, request: pb.WatchCreateRequest) -> None:
        store = self._service.store
        revision = await current_revision(store)
        try:
            wanted = _request_of(request)
            self._check_permitted(wanted)
            watch_id = self._free_id(request.watch_id)
            # A client resumes from the revision it is told here, so that is where we start.
            watcher = store.watch(
                replace(wanted, start_revision=(request.start_revision or revision + 1))
            )
        except (EmptyRange, _RefusedWatch) as error:
            await self._refuse(revision, str(error))
            return
        watch = _Watch(watch_id, watcher, request.fragment, request.progress_notify)
        self._watches[watch_id] = watch
        self._service.tallies.watches += 1
        await self._send(revision, watch, created=True)
        _ = self._tasks.spawn(f"watch {watch_id}", self._follow(watch))
        if request.progress_notify and not self._timed:
            self._timed = True
            _ = self._tasks.spawn("progress", self._tell_progress())

    def _check_permitted(self, request: WatchRequest) -> None:
        guard = self._service.guard
        try:
            who = guard.who(self._stream.caller)
            guard.check(who, Access.READ, request.key, request.end)
        except AuthRefused as refused:
            code = refused.status.name.title().replace("_", "")
            raise _RefusedWatch(f"rpc error: code = {code} desc = {refused}") from refused

    def _free_id(self, wanted: int) -> int:
        if wanted in self._watches and wanted:
            raise _RefusedWatch(_DUPLICATE_ID)
        if wanted:
            return wanted
        while self._next_id in self._watches:
            self._next_id += 1
        self._next_id += 1
        return self._next_id - 1

    async def _refuse(self, revision: int, reason: str) -> None:
        await self._stream.send(
            pb.WatchResponse(
                header=self._service.identity.header(revision),
                watch_id=_NO_ID,
                created=True,
                canceled=True,
                cancel_reason=reason,
            )
        )

    async def _cancel(self, watch_id: int) -> None:
        watch = self._watches.get(watch_id)
        if watch is not None:
            self._forget(watch)
            revision = await current_revision(self._service.store)
            await self._send(revision, watch, canceled=True)
            await self._report_progress()

    def _forget(self, watch: _Watch) -> None:
        watch.watcher.close()
        if self._watches.pop(watch.id, None) is not None:
            self._service.tallies.watches -= 1
        self._unreported.discard(watch.id)

    async def _follow(self, watch: _Watch) -> None:
        """Send what a watch is about until it ends."""
        watcher, stream = watch.watcher, self._stream
        prompt = isinstance(watcher, PromptWatcher) and isinstance(stream, PromptStream)

        def sink(batch: WatchBatch) -> bool:
            watch.quiet = False
            self._service.tallies.events += len(batch.events)
            data = self._service.event_bytes.response(batch, watch.id)
            return cast("PromptStream", stream).send_now(data)

        try:
            if prompt and not watch.fragment:
                cast("PromptWatcher", watcher).tell(sink)
            async for batch in watcher:
                await self._deliver(watch, batch)
                if prompt and not watch.fragment:
                    cast("PromptWatcher", watcher).tell(sink)
        except Compacted as gone:
            await self._cut(watch, gone.compact_revision)
        except Overrun:
            # What is missed was never on disk: as good as compacted.
            await self._cut(watch, await current_revision(self._service.store))
        except StoreError as error:
            self._forget(watch)
            await self._send(0, watch, canceled=True, cancel_reason=str(error))

    async def _deliver(self, watch: _Watch, batch: WatchBatch) -> None:
        if batch.events:
            watch.quiet = False
            self._service.tallies.events += len(batch.events)
            await self._send_events(watch, batch)
            return
        if watch.notify_due:
            watch.notify_due = False
            await self._send(batch.revision, watch)
        if watch.id in self._unreported:
            self._unreported.discard(watch.id)
            known = batch.revision if self._reported is None else self._reported
            self._reported = min(known, batch.revision)
            await self._report_progress()

    async def _cut(self, watch: _Watch, compact_revision: int) -> None:
        self._forget(watch)
        await self._send(0, watch, canceled=True, compact_revision=compact_revision)
        await self._report_progress()

    async def _send_events(self, watch: _Watch, batch: WatchBatch) -> None:
        header = self._service.identity.header(batch.revision)
        bound_bytes = self._service.limits.max_message_bytes if watch.fragment else None
        pieces = list(_pieces(self._encoded(batch.events), bound_bytes))
        for number, events in enumerate(pieces, start=1):
            await self._stream.send(
                pb.WatchResponse(
                    header=header,
                    watch_id=watch.id,
                    fragment=number < len(pieces),
                    events=cast("list[pb.Event]", events),
                )
            )

    def _encoded(self, events: Sequence[Event]) -> list[Encoded]:
        return [self._service.event_bytes.of(event) for event in events]

    async def _send(
        self,
        revision: int,
        watch: _Watch,
        *,
        created: bool = False,
        canceled: bool = False,
        compact_revision: int = 0,
        cancel_reason: str = "",
    ) -> None:
        await self._stream.send(
            pb.WatchResponse(
                header=self._service.identity.header(revision),
                watch_id=watch.id,
                created=created,
                canceled=canceled,
                compact_revision=compact_revision,
                cancel_reason=cancel_reason,
            )
        )

    # Progress

    def _ask_progress(self) -> None:
        self._reported = None
        self._unreported = set(self._watches)
        for watch in self._watches.values():
            watch.watcher.progress()

    async def _report_progress(self) -> None:
        """Answer a progress request once nobody is behind."""
        if self._reported is None or self._unreported:
            return
        revision, self._reported = self._reported, None
        header = self._service.identity.header(revision)
        await self._stream.send(pb.WatchResponse(header=header, watch_id=_NO_ID))

    async def _tell_progress(self) -> None:
        while True:
            await self._service.clock.sleep(self._service.limits.progress_interval_s)
            for watch in self._watches.values():
                if watch.progress_notify and watch.quiet:
                    watch.notify_due = True
                    watch.watcher.progress()
                watch.quiet = True


class _RefusedWatch(Exception):
    """A watch that cannot be made; the text is for the client."""


def _request_of(request: pb.WatchCreateRequest) -> WatchRequest:
    if request.start_revision < 0:
        raise _RefusedWatch(Compacted.text)
    return WatchRequest(
        key=request.key or b"\x00",
        end=request.range_end,
        prev_kv=request.prev_kv,
        no_put=_NO_PUT in request.filters,
        no_delete=_NO_DELETE in request.filters,
    )


def _pieces(events: list[Encoded], bound_bytes: int | None) -> Iterable[list[Encoded]]:
    """All events at once, or for clients that can put them together, in bounded pieces."""
    if bound_bytes is None:
        yield events
        return
    piece: list[Encoded] = []
    size = 0
    for event in events:
        size += len(event.raw)
        if piece and size >= bound_bytes:
            yield piece
            piece, size = [], len(event.raw)
        piece.append(event)
    yield piece
