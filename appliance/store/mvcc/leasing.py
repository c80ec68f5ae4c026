"""Leases as a book of absolute deadlines and the keys that go with them.

Pure: `now` is an argument (seconds on a clock that never goes back). The stores own one book
each; `store.expiry` asks it what is due. Bounded by the leases that clients grant.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from appliance.store.base import Event, EventKind, Lease
from appliance.store.errors import LeaseExists, LeaseNotFound, LeaseTtlTooLarge

MAX_TTL_S = 9_000_000_000
"""etcd's limit."""


@dataclass(slots=True)
class LeaseEntry:
    """A lease in the book."""

    id: int
    ttl_s: int
    deadline: float
    keys: set[bytes] = field(default_factory=set)

    def seen(self, now: float) -> Lease:
        """The lease as clients see it."""
        return Lease(self.id, self.ttl_s, max(0.0, self.deadline - now), tuple(sorted(self.keys)))


class LeaseBook:
    """All leases of a store."""

    def __init__(self, min_ttl_s: int, chance: Callable[[], int] | None = None) -> None:
        self._min_ttl_s = min_ttl_s
        self._chance = chance or _random_id
        self._entries: dict[int, LeaseEntry] = {}

    def grant(self, ttl_s: int, lease_id: int, now: float) -> LeaseEntry:
        """Add a lease; id 0 lets the book choose.

        Raises:
            LeaseExists, LeaseTtlTooLarge: it cannot be granted.
        """
        if ttl_s > MAX_TTL_S:
            raise LeaseTtlTooLarge
        if lease_id in self._entries:
            raise LeaseExists
        while not lease_id or lease_id in self._entries:
            lease_id = self._chance()
        ttl_s = max(ttl_s, self._min_ttl_s)
        return self.restore(LeaseEntry(lease_id, ttl_s, now + ttl_s))

    def restore(self, entry: LeaseEntry) -> LeaseEntry:
        """Put a known lease into the book."""
        self._entries[entry.id] = entry
        return entry

    def get(self, lease_id: int) -> LeaseEntry:
        """One lease.

        Raises:
            LeaseNotFound: there is none.
        """
        try:
            return self._entries[lease_id]
        except KeyError:
            raise LeaseNotFound from None

    def drop(self, lease_id: int) -> None:
        """Take a lease out."""
        self._entries.pop(lease_id, None)

    def __contains__(self, lease_id: object) -> bool:
        return lease_id in self._entries

    def ids(self) -> list[int]:
        """All ids, by deadline."""
        return [e.id for e in sorted(self._entries.values(), key=lambda e: e.deadline)]

    def due(self, now: float) -> list[int]:
        """Leases whose deadline has come, oldest first."""
        return [lease_id for lease_id in self.ids() if self._entries[lease_id].deadline <= now]

    def next_deadline(self) -> float | None:
        """When the next lease is due."""
        return min((e.deadline for e in self._entries.values()), default=None)

    def follow(self, change: Event) -> None:
        """Keep the keys of leases in line with a change."""
        if change.prev_kv is not None:
            self._detach(change.prev_kv.lease, change.kv.key)
        if change.kind is EventKind.PUT:
            self.attach(change.kv.lease, change.kv.key)

    def unfollow(self, change: Event) -> None:
        """Undo `follow`."""
        self._detach(change.kv.lease, change.kv.key)
        if change.prev_kv is not None:
            self.attach(change.prev_kv.lease, change.kv.key)

    def attach(self, lease_id: int, key: bytes) -> None:
        """The key goes with the lease."""
        if lease_id in self._entries:
            self._entries[lease_id].keys.add(key)

    def _detach(self, lease_id: int, key: bytes) -> None:
        if lease_id in self._entries:
            self._entries[lease_id].keys.discard(key)


def _random_id() -> int:
    return random.SystemRandom().getrandbits(62) + 1
