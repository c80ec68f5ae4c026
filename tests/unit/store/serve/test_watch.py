"""The watch stream: what is told, in which order, and what never is."""

import pytest

from appliance.kit.clock import FakeClock
from appliance.store.memory import MemoryStore
from appliance.store.ops import delete, put
from appliance.store.serve import frames
from appliance.store.serve.frames import Code
from appliance.store.serve.messages import watch as pb
from tests.unit.store.serve.conftest import Client

WATCH = "/etcdserverpb.Watch/Watch"
Told = tuple[int, list[tuple[int, bytes, int]]]


class Stream:
    """One watch stream and all it was told."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._id = client.begin(WATCH)
        self._seen = 0

    async def create(self, key: bytes, end: bytes = b"", **more: object) -> list[pb.WatchResponse]:
        request = pb.WatchCreateRequest(key=key, range_end=end, **more)  # type: ignore[arg-type]
        return await self.say(pb.WatchRequest(create_request=request))

    async def cancel(self, watch_id: int) -> list[pb.WatchResponse]:
        request = pb.WatchCancelRequest(watch_id=watch_id)
        return await self.say(pb.WatchRequest(cancel_request=request))

    async def ask_progress(self) -> list[pb.WatchResponse]:
        return await self.say(pb.WatchRequest(progress_request=pb.WatchProgressRequest()))

    async def say(self, request: pb.WatchRequest) -> list[pb.WatchResponse]:
        self._client.send(self._id, request)
        return await self.news()

    async def news(self) -> list[pb.WatchResponse]:
        """What has come since the last look."""
        await self._client.settle()
        messages = self._client.answers.messages(self._id)[self._seen :]
        self._seen += len(messages)
        return [pb.WatchResponse.decode(message) for message in messages]

    async def events(self) -> list[Told]:
        """The same, events only: (watch, [(type, key, revision)])."""
        return [
            (r.watch_id, [(e.type, e.kv.key, e.kv.mod_revision) for e in r.events if e.kv])
            for r in await self.news()
        ]


@pytest.fixture
async def stream(client: Client) -> Stream:
    return Stream(client)


def revision(response: pb.WatchResponse) -> int:
    assert response.header is not None
    return response.header.revision


async def test_created_comes_first_with_the_revision_to_resume_from(
    stream: Stream, store: MemoryStore
) -> None:
    await put(store, b"a", b"1")
    (created,) = await stream.create(b"a")
    assert (created.created, created.watch_id, revision(created)) == (True, 0, 2)
    await put(store, b"a", b"2")
    await put(store, b"b", b"not watched")
    await delete(store, b"a")
    assert await stream.events() == [(0, [(0, b"a", 3), (1, b"a", 5)])]


async def test_the_past_is_replayed_then_the_present(stream: Stream, store: MemoryStore) -> None:
    for value in (b"1", b"2", b"3"):
        await put(store, b"a", value)
    created, past = await stream.create(b"a", start_revision=3)
    assert created.created
    assert not past.created
    assert [event.kv.value for event in past.events if event.kv] == [b"2", b"3"]
    await put(store, b"a", b"4")
    assert await stream.events() == [(0, [(0, b"a", 5)])]


async def test_a_start_in_the_future_is_silent_until_then(
    stream: Stream, store: MemoryStore
) -> None:
    await stream.create(b"a", start_revision=4)
    for value in (b"2", b"3", b"4"):
        await put(store, b"a", value)
    assert await stream.events() == [(0, [(0, b"a", 4)])]


async def test_prev_kv_and_filters(stream: Stream, store: MemoryStore) -> None:
    await put(store, b"a", b"1")
    await stream.create(b"a", prev_kv=True, filters=[0])
    await stream.create(b"a", filters=[1])
    await put(store, b"a", b"2")
    await delete(store, b"a")
    by_watch = {response.watch_id: response for response in await stream.news()}
    (gone,) = by_watch[0].events
    assert (gone.type, gone.prev_kv and gone.prev_kv.value) == (1, b"2")
    (written,) = by_watch[1].events
    assert (written.type, written.prev_kv) == (0, None)


async def test_ids_are_given_out_once_or_chosen(stream: Stream) -> None:
    assert (await stream.create(b"a"))[0].watch_id == 0
    assert (await stream.create(b"a", watch_id=1))[0].watch_id == 1
    assert (await stream.create(b"a"))[0].watch_id == 2
    await stream.cancel(2)
    assert (await stream.create(b"a"))[0].watch_id == 3
    (refused,) = await stream.create(b"a", watch_id=1)
    assert (refused.created, refused.canceled, refused.watch_id) == (True, True, -1)
    assert refused.cancel_reason == "mvcc: duplicate watch ID provided on the WatchStream"


async def test_an_empty_range_is_refused(stream: Stream, store: MemoryStore) -> None:
    await put(store, b"a", b"1")
    (refused,) = await stream.create(b"b", b"a")
    assert (refused.created, refused.canceled, refused.watch_id) == (True, True, -1)
    assert (refused.cancel_reason, revision(refused)) == ("mvcc: watcher range is empty", 2)


async def test_a_negative_start_is_compacted_at_once(stream: Stream) -> None:
    (refused,) = await stream.create(b"a", start_revision=-1)
    assert (refused.created, refused.canceled) == (True, True)
    assert "required revision has been compacted" in refused.cancel_reason


async def test_cancel_is_answered_once_and_ends_the_events(
    stream: Stream, store: MemoryStore
) -> None:
    await stream.create(b"a")
    (canceled,) = await stream.cancel(0)
    assert (canceled.canceled, canceled.watch_id, canceled.cancel_reason) == (True, 0, "")
    await put(store, b"a", b"1")
    assert await stream.cancel(0) == []
    assert await stream.cancel(77) == []


async def test_a_compacted_start_says_where_history_begins(
    stream: Stream, store: MemoryStore
) -> None:
    for value in (b"1", b"2", b"3"):
        await put(store, b"a", value)
    await store.compact(3)
    created, canceled = await stream.create(b"a", start_revision=2)
    assert created.created
    assert (canceled.canceled, canceled.compact_revision) == (True, 3)
    assert (canceled.cancel_reason, revision(canceled)) == ("", 0)
    at_the_mark = await stream.create(b"a", start_revision=3)
    assert [len(response.events) for response in at_the_mark] == [0, 2]


async def test_one_revision_is_one_response(stream: Stream, store: MemoryStore) -> None:
    for key in (b"a", b"b", b"c"):
        await put(store, key, b"1")
    await stream.create(b"a", b"z")
    await delete(store, b"a", b"z")
    ((_, events),) = await stream.events()
    assert events == [(1, b"a", 5), (1, b"b", 5), (1, b"c", 5)]


async def test_large_responses_come_in_fragments_if_asked_for(
    client: Client, store: MemoryStore
) -> None:
    for number in range(6):
        await put(store, b"%d" % number, b"x" * 400_000)
    stream = Stream(client)
    client.server.data_received(
        frames.window_update(0, 1 << 26) + frames.settings({frames.INITIAL_WINDOW_SIZE: 1 << 26})
    )
    created, first, last = await stream.create(b"0", b"9", start_revision=2, fragment=True)
    assert created.created
    assert [len(first.events), len(last.events)] == [5, 1]
    assert (first.fragment, last.fragment) == (True, False)
    whole = (await stream.create(b"0", b"9", start_revision=2))[1]
    assert (len(whole.events), whole.fragment) == (6, False)


# Progress


async def test_progress_of_the_stream_is_never_ahead_of_its_events(
    stream: Stream, store: MemoryStore
) -> None:
    await stream.create(b"a")
    await stream.create(b"b")
    await put(store, b"a", b"1")
    await put(store, b"c", b"1")
    told = await stream.ask_progress()
    assert [(r.watch_id, len(r.events)) for r in told] == [(0, 1), (-1, 0)]
    assert revision(told[-1]) == 3


async def test_no_progress_without_watches_or_before_a_future_start(
    stream: Stream, store: MemoryStore
) -> None:
    assert await stream.ask_progress() == []
    await stream.create(b"a", start_revision=4)
    assert await stream.ask_progress() == []
    await put(store, b"x", b"2")
    await put(store, b"x", b"3")
    (progress,) = await stream.news()
    assert (progress.watch_id, revision(progress)) == (-1, 3)


async def test_idle_watches_that_asked_are_told_the_revision(
    stream: Stream, store: MemoryStore, clock: FakeClock
) -> None:
    await stream.create(b"a", progress_notify=True)
    await stream.create(b"b")
    await put(store, b"x", b"1")
    await clock.advance(600)
    (progress,) = await stream.news()
    assert (progress.watch_id, revision(progress), progress.events) == (0, 2, [])
    await put(store, b"a", b"1")
    await stream.news()
    await clock.advance(600)  # had an event since: not idle
    assert await stream.news() == []
    await clock.advance(600)
    assert len(await stream.news()) == 1


async def test_unknown_requests_are_ignored(stream: Stream) -> None:
    assert await stream.say(pb.WatchRequest()) == []


async def test_whoever_has_nothing_more_to_say_still_listens_until_gone(
    client: Client, stream: Stream, store: MemoryStore
) -> None:
    await stream.create(b"a")
    client.end(1)
    await put(store, b"a", b"1")
    assert len(await stream.news()) == 1
    client.server.data_received(frames.rst_stream(1, Code.CANCEL))
    await client.settle()
    await put(store, b"a", b"2")
    assert await stream.news() == []
