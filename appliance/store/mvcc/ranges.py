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

    Raises:
        FutureRevision: `asked` is greater than `current`.
        Compacted: `asked` is less than `compacted`, or negative.
    """
    if asked > current:
        raise FutureRevision
    if asked < 0 or 0 < asked < compacted:
        raise Compacted(max(0, compacted))


def answer(
    request: Range,
    found: Sequence[Found],
    fetch: Callable[[Iterable[Found]], list[KeyValue]],
    revision: int,
) -> RangeResult:
    """Turn what the index found (in key order) into an answer, fetching as little as possible."""
    count = len(found)
    if request.count_only:
        return RangeResult((), count, more=False, revision=revision)
    limit = request.limit if request.limit > 0 else count
    if _is_plain(request):
        kvs = fetch(found[:limit])
        more = count > limit
    else:
        kept = [kv for kv in fetch(found) if _passes(request, kv)]
        kept.sort(
            key=_SORT_KEYS[request.sort_target],
            reverse=request.sort_order is SortOrder.DESCEND,
        )
        kvs, more = kept[:limit], len(kept) > limit
    if request.keys_only:
        kvs = [without_value(kv) for kv in kvs]
    return RangeResult(tuple(kvs), count, more=more, revision=revision)


def without_value(kv: KeyValue) -> KeyValue:
    """The same, value left out."""
    return KeyValue(kv.key, b"", kv.create_revision, kv.mod_revision, kv.version, kv.lease)


def _is_plain(request: Range) -> bool:
    """Whether the answer is simply the first keys in index order."""
    by_key = request.sort_target is SortTarget.KEY
    filtered = (
        request.min_mod_revision
        or request.max_mod_revision
        or request.min_create_revision
        or request.max_create_revision
    )
    return by_key and request.sort_order is not SortOrder.DESCEND and not filtered


def _passes(request: Range, kv: KeyValue) -> bool:
    return _within(kv.mod_revision, request.min_mod_revision, request.max_mod_revision) and _within(
        kv.create_revision, request.min_create_revision, request.max_create_revision
    )


def _within(revision: int, least: int, most: int) -> bool:
    return revision >= least and (most == 0 or revision <= most)
