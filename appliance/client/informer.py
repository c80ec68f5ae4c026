"""List, then watch: keeps a cache of one kind in step with the API.

An `Informer` lists, watches from the list's revision, resumes a broken watch where it ended, and
lists again when the server says Expired. `Informers` shares one informer per kind and `Where`
among all loops of a process.

The cache is as large as what is selected on the server. A second list is compared with the cache,
so that listeners hear of just what changed, with old and new, however long the line was down.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Generic

import structlog

from appliance.api.errors import ApiError, Expired, ServiceUnavailable, TooManyRequests
from appliance.api.kind import Kind, T
from appliance.client.base import EVERYWHERE, Client, EventType, WatchEvent, Where
from appliance.client.cache import Cache, Indexer, key_of
from appliance.kit.backoff import Backoff
from appliance.kit.clock import Clock
from appliance.kit.tasks import Tasks

log = structlog.get_logger(__name__)

Change = Callable[[T | None, T | None], None]
"""Called with (old, new) after the cache has changed; old None is new, new None is gone."""

PAGE = 500
"""Objects per list request, so that a large list never stands in memory twice."""

PAUSES = Backoff(base_s=0.05, maximum_s=5.0)
"""Between tries while the server does not answer; it may be starting beside us."""

AWAY = (ServiceUnavailable, TooManyRequests, OSError)
"""The server could not answer; resume the watch when it can. Any other refusal means: list again,
for the revision may be of a past that this server never had (restored from a backup)."""

HEALTHY_S = 1.0
"""A watch that lasted this long worked: the next failure counts as the first again."""


class Informer(Generic[T]):
    """Keeps `cache` in step with what the client lists."""

    cache: Cache[T]

    def __init__(
        self, client: Client, kind: Kind[T], *, clock: Clock, where: Where = EVERYWHERE
    ) -> None:
        self.cache = Cache()
        self.kind = kind
        self._client = client
        self._clock = clock
        self._where = where
        self._listeners: list[Change[T]] = []
        self._synced = asyncio.Event()
        self._since = ""
        self._revision = 0
        self._failures = 0

    def add_indexers(self, indexers: Mapping[str, Indexer[T]]) -> None:
        """Add named indexes; a name that is there already is kept."""
        self.cache.add_indexers(indexers)

    def on_change(self, call: Change[T]) -> None:
        """Call after each change; calls must be quick and must not raise.

        A listener that comes late hears at once of everything that is in the cache.
        """
        self._listeners.append(call)
        for obj in self.cache.list():
            call(None, obj)

    @property
    def synced(self) -> bool:
        """Whether the first list is in the cache."""
        return self._synced.is_set()

    @property
    def revision(self) -> int:
        """Newest revision that the cache is known to reflect."""
        return self._revision

    async def wait_synced(self) -> None:
        """Return once the first list is in the cache."""
        await self._synced.wait()

    async def run(self) -> None:
        """List and watch until cancelled, with back-off on errors."""
        while True:
            started = self._clock.monotonic()
            try:
                if not self._since:
                    await self._relist()
                await self._follow()
            except Expired:
                self._since = ""  # what we saw last is forgotten there: list again
            except (ApiError, OSError) as error:
                if not isinstance(error, AWAY):
                    self._since = ""  # it understood us and said no: what we hold may be of another
                await self._pause(error)
                continue
            # A server that ends every watch at once must not make us spin.
            if self._clock.monotonic() - started < HEALTHY_S:
                await self._pause(None)
            else:
                self._failures = 0

    async def _pause(self, error: Exception | None) -> None:
        self._failures += 1
        pause = PAUSES.delay(self._failures)
        if error is not None:
            log.warning(
                "watch failed", kind=self.kind.kind, error=str(error), again_in_s=round(pause, 3)
            )
        await self._clock.sleep(pause)

    async def _relist(self) -> None:
        fresh: dict[str, T] = {}
        token = ""
        while True:
            page = await self._client.list(self.kind, self._where, limit=PAGE, continue_token=token)
            fresh.update((key_of(obj), obj) for obj in page.items)
            token = page.continue_token
            if not token:
                break
        for key in self.cache.keys():  # noqa: SIM118 - a Cache is no dict
            if key not in fresh:
                self._remove(key)
        for obj in fresh.values():
            self._upsert(obj)
        self._since = page.resource_version
        self._revision = int(page.resource_version or 0)
        self._synced.set()

    async def _follow(self) -> None:
        stream = self._client.watch(self.kind, self._where, since=self._since)
        try:
            async for event in stream:
                self._apply(event)
                self._reached(event.object.metadata.resourceVersion)
                self._failures = 0
        finally:
            # Left half-read it would hold its place at the server until collected.
            if close := getattr(stream, "aclose", None):
                await close()

    def _reached(self, revision: str) -> None:
        self._since = revision
        self._revision = int(revision or 0)

    def _apply(self, event: WatchEvent[T]) -> None:
        if event.type is EventType.BOOKMARK:
            return
        if event.type is EventType.DELETED:
            self._remove(key_of(event.object), last=event.object)
        else:
            self._upsert(event.object)

    def _upsert(self, obj: T) -> None:
        old = self.cache.upsert(obj)
        if old is not None and old.metadata.uid != obj.metadata.uid:
            # one went and another came under its name while we were not looking
            self._tell(old, None)
            old = None
        if old is None or old.metadata.resourceVersion != obj.metadata.resourceVersion:
            self._tell(old, obj)

    def _remove(self, key: str, last: T | None = None) -> None:
        old = self.cache.remove(key)
        if old is not None:
            self._tell(last or old, None)

    def _tell(self, old: T | None, new: T | None) -> None:
        for call in self._listeners:
            call(old, new)


class Informers:
    """One informer per kind and selection, shared by all loops of a process."""

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._made: dict[tuple[str, str, Where], Informer[Any]] = {}
        self._running: set[tuple[str, str, Where]] = set()

    def of(self, kind: Kind[T], where: Where = EVERYWHERE) -> Informer[T]:
        """The informer of that kind and selection, made at first use."""
        key = (kind.api_version, kind.plural, where)
        if key not in self._made:
            self._made[key] = Informer(self._client, kind, clock=self._clock, where=where)
        return self._made[key]

    def start(self, tasks: Tasks) -> None:
        """Run all informers that were asked for and do not run yet."""
        for key, informer in self._made.items():
            if key not in self._running:
                self._running.add(key)
                _ = tasks.forever(f"informer {informer.kind.plural}", informer.run)

    async def wait_synced(self) -> None:
        """Return once all that were asked for are synced."""
        for informer in self.all():
            await informer.wait_synced()

    def all(self) -> tuple[Informer[Any], ...]:
        """Every informer made so far."""
        return tuple(self._made.values())
