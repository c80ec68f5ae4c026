"""Bring back what was: a deleted key, or all keys under a prefix as they were at a revision.

What was comes out of the archive, what is out of the store; the difference is written as one
transaction, on the condition that none of its keys has changed since it was looked at. Nothing
is undone in history: bringing back is one more revision, and watchers see it like any other.
Keys come back without lease.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from appliance.store.base import (
    NO_END,
    Compare,
    CompareResult,
    CompareTarget,
    Delete,
    KeyValue,
    Op,
    Put,
    Range,
    Store,
    Txn,
)
from appliance.store.errors import StoreError
from appliance.store.upkeep.archive import Archive
from appliance.store.upkeep.span import Span

Usable = Callable[[bytes], bool]
"""Whether a value is fit to be brought back."""
Spared = tuple[bytes, ...]
"""Prefixes of keys that are never written to disk: what an archive says of them is nothing."""


class NotPossible(StoreError):
    """What was asked cannot be brought back; the text says why and what can be done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What has been written: the revision (0: nothing had to be), and the keys."""

    revision: int
    put: tuple[bytes, ...]
    deleted: tuple[bytes, ...]


async def rewind(
    store: Store,
    archive: Archive,
    span: Span,
    *,
    to: int,
    spared: Spared = (),
    dry_run: bool = False,
) -> Outcome:
    """Make the keys of [key, end) what they were at revision `to`, but for those `spared`.

    Raises:
        NotPossible: that state is gone, or not yet there, or somebody wrote meanwhile.
    """
    newest = archive.newest()
    if not archive.floor <= to <= newest:
        raise NotPossible(
            f"revision {to} is not kept: the oldest state that is, is of revision"
            f" {archive.floor}, the newest of {newest}"
        )
    past = archive.state(*span, to)
    return await _write(store, span, past, spared=spared, dry_run=dry_run)


async def undelete(
    store: Store,
    archive: Archive,
    span: Span,
    *,
    usable: Usable,
    dry_run: bool = False,
) -> Outcome:
    """Bring back the deleted keys of [key, end), each with its last usable value.

    Raises:
        NotPossible: none was deleted, as far as is kept.
    """
    wanted = lost(archive, span, usable)
    if not wanted:
        raise NotPossible(
            f"nothing there was deleted since revision {archive.floor}, from when on all is kept"
        )
    present = {kv.key: kv.value for kv in await _present(store, span)}
    return await _write(store, span, {**wanted, **present}, spared=(), dry_run=dry_run)


def lost(archive: Archive, span: Span, usable: Usable) -> dict[bytes, bytes]:
    """Deleted keys with the last value that is fit to be brought back."""
    candidates: dict[bytes, list[int]] = {}
    gone: set[bytes] = set()
    for change in archive.changes(*span):
        if change.deleted:
            gone.add(change.key)
            continue
        if change.key in gone:  # it was made anew
            gone.discard(change.key)
            candidates.pop(change.key, None)
        candidates.setdefault(change.key, []).append(change.row)
    found: dict[bytes, bytes] = {}
    for key in sorted(gone & candidates.keys()):
        values = (archive.value(row) for row in reversed(candidates[key]))
        value = next((value for value in values if usable(value)), None)
        if value is not None:
            found[key] = value
    return found


async def _write(
    store: Store,
    span: Span,
    wanted: Mapping[bytes, bytes],
    *,
    spared: Spared,
    dry_run: bool,
) -> Outcome:
    present = {kv.key: kv for kv in await _present(store, span)}
    puts = [
        Put(key=key, value=value)
        for key, value in wanted.items()
        if key not in present or present[key].value != value
    ]
    deletes = [
        Delete(key=key) for key in present if key not in wanted and not key.startswith(spared)
    ]
    ops: list[Op] = [*puts, *deletes]
    revision = 0
    if ops and not dry_run:
        revisions = {key: kv.mod_revision for key, kv in present.items()}
        keys = [put.key for put in puts] + [delete.key for delete in deletes]
        revision = await _as_one(store, ops, [_unchanged(key, revisions) for key in keys])
    return Outcome(
        revision=revision,
        put=tuple(put.key for put in puts),
        deleted=tuple(delete.key for delete in deletes),
    )


async def _present(store: Store, span: Span) -> Sequence[KeyValue]:
    key, end = span
    return (await store.range(Range(key=key, end=end or NO_END))).kvs


def _unchanged(key: bytes, revisions: Mapping[bytes, int]) -> Compare:
    return Compare(
        key=key,
        target=CompareTarget.MOD,
        result=CompareResult.EQUAL,
        operand=revisions.get(key, 0),
    )


async def _as_one(store: Store, ops: list[Op], compares: list[Compare]) -> int:
    result = await store.txn(Txn(compares=tuple(compares), success=tuple(ops)), "upkeep")
    if not result.succeeded:
        raise NotPossible("somebody else wrote to these keys meanwhile: look, and try again")
    return result.revision
