"""Objects by key: reads from the watch caches, writes as compare-and-put transactions.

The only module that calls the store's `txn`. A write returns after the kind's cache has seen its
revision, so every later read through this process sees it (read your own writes).

Owned by `StoreRegistry`; holds one cache and one task per kind that was asked for.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from appliance.api import errors
from appliance.api.kind import Kind, T
from appliance.control.options import ControlOptions
from appliance.control.registry.base import KindCounts, Stored
from appliance.control.registry.encoding import (
    from_store,
    key_of,
    object_key,
    readable,
    store_key,
    to_store,
)
from appliance.control.registry.expiring import Leases
from appliance.control.registry.refusals import Unclassified
from appliance.control.registry.turns import Turn
from appliance.control.registry.watchcache import KindCache
from appliance.kit.backoff import Backoff
from appliance.kit.clock import Clock
from appliance.kit.tasks import Tasks
from appliance.store import errors as store_errors
from appliance.store.base import (
    Compare,
    CompareTarget,
    Delete,
    Put,
    Range,
    RangeResult,
    Store,
    Txn,
    TxnResult,
)

_RESTART = Backoff(base_s=0.05, maximum_s=5.0)


@dataclass(slots=True, eq=False)
class Moved(Exception):
    """The object was changed by another writer; `now` is its state, None if it is gone."""

    now: Stored[Any] | None


class Storage:
    """Typed objects over a `Store`."""

    def __init__(self, store: Store, *, clock: Clock, options: ControlOptions) -> None:
        self._store = store
        self._options = options
        self._tasks = Tasks("registry", clock)
        self._leases = Leases(store, clock)
        self._caches: dict[str, KindCache[Any]] = {}

    async def close(self) -> None:
        """Stop following the store; open watches end with Expired."""
        await self._tasks.close()

    def cache(self, kind: Kind[T]) -> KindCache[T]:
        """The kind's cache, started at first use."""
        key = kind.api_version + kind.storage_prefix()  # each version is a view with its own cache
        found = self._caches.get(key)
        if found is None:
            found = self._caches[key] = KindCache(kind, self._store, self._options)
            _ = self._tasks.forever(f"cache-{kind.plural}", found.run, _RESTART)
        elif found.kind is not kind:
            found.kind = kind  # its definition has changed: what comes is read by the new schema
        return found

    async def get(self, kind: Kind[T], namespace: str, name: str) -> Stored[T] | None:
        """The object as of the last acknowledged write, or None."""
        return (await self.current(kind)).get(key_of(kind, namespace, name))

    async def current(self, kind: Kind[T]) -> KindCache[T]:
        """The kind's cache, with every acknowledged write in it.

        Our own writes are in it when they are acknowledged; those of other masters only if asked
        for.
        """
        cache = self.cache(kind)
        if self._store.shared:
            await cache.reach(await self.revision())
        else:
            await cache.ready()
        return cache

    def turn(self, name: str) -> Turn:
        """For what only one writer may do at a time, whichever master it is on."""
        return Turn(self._store, name)

    async def revision(self) -> int:
        """The store's revision now; caches can reach it."""
        with _answered():
            return await self._store.head()

    def counts(self) -> list[KindCounts]:
        """Figures of each cache, for metrics."""
        return [cache.counts() for cache in self._caches.values()]

    def mutated(self) -> list[str]:
        """Keys of cached objects that somebody changed: for tests, it must be empty."""
        return [f"{kind}/{key}" for kind, cache in self._caches.items() for key in cache.mutated()]

    async def insert(self, kind: Kind[T], obj: T, author: str, *, ttl_s: int = 0) -> Stored[T]:
        """Store a new object; with `ttl_s` it goes by itself.

        Raises:
            AlreadyExists: the name is taken.
        """
        meta = obj.metadata
        key = key_of(kind, meta.namespace, meta.name)
        stored_key, value = store_key(kind, key), to_store(kind, obj)
        absent = Compare(key=stored_key, target=CompareTarget.MOD, operand=0)
        with _answered():
            lease_id = await self._leases.lease_for(ttl_s)
        put = Put(key=stored_key, value=value, lease=lease_id)
        done = await self._commit(Txn(compares=(absent,), success=(put,)), author)
        if not done.succeeded:
            # who is told that there is one must find it when looking
            await self.cache(kind).reach(done.revision)
            raise errors.already_exists(kind.plural, kind.group, meta.name)
        return await self._written(kind, key, value, done.revision)

    async def replace(
        self, kind: Kind[T], old: Stored[T], obj: T, author: str, *, ttl_s: int = 0
    ) -> Stored[T]:
        """Put `obj` where `old` is.

        Raises:
            Moved: something else is there by now.
        """
        key = key_of(kind, old.obj.metadata.namespace, old.obj.metadata.name)
        stored_key, value = store_key(kind, key), to_store(kind, obj)
        with _answered():
            lease_id = await self._leases.lease_for(ttl_s)
        put = Put(key=stored_key, value=value, lease=lease_id)
        done = await self._commit(
            Txn(
                compares=(_unchanged(stored_key, old.revision),),
                success=(put,),
                failure=(Range(key=stored_key),),
            ),
            author,
        )
        if not done.succeeded:
            raise _moved(kind, done)
        return await self._written(kind, key, value, done.revision)

    async def remove(self, kind: Kind[T], old: Stored[T], author: str) -> int:
        """Take `old` out of the store; gives the revision that it ended with.

        Raises:
            Moved: something else is there by now.
        """
        key = key_of(kind, old.obj.metadata.namespace, old.obj.metadata.name)
        stored_key = store_key(kind, key)
        done = await self._commit(
            Txn(
                compares=(_unchanged(stored_key, old.revision),),
                success=(Delete(key=stored_key),),
                failure=(Range(key=stored_key),),
            ),
            author,
        )
        if not done.succeeded:
            raise _moved(kind, done)
        await self.cache(kind).reach(done.revision)
        return done.revision

    async def page(self, kind: Kind[T], request: Range) -> tuple[list[Stored[T]], RangeResult]:
        """Read a past revision straight from the store."""
        with _answered():
            found = await self._store.range(request)
        items = [
            readable(kind, kv.value, kv.mod_revision, key=object_key(kind, kv.key))
            for kv in found.kvs
        ]
        return [item for item in items if item is not None], found

    async def _commit(self, request: Txn, author: str) -> TxnResult:
        """Run a transaction; what the store refuses is told in its own words, as upstream does."""
        try:
            with _answered():
                return await self._store.txn(request, author)
        except store_errors.StoreError as error:
            raise Unclassified(str(error)) from error

    async def _written(self, kind: Kind[T], key: str, value: bytes, revision: int) -> Stored[T]:
        cache = self.cache(kind)
        await cache.reach(revision)
        now = cache.get(key)
        # another write may have come in between: the answer is the state that we wrote
        if now is not None and now.revision == revision:
            return now
        return from_store(kind, value, revision)


@contextmanager
def _answered() -> Iterator[None]:
    """A store that does not answer is a server that cannot: clients come back later."""
    try:
        yield
    except (store_errors.Closed, store_errors.Unavailable) as error:
        raise errors.ServiceUnavailable(str(error)) from error


def _unchanged(stored_key: bytes, revision: int) -> Compare:
    return Compare(key=stored_key, target=CompareTarget.MOD, operand=revision)


def _moved(kind: Kind[Any], done: TxnResult) -> Moved:
    found = done.results[0]
    if not isinstance(found, RangeResult):
        raise TypeError(f"the store answered a range with {type(found).__name__}")
    if not found.kvs:
        return Moved(None)
    kv = found.kvs[0]
    return Moved(readable(kind, kv.value, kv.mod_revision, key=object_key(kind, kv.key)))
