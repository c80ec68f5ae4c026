"""Quotas of prefixes: how much may lie under each, so that one kind of thing can't fill the disk.

What counts is the keys and values that are there now (not their history). A new key is refused
when its prefix would hold more than its quota. A key that is there may grow into a tenth above
it, so that what is to be deleted can still be marked so; what shrinks and what is deleted always
goes through, and room counts at once. Other prefixes are not concerned.

A store asks `admit` before each transaction (`StoreOptions.admit`); a watch tells what each commit
has changed. Writes that are on their way to the disk at the same moment are
not counted yet and may go over together, and so may those of other servers over one database.
Memory: one entry for each key under a quota.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from appliance.kit.tasks import Tasks
from appliance.store.base import (
    Delete,
    EventKind,
    KeyValue,
    Op,
    Put,
    Range,
    Store,
    Txn,
    Watcher,
    WatchRequest,
    prefix_end,
)
from appliance.store.errors import PrefixFull
from appliance.store.notes import Notes

BOOK = "prefix-quotas"
"""Where the quotas are noted, for `appliance usage`, which reads the store without its server."""
_PAGE = 200
_HEADROOM = 10  # a tenth


@dataclass(slots=True)
class PrefixQuota:
    """One prefix; `used_bytes` of keys and values."""

    prefix: bytes
    limit_bytes: int
    used_bytes: int = 0
    sizes: dict[bytes, int] = field(default_factory=dict)
    _watcher: Watcher | None = None

    async def count_all(self, store: Store) -> None:
        """Count what is there, and listen from then on."""
        self.sizes.clear()
        self.used_bytes = 0
        key, end, revision = self.prefix, prefix_end(self.prefix), 0
        while True:
            page = await store.range(Range(key=key, end=end, revision=revision, limit=_PAGE))
            for kv in page.kvs:
                self._count(kv)
            revision = revision or page.revision
            if not page.more:
                break
            key = page.kvs[-1].key + b"\x00"
        watched = WatchRequest(key=self.prefix, end=end, start_revision=revision + 1)
        self._watcher = store.watch(watched)

    async def follow(self, store: Store) -> None:
        """Count every change until cancelled, or cut off: then all is counted again."""
        if self._watcher is None:
            await self.count_all(store)
        watcher, self._watcher = self._watcher, None
        if watcher is None:
            return
        try:
            async for batch in watcher:
                for event in batch.events:
                    self._count(event.kv, event.kind)
        finally:
            watcher.close()

    def _grows(self, ops: Sequence[Op]) -> tuple[int, bool]:
        """By how many bytes if all of it happens, and whether a key is new."""
        growth, new = 0, False
        for op in ops:
            if not isinstance(op, Put | Delete) or not op.key.startswith(self.prefix):
                continue
            before = self.sizes.get(op.key, 0)
            if isinstance(op, Delete):
                growth -= before
            elif not op.ignore_value:
                growth += len(op.key) + len(op.value) - before
                new = new or not before
        return growth, new

    def check(self, ops: Sequence[Op]) -> None:
        """Refuse what does not fit.

        Raises:
            PrefixFull: it does not; the text names prefix and remedy.
        """
        growth, new = self._grows(ops)
        limit = self.limit_bytes if new else self.limit_bytes + self.limit_bytes // _HEADROOM
        if growth > 0 and self.used_bytes + growth > limit:
            raise PrefixFull(
                self.prefix.decode(errors="backslashreplace"),
                used_bytes=self.used_bytes,
                limit_bytes=self.limit_bytes,
            )

    def _count(self, kv: KeyValue, kind: EventKind = EventKind.PUT) -> None:
        """A key is as it is now."""
        before = self.sizes.pop(kv.key, 0)
        size = 0
        if kind is EventKind.PUT:
            size = self.sizes[kv.key] = len(kv.key) + len(kv.value)
        self.used_bytes += size - before


class PrefixQuotas:
    """All quotas of a store."""

    def __init__(self, limits: Mapping[bytes, int]) -> None:
        self.quotas = tuple(PrefixQuota(prefix, limit) for prefix, limit in limits.items())

    @property
    def hook(self) -> Callable[[Txn], None] | None:
        """For `StoreOptions.admit`; None if there is nothing to ask."""
        return self.admit if self.quotas else None

    def admit(self, request: Txn) -> None:
        """Ask before a transaction; either of its branches may run.

        Raises:
            PrefixFull: a prefix has no room for it.
        """
        for branch in (request.success, request.failure):
            for quota in self.quotas:
                quota.check(branch)
            for op in branch:
                if isinstance(op, Txn):
                    self.admit(op)

    async def start(self, store: Store, tasks: Tasks) -> None:
        """Count what is there, and from then on every change, for as long as the tasks run."""
        await self._note(store)
        for quota in self.quotas:
            await quota.count_all(store)
            _ = tasks.forever("prefix quota", partial(quota.follow, store))

    async def _note(self, store: Store) -> None:
        if isinstance(store, Notes):
            noted = await store.notes(BOOK)
            wanted = {quota.prefix.hex(): b"%d" % quota.limit_bytes for quota in self.quotas}
            if noted != wanted:
                await store.write_notes(BOOK, {**dict.fromkeys(noted), **wanted})
