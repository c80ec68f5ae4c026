"""Transactions: check a request's shape, decide its branches, apply it to a state.

Three steps, so that a refused transaction leaves nothing behind:

    check    shape alone: empty keys, too many operations, the same key written twice
    decide   all compares, nested ones too, against the state before the transaction;
             then what the chosen operations need (leases, existing keys, revisions)
    apply    cannot fail; every write goes to the state at once, so later ranges see it

Pure: the state is handed in. Called by the stores' write paths.
Source: etcd `server/etcdserver/api/v3rpc/key.go` (checks), `server/etcdserver/txn/txn.go`.
"""

from collections.abc import Iterable, Sequence
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from appliance.store.base import (
    FROM_KEY,
    Compare,
    CompareResult,
    CompareTarget,
    Delete,
    DeleteResult,
    Event,
    EventKind,
    KeyValue,
    Op,
    OpResult,
    Put,
    PutResult,
    Range,
    RangeResult,
    Txn,
    TxnResult,
)
from appliance.store.errors import (
    DuplicateKey,
    EmptyKey,
    KeyNotFound,
    LeaseNotFound,
    LeaseProvided,
    TooLarge,
    TooManyOps,
    ValueProvided,
)
from appliance.store.mvcc.ranges import check_revision, covers
from appliance.store.options import StoreOptions


class State(Protocol):
    """What a transaction reads and writes: the newest state, its own writes included."""

    @property
    def revision(self) -> int:
        """The newest revision given out."""
        ...

    @property
    def compact_revision(self) -> int:
        """Where history begins; -1 before the first compaction."""
        ...

    def get(self, key: bytes) -> KeyValue | None:
        """The key now."""
        ...

    def keys(self, key: bytes, end: bytes) -> Sequence[bytes]:
        """Living keys of [key, end), in order."""
        ...

    def find(self, request: Range) -> RangeResult:
        """A range whose revision has been checked; 0 sees this transaction's writes."""
        ...

    def has_lease(self, lease_id: int) -> bool:
        """Whether a put may use this lease."""
        ...

    def write(self, change: Event) -> None:
        """Make one change of revision `revision + 1`."""
        ...


class Branch(Struct, frozen=True, gc=False):
    """A transaction whose compares have been looked at."""

    succeeded: bool
    ops: tuple["Range | Put | Delete | Branch", ...]


class Applied(Struct, frozen=True, gc=False):
    """The answer, and what changed; no changes: no new revision."""

    result: TxnResult
    changes: tuple[Event, ...]


def check(request: Txn, options: StoreOptions) -> None:
    """Refuse a malformed transaction.

    Raises:
        EmptyKey, ValueProvided, LeaseProvided, TooManyOps, DuplicateKey, TooLarge: its name.
    """
    _check_width(request, options.max_txn_ops)
    _check_keys(request)
    if not _is_simple(request):
        _footprint(request)
    if _size(request) > options.max_request_bytes:
        raise TooLarge
    if options.admit is not None:
        options.admit(request)


def adds(request: Txn) -> bool:
    """Whether a branch may add something."""
    return any(
        isinstance(op, Put) or (isinstance(op, Txn) and adds(op))
        for op in (*request.success, *request.failure)
    )


def decide(request: Txn, state: State) -> Branch:
    """Choose the branches and make sure that they can be carried out.

    Raises:
        LeaseNotFound, KeyNotFound, Compacted, FutureRevision: an operation of a chosen branch
            cannot be done.
    """
    branch = _choose(request, state)
    _check_puts(branch, state)  # as in etcd all puts are looked at before any range
    _check_ranges(branch, state)
    return branch


def apply(branch: Branch, state: State) -> Applied:
    """Carry out the chosen operations in order."""
    run = _Run(state)
    results = run.ops(branch.ops)
    revision = run.revision()
    return Applied(TxnResult(revision, branch.succeeded, results), tuple(run.changes))


def _check_width(request: Txn, allowed: int) -> None:
    # A nested transaction shares its parent's allowance.
    width = max(len(request.compares), len(request.success), len(request.failure))
    if width > allowed:
        raise TooManyOps
    for op in (*request.success, *request.failure):
        if isinstance(op, Txn):
            _check_width(op, allowed - width)


def _check_keys(request: Txn) -> None:
    if not all(compare.key for compare in request.compares):
        raise EmptyKey
    for op in (*request.success, *request.failure):
        if isinstance(op, Txn):
            _check_keys(op)
        elif not op.key:
            raise EmptyKey
        elif isinstance(op, Put):
            _check_put(op)


def _check_put(put: Put) -> None:
    if put.ignore_value and put.value:
        raise ValueProvided
    if put.ignore_lease and put.lease:
        raise LeaseProvided


def _is_simple(request: Txn) -> bool:
    """One plain operation in each branch at most: nothing in it can be in another's way."""
    success, failure = request.success, request.failure
    return (
        len(success) <= 1
        and len(failure) <= 1
        and not (success and isinstance(success[0], Txn))
        and not (failure and isinstance(failure[0], Txn))
    )


_Footprint = tuple[set[bytes], list[Delete]]


def _footprint(request: Txn) -> _Footprint:
    """Keys put and ranges deleted by a transaction; only one of its branches runs."""
    puts, deletes = _of_branch(request.success)
    more_puts, more_deletes = _of_branch(request.failure)
    return puts | more_puts, [*deletes, *more_deletes]


def _of_branch(ops: tuple[Op, ...]) -> _Footprint:
    """The same of one branch; refuses what etcd does.

    In its order: deletes of the branch itself first, then nested transactions, then its puts. So
    a nested delete after a nested put of the same key goes unnoticed, as there.
    """
    deletes = [op for op in ops if isinstance(op, Delete)]
    puts: set[bytes] = set()
    for op in ops:
        if isinstance(op, Txn):
            its_puts, its_deletes = _footprint(op)
            _check_new(its_puts, puts, deletes)
            puts |= its_puts
            deletes += its_deletes
    for op in ops:
        if isinstance(op, Put):
            _check_new({op.key}, puts, deletes)
            puts.add(op.key)
    return puts, deletes


def _check_new(keys: set[bytes], puts: set[bytes], deletes: list[Delete]) -> None:
    if keys & puts or _hit(keys, deletes):
        raise DuplicateKey


def _hit(puts: set[bytes], deletes: list[Delete]) -> bool:
    # etcd does not see that an open end takes a key along; both changes then happen, in order.
    bounded = [gone for gone in deletes if gone.end != FROM_KEY]
    return any(covers(gone.key, gone.end, key) for gone in bounded for key in puts)


def _size(op: Op) -> int:
    match op:
        case Put():
            return len(op.key) + len(op.value)
        case Txn():
            size = 0
            for compare in op.compares:
                size += len(compare.operand) if isinstance(compare.operand, bytes) else 0
            for inner in (*op.success, *op.failure):
                size += _size(inner)
            return size
        case _:
            return len(op.key) + len(op.end)


def _choose(request: Txn, state: State) -> Branch:
    succeeded = not request.compares or all(_holds(c, state) for c in request.compares)
    ops = request.success if succeeded else request.failure
    chosen = [_choose(op, state) if isinstance(op, Txn) else op for op in ops]
    return Branch(succeeded, tuple(chosen))


def _holds(compare: Compare, state: State) -> bool:
    keys = state.keys(compare.key, compare.end) if compare.end else [compare.key]
    if not keys:  # no key in the range: the compare is asked once, of nothing
        return _holds_for(compare, None)
    return all(_holds_for(compare, state.get(key)) for key in keys)


def _holds_for(compare: Compare, kv: KeyValue | None) -> bool:
    if kv is None:
        if compare.target is CompareTarget.VALUE:
            return False  # even NOT_EQUAL: there is no value to compare with
        kv = KeyValue(compare.key, b"", 0, 0, 0)
    if compare.target is CompareTarget.VALUE:
        operand = compare.operand if isinstance(compare.operand, bytes) else b""
        return _ordered(compare.result, (kv.value > operand) - (kv.value < operand))
    number = _number(compare.target, kv)
    asked = compare.operand if isinstance(compare.operand, int) else 0
    return _ordered(compare.result, (number > asked) - (number < asked))


def _number(target: CompareTarget, kv: KeyValue) -> int:
    if target is CompareTarget.MOD:
        return kv.mod_revision
    if target is CompareTarget.CREATE:
        return kv.create_revision
    return kv.version if target is CompareTarget.VERSION else kv.lease


def _ordered(result: CompareResult, sign: int) -> bool:
    match result:
        case CompareResult.EQUAL:
            return sign == 0
        case CompareResult.GREATER:
            return sign > 0
        case CompareResult.LESS:
            return sign < 0
        case CompareResult.NOT_EQUAL:
            return sign != 0


def _check_puts(branch: Branch, state: State) -> None:
    for op in branch.ops:
        if isinstance(op, Branch):
            _check_puts(op, state)
        elif isinstance(op, Put):
            if (op.ignore_value or op.ignore_lease) and state.get(op.key) is None:
                raise KeyNotFound
            if op.lease and not state.has_lease(op.lease):
                raise LeaseNotFound


def _check_ranges(branch: Branch, state: State) -> None:
    for op in branch.ops:
        if isinstance(op, Branch):
            _check_ranges(op, state)
        elif isinstance(op, Range):
            check_revision(op.revision, state.revision, state.compact_revision)


class _Run:
    """One application: the changes so far and the revision they will have."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._before = state.revision
        self.changes: list[Event] = []

    def revision(self) -> int:
        return self._before + 1 if self.changes else self._before

    def ops(self, ops: Iterable[Range | Put | Delete | Branch]) -> tuple[OpResult, ...]:
        return tuple(self._one(op) for op in ops)

    def _one(self, op: Range | Put | Delete | Branch) -> OpResult:
        match op:
            case Range():
                return replace(self._state.find(op), revision=self.revision())
            case Put():
                return self._put(op)
            case Delete():
                return self._delete(op)
            case Branch():
                results = self.ops(op.ops)
                return TxnResult(self.revision(), op.succeeded, results)

    def _put(self, put: Put) -> PutResult:
        revision = self._before + 1
        old = self._state.get(put.key)
        value, lease = put.value, put.lease
        if old is not None:
            value = old.value if put.ignore_value else value
            lease = old.lease if put.ignore_lease else lease
            kv = KeyValue(put.key, value, old.create_revision, revision, old.version + 1, lease)
        else:
            kv = KeyValue(put.key, value, revision, revision, 1, lease)
        self._change(Event(EventKind.PUT, kv, old))
        return PutResult(revision, old if put.prev_kv else None)

    def _delete(self, delete: Delete) -> DeleteResult:
        gone: list[KeyValue] = []
        for key in self._state.keys(delete.key, delete.end):
            old = self._state.get(key)
            if old is not None:
                kv = KeyValue(key, b"", 0, self._before + 1, 0)
                self._change(Event(EventKind.DELETE, kv, old))
                gone.append(old)
        prev_kvs = tuple(gone) if delete.prev_kv else ()
        return DeleteResult(self.revision(), len(gone), prev_kvs)

    def _change(self, event: Event) -> None:
        self._state.write(event)
        self.changes.append(event)


def as_watched(changes: Sequence[Event]) -> list[Event]:
    """The changes of one transaction as its watchers see them.

    As etcd has it, what was before an event is what the key held before the whole transaction,
    and a key that was just made held nothing.
    """
    if len(changes) == 1:
        return list(changes)
    before: dict[bytes, KeyValue | None] = {}
    return [
        change
        if change.prev_kv is before.setdefault(change.kv.key, change.prev_kv)
        or change.prev_kv is None
        else replace(change, prev_kv=before[change.kv.key])
        for change in changes
    ]
