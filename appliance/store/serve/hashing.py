"""HashKV: the checksum over all history that two stores with the same story share.

    CRC-32C of  "key"  and for each change, oldest first:
        revision (8 bytes) "_" place in the revision (8 bytes)  ["t" if it is a delete]
        the KeyValue as etcd stores it (for a delete: the key alone)

Changes up to the last compaction count only if they are still the newest of their key at the
revision that is hashed and no delete (unless there is no such change at all: then all count).

A store takes part by having `history_rows`. Hashing goes in pages and lets others run between
them; if a compaction comes in between, it begins anew.

Source: etcd server/storage/mvcc/hash.go.
"""

import struct
from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

from appliance.kit.clock import Clock
from appliance.store.base import Event, EventKind, Store
from appliance.store.errors import Compacted, FutureRevision
from appliance.store.serve.convert import kv_message
from appliance.store.serve.crc32c import crc32c
from appliance.store.serve.messages.kv import KeyValue

_PAGE = 200  # rows between two yields


HistoryRow = tuple[int, int, Event]
"""A change with its revision and its place there."""


@runtime_checkable
class HistoryRows(Protocol):
    """A store whose history can be walked."""

    async def history_rows(self, after: tuple[int, int], limit: int) -> Sequence[HistoryRow]:
        """Up to `limit` committed changes behind the place (revision, sub), oldest first."""
        ...


class Hashed(NamedTuple):
    """A hash and what it covers."""

    hash: int
    compact_revision: int
    revision: int


async def hash_kv(store: Store, rows: HistoryRows, clock: Clock, revision: int = 0) -> Hashed:
    """Hash up to a revision (0: the newest).

    Raises:
        Compacted, FutureRevision: it cannot be hashed.
    """
    while True:
        status = await store.status()
        if revision > status.revision:
            raise FutureRevision
        if 0 < revision < status.compact_revision:
            raise Compacted(status.compact_revision)
        last = revision or status.revision
        span = _Span(status.compact_revision, last)
        found = await _hash(rows, clock, span, await _kept(rows, clock, last))
        if (await store.status()).compact_revision == status.compact_revision:
            return Hashed(found, status.compact_revision, last)


class _Span(NamedTuple):
    """Which part of history is hashed."""

    compact_revision: int
    last: int


async def _kept(rows: HistoryRows, clock: Clock, last: int) -> frozenset[tuple[int, int]]:
    """The changes that a compaction at `last` would keep."""
    newest: dict[bytes, tuple[int, int]] = {}
    deleted_last: set[bytes] = set()
    after = (0, -1)
    while page := await rows.history_rows(after, _PAGE):
        for revision, sub, event in page:
            after = (revision, sub)
            if revision > last:
                return frozenset(newest.values())
            if event.kind is EventKind.DELETE:
                newest.pop(event.kv.key, None)
                if revision == last:  # for etcd it is gone, even if it came back in `last`
                    deleted_last.add(event.kv.key)
            elif event.kv.key not in deleted_last:
                newest[event.kv.key] = after
        await clock.sleep(0)
    return frozenset(newest.values())


async def _hash(
    rows: HistoryRows, clock: Clock, span: _Span, kept: frozenset[tuple[int, int]]
) -> int:
    crc = crc32c(b"key")
    after = (0, -1)
    while page := await rows.history_rows(after, _PAGE):
        for revision, sub, event in page:
            after = (revision, sub)
            if revision > span.last:
                return crc
            if revision > span.compact_revision or not kept or after in kept:
                crc = crc32c(b"".join(stored(after, event)), crc)
        await clock.sleep(0)
    return crc


def stored(place: tuple[int, int], event: Event) -> tuple[bytes, bytes]:
    """Key and value as etcd has them on disk."""
    name = struct.pack(">QcQ", place[0], b"_", place[1])
    if event.kind is EventKind.DELETE:
        return name + b"t", KeyValue(key=event.kv.key).encode()
    return name, kv_message(event.kv).encode()
