"""Store leases for objects that go by themselves (Events, after an hour).

A lease per object would be a write per object, so one lease serves all objects of a minute, as
upstream's lease manager has it; an object lives up to a minute longer than asked. Owned by
`storage`; holds one lease id per time to live.
"""

from dataclasses import dataclass

from appliance.kit.clock import Clock
from appliance.store.base import Store

SHARED_FOR_S = 60.0
SHARED_BY = 1_000
"""Objects on one lease: they all go in one transaction, which should stay small."""


@dataclass(slots=True)
class _Open:
    id: int
    until: float
    objects: int = 0


class Leases:
    """Gives the lease to put an object on."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._open: dict[int, _Open] = {}

    async def lease_for(self, ttl_s: int) -> int:
        """A lease that runs out `ttl_s` from now or up to a minute later; 0 for 0."""
        if not ttl_s:
            return 0
        now = self._clock.monotonic()
        lease = self._open.get(ttl_s)
        if lease is None or now >= lease.until or lease.objects >= SHARED_BY:
            granted = await self._store.lease_grant(ttl_s + int(SHARED_FOR_S))
            lease = self._open[ttl_s] = _Open(granted.id, now + SHARED_FOR_S)
        lease.objects += 1
        return lease.id
