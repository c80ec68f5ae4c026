"""The `Store` protocol: etcd v3's data model as plain values.

What every implementation promises (`tests/contract/test_store.py`):

* each successful write transaction that changes something gets the next revision, a single
  64-bit counter for the whole store; revisions are given out once, also across crashes;
* an acknowledged write is on disk (unless its key lies under an ephemeral prefix);
* reads see committed state only; a read without a revision sees every write acknowledged before;
* a watcher gets every change of its range after its start revision, in order, each once, all
  changes of one revision in one batch, or it is told that it was cut (`Compacted`, `Overrun`);
* compaction at R keeps the newest change at or before R of each key unless that is a delete.

Errors: `appliance.store.errors`.

Values are msgspec Structs, because a write makes six of them: a frozen dataclass takes eight times
as long to make. They hold no cycle, so the collector need not look at them.

Source: etcd api/v3 rpc.proto and rpctypes; facts in etcd's `server/storage/mvcc`.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol, runtime_checkable

from msgspec import Struct

from appliance.store.errors import StoreError

NO_END = b""
"""Range end that means: just this key."""
FROM_KEY = b"\x00"
"""Range end that means: this key and everything after it."""


class KeyValue(Struct, frozen=True, gc=False):
    """A key at one revision."""

    key: bytes
    value: bytes
    create_revision: int
    mod_revision: int
    version: int
    lease: int = 0


class SortTarget(Enum):
    """What a range is sorted by."""

    KEY = 0
    VERSION = 1
    CREATE = 2
    MOD = 3
    VALUE = 4


class SortOrder(Enum):
    """Direction of a sort; NONE is key order."""

    NONE = 0
    ASCEND = 1
    DESCEND = 2


class Range(Struct, frozen=True, gc=False, kw_only=True):
    """Read keys in [key, end). `end` b"" is one key, b"\\0" everything from key on.

    `revision` 0 reads the newest; `limit` 0 is no limit. The four bounds filter by revision.
    """

    key: bytes
    end: bytes = NO_END
    revision: int = 0
    limit: int = 0
    sort_order: SortOrder = SortOrder.NONE
    sort_target: SortTarget = SortTarget.KEY
    keys_only: bool = False
    count_only: bool = False
    min_mod_revision: int = 0
    max_mod_revision: int = 0
    min_create_revision: int = 0
    max_create_revision: int = 0


class Put(Struct, frozen=True, gc=False, kw_only=True):
    """Write one key."""

    key: bytes
    value: bytes = b""
    lease: int = 0
    prev_kv: bool = False
    ignore_value: bool = False
    ignore_lease: bool = False


class Delete(Struct, frozen=True, gc=False, kw_only=True):
    """Delete the keys in [key, end)."""

    key: bytes
    end: bytes = NO_END
    prev_kv: bool = False


class CompareTarget(Enum):
    """What a compare looks at."""

    VERSION = 0
    CREATE = 1
    MOD = 2
    VALUE = 3
    LEASE = 4


class CompareResult(Enum):
    """How it compares."""

    EQUAL = 0
    GREATER = 1
    LESS = 2
    NOT_EQUAL = 3


class Compare(Struct, frozen=True, gc=False, kw_only=True):
    """`target of key <result> operand`; over a range it must hold for every key in it."""

    key: bytes
    end: bytes = NO_END
    target: CompareTarget
    result: CompareResult = CompareResult.EQUAL
    operand: int | bytes


class Txn(Struct, frozen=True, gc=False, kw_only=True):
    """If all compares hold do `success`, else `failure`; one revision for all its writes."""

    compares: tuple[Compare, ...] = ()
    success: tuple["Op", ...] = ()
    failure: tuple["Op", ...] = ()


Op = Range | Put | Delete | Txn


class RangeResult(Struct, frozen=True, gc=False):
    """What a range found; `count` ignores the limit."""

    kvs: tuple[KeyValue, ...]
    count: int
    more: bool
    revision: int


class PutResult(Struct, frozen=True, gc=False):
    """The revision of the store after the put, and the value before it if asked for."""

    revision: int
    prev_kv: KeyValue | None = None


class DeleteResult(Struct, frozen=True, gc=False):
    """How many keys went, and what they were if asked for."""

    revision: int
    deleted: int
    prev_kvs: tuple[KeyValue, ...] = ()


class TxnResult(Struct, frozen=True, gc=False):
    """Which branch ran, and the result of each of its operations."""

    revision: int
    succeeded: bool
    results: tuple["OpResult", ...] = ()


OpResult = RangeResult | PutResult | DeleteResult | TxnResult


class EventKind(Enum):
    """What happened to a key."""

    PUT = 0
    DELETE = 1


class Event(Struct, frozen=True, gc=False):
    """A change. For a delete `kv` has only the key and the revision."""

    kind: EventKind
    kv: KeyValue
    prev_kv: KeyValue | None = None


class WatchBatch(Struct, frozen=True, gc=False):
    """Events of one or more whole revisions; `revision` is the store's when it was made.

    A batch without events reports progress: everything up to `revision` has been delivered.
    """

    revision: int
    events: tuple[Event, ...] = ()


class WatchRequest(Struct, frozen=True, gc=False, kw_only=True):
    """Follow [key, end) from `start_revision` on (0: from now)."""

    key: bytes
    end: bytes = NO_END
    start_revision: int = 0
    prev_kv: bool = False
    no_put: bool = False
    no_delete: bool = False


class Watcher(Protocol):
    """An open watch: iterate for batches; `progress` asks for an empty batch; `close` ends it.

    Iteration raises `Compacted` or `Overrun` when the watcher was cut, and ends after `close`.
    """

    def __aiter__(self) -> AsyncIterator[WatchBatch]: ...

    async def __anext__(self) -> WatchBatch: ...

    def progress(self) -> None:
        """Ask for an empty batch as soon as the watcher has caught up."""
        ...

    def close(self) -> None:
        """End the watch; safe to call twice."""
        ...


Sink = Callable[[WatchBatch], bool]
"""Takes a batch; False: no more for now, they wait until somebody iterates."""


@runtime_checkable
class PromptWatcher(Watcher, Protocol):
    """A watcher that needs no task to be awake for each batch."""

    def tell(self, sink: Sink) -> None:
        """Give `sink` what comes while the one who iterates sleeps and nothing waits.

        Once it has said no, batches are for the iteration again, until the next `tell`.
        """
        ...


@dataclass(frozen=True, slots=True)
class Lease:
    """A lease: `ttl_s` as granted, `remaining_s` now, and the keys that go with it."""

    id: int
    ttl_s: int
    remaining_s: float
    keys: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Status:
    """Facts for health and metrics."""

    revision: int
    compact_revision: int
    size_bytes: int
    size_in_use_bytes: int
    keys: int
    ephemeral_prefixes: tuple[bytes, ...] = field(default=())


class Store(Protocol):
    """Etcd v3's model. `put` and `delete` are one-operation transactions (`store.ops`)."""

    @property
    def shared(self) -> bool:
        """Whether other processes may write to it, too."""
        ...

    async def range(self, request: Range) -> RangeResult:
        """Read keys.

        Raises:
            Compacted: the revision is gone.
            FutureRevision: it has not happened.
        """
        ...

    async def head(self) -> int:
        """The newest revision, writes of other processes included; watchers here are as far.

        Raises:
            Unavailable: the database behind the store does not answer.
        """
        ...

    async def txn(self, request: Txn, author: str = "") -> TxnResult:
        """Run a transaction; returns when it is durable. `author` is kept with the revision."""
        ...

    def watch(self, request: WatchRequest) -> Watcher:
        """Open a watch; events come from the commit, without polling."""
        ...

    async def compact(self, revision: int) -> None:
        """Forget history before `revision`; returns at once, the space comes back in steps."""
        ...

    async def lease_grant(self, ttl_s: int, lease_id: int = 0) -> Lease:
        """Make a lease; id 0 lets the store choose."""
        ...

    async def lease_keep_alive(self, lease_id: int) -> Lease:
        """Set the deadline to now + ttl."""
        ...

    async def lease_revoke(self, lease_id: int) -> None:
        """Delete the lease and its keys."""
        ...

    async def lease_info(self, lease_id: int) -> Lease:
        """Read a lease with its keys."""
        ...

    async def lease_list(self) -> Sequence[int]:
        """Ids of all leases."""
        ...

    async def status(self) -> Status:
        """Facts for health and metrics."""
        ...

    async def close(self) -> None:
        """Finish what was accepted, then free everything."""
        ...


@runtime_checkable
class PromptStore(Protocol):
    """What a store in this process can do beside: answer without a task and a future."""

    def range_now(self, request: Range) -> RangeResult:
        """`Store.range`, which never has to wait."""
        ...

    def txn_soon(
        self, request: Txn, author: str, done: Callable[[TxnResult | StoreError], None]
    ) -> None:
        """`Store.txn`; `done` is told when it is durable, or not to be.

        Raises:
            StoreError: it was refused at once; `done` will not be called.
        """
        ...


def prefix_end(prefix: bytes) -> bytes:
    """Range end that covers every key starting with `prefix`."""
    trimmed = prefix.rstrip(b"\xff")
    return trimmed[:-1] + bytes([trimmed[-1] + 1]) if trimmed else FROM_KEY
