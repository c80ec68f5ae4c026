"""What can be set on a store. Every bound has its unit and its reason here.

Made by `assembly`, read by `MemoryStore` and `SqlStore`. The defaults suit a small host.
"""

from collections.abc import Callable
from dataclasses import dataclass

from appliance.store.base import Txn


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreOptions:
    """Limits and choices of a store."""

    ephemeral_prefixes: tuple[bytes, ...] = ()
    """Keys under these get revisions and reach watchers, but are never written to disk."""

    max_txn_ops: int = 128
    """Operations in each list of a transaction; etcd's default."""

    max_request_bytes: int = 1_572_864
    """Keys and values of one transaction; etcd's default of 1.5 MiB."""

    admit: Callable[[Txn], None] | None = None
    """Asked before each transaction of a client; refuses by raising a `StoreError`."""

    watch_backlog_events: int = 4_096
    """Events kept for a watcher that is not reading; beyond it, it is fed from history."""

    watch_page_revisions: int = 1_000
    """Revisions looked at in one step of a replay; a step runs on the loop, so it is short."""

    value_cache_bytes: int = 128 << 20
    """Memory for current values; the rest is read from disk by position."""

    ephemeral_history: int = 8_192
    """Changes of ephemeral keys kept for past reads and replays."""

    reserve_revisions: int = 10_000
    """How far ahead the durable high-water mark runs when ephemeral writes use up revisions."""

    min_lease_ttl_s: int = 2
    """Shorter leases are raised to this, as etcd does with its default timings."""

    inline_commit_below_s: float = 0.002
    """A lone write commits on the loop while commits take less than this; saves a thread hop."""

    redo_bytes: int = 1 << 20
    """Size of the file that small writes go to first; 0: none, all go to the database at once."""

    keep_history_s: float = 300.0
    """Older history is compacted by the store itself; 0: only when a client asks for it."""

    keep_revisions: int = 0
    """Keep so many revisions instead, and look every five minutes, as etcd does; 0: by time."""

    retain_s: float = 0.0
    """How long compacted history stays in the file, for people; 0: not at all, as etcd."""

    retain_bytes: int = 64 << 20
    """How much of it may stay, the newest; what is older goes early."""

    caretaker: bool = True
    """Look after what compaction leaves; False for a short visit beside servers that do."""

    compact_step: int = 200
    """Keys looked at, or rows deleted, between two yields of a compaction."""

    reserve_bytes: int = 24 << 20
    """Disk kept free for deletes and compactions when all else is full; 0: none.

    More than the log can hold when its move into the file finds no room: see `checkpoint_bytes`."""

    slow_s: float = 0.1
    """Commits and reads that take longer are logged with the reason; etcd's threshold."""

    snapshot_every_s: float = 86_400.0
    """Age of the last good copy of the file at which a write has a new one made; 0: none."""

    checkpoint_bytes: int = 4 << 20
    """Bytes written before an idle moment is used to move the WAL into the database."""

    answer_within_s: float = 10.0
    """How long a database elsewhere may take to answer before a call fails."""
