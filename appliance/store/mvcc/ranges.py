"""Range rules: what [key, end) covers, and how found keys become an answer.

Used by every store and by the watch index. Pure.

    end            covers
    b""            the key alone
    b"\\0"          the key and everything after it
    <= key         nothing
    else           key <= k < end

Source: etcd `server/etcdserver/txn/range.go` (order of filter, sort, limit).
"""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from appliance.store.base import (
    FROM_KEY,
    NO_END,
    KeyValue,
    Range,
    RangeResult,
    SortOrder,
    SortTarget,
)
from appliance.store.errors import Compacted, FutureRevision

Found = TypeVar("Found")

_SORT_KEYS: dict[SortTarget, Callable[[KeyValue], bytes | int]] = {
    SortTarget.KEY: lambda kv: kv.key,
    SortTarget.VERSION: lambda kv: kv.version,
    SortTarget.CREATE: lambda kv: kv.create_revision,
    SortTarget.MOD: lambda kv: kv.mod_revision,
    SortTarget.VALUE: lambda kv: kv.value,
}


def covers(key: bytes, end: bytes, candidate: bytes) -> bool:
    """Whether `candidate` lies in [key, end)."""
    if end == NO_END:
        return candidate == key
    return candidate >= key and (end == FROM_KEY or candidate < end)


def is_empty(key: bytes, end: bytes) -> bool:
    """Whether [key, end) can hold no key."""
    return end not in {NO_END, FROM_KEY} and end <= key


def overlap(key: bytes, end: bytes, prefix: bytes) -> bool:
    """Whether [key, end) can hold a key that starts with `prefix`."""
    if end == NO_END:
        return key.startswith(prefix)
    starts_in_time = key <= prefix or key.startswith(prefix)
    return starts_in_time and (end == FROM_KEY or end > prefix)


def check_revision(asked: int, current: int, compacted: int) -> None:
    """Refuse a revision that is gone or has not happened; 0 is the newest.

    As in etcd, a store that was never compacted (-1) takes -1 for the newest, too.

    Raises:
        FutureRevision: `asked` is greater than `current`.
        Compacted: `asked` is less than `compacted`.
    """
    if asked > current:
        raise FutureRevision
    if asked and asked < compacted:
        raise Compacted(max(0, compacted))


def answer(
    request: Range,
    select: Callable[[int], Sequence[Found]],
    count: Callable[[], int],
    fetch: Callable[[Iterable[Found]], list[KeyValue]],
) -> RangeResult:
    """Answer from an index, asking of it as little as possible.

    `select(limit)` finds keys in their order (0: all), `fetch` gets their values. The revision
    of the result is left to the caller.
    """
    if request.count_only:
        return RangeResult((), count(), more=False, revision=0)
    limit = max(0, request.limit)
    if _is_plain(request):
        found = select(limit)
        kvs = fetch(found)
        total = count() if limit and len(found) == limit else len(found)
        more = total > len(found)
    else:
        # As in etcd: a target without an order sorts only as many keys as can be told apart.
        unordered = request.sort_order is SortOrder.NONE and not _is_filtered(request)
        bound = limit + 1 if limit and unordered else 0
        found = select(bound)
        kvs = _arranged(request, fetch(found))
        total = count() if bound and len(found) == bound else len(found)
        more = 0 < limit < len(kvs)
        kvs = kvs[:limit] if limit else kvs
    if request.keys_only:
        kvs = [without_value(kv) for kv in kvs]
    return RangeResult(tuple(kvs), total, more=more, revision=0)


def _arranged(request: Range, kvs: list[KeyValue]) -> list[KeyValue]:
    """Filtered, then sorted."""
    return sorted(
        (kv for kv in kvs if _passes(request, kv)),
        key=_SORT_KEYS[request.sort_target],
        reverse=request.sort_order is SortOrder.DESCEND,
    )


def without_value(kv: KeyValue) -> KeyValue:
    """The same, value left out."""
    return KeyValue(kv.key, b"", kv.create_revision, kv.mod_revision, kv.version, kv.lease)


def _is_plain(request: Range) -> bool:
    """Whether the answer is simply the first keys in index order."""
    by_key = request.sort_target is SortTarget.KEY
    ascends = request.sort_order is not SortOrder.DESCEND
    return by_key and ascends and not _is_filtered(request)


def _is_filtered(request: Range) -> bool:
    return bool(
        request.min_mod_revision
        or request.max_mod_revision
        or request.min_create_revision
        or request.max_create_revision
    )


def _passes(request: Range, kv: KeyValue) -> bool:
    return _within(kv.mod_revision, request.min_mod_revision, request.max_mod_revision) and _within(
        kv.create_revision, request.min_create_revision, request.max_create_revision
    )


def _within(revision: int, least: int, most: int) -> bool:
    return revision >= least and (most == 0 or revision <= most)
