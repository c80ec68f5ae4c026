"""The store in a caller's name: every operation is checked before it is done.

Locks and elections act on keys for whoever calls them; they get the store through this.
Only what they use is here.
"""

from appliance.store.base import (
    Lease,
    Range,
    RangeResult,
    Store,
    Txn,
    TxnResult,
    Watcher,
    WatchRequest,
)
from appliance.store.serve.auth.guard import Guard
from appliance.store.serve.auth.permissions import Access
from appliance.store.serve.calls import Caller
from appliance.store.serve.quota import LEASE_COST, Quota, cost_of


class CallerStore:
    """Reads, writes and watches of one caller."""

    def __init__(self, store: Store, guard: Guard, quota: Quota, caller: Caller) -> None:
        self._store = store
        self._quota = quota
        self._guard = guard
        self._caller = caller

    async def range(self, request: Range) -> RangeResult:
        """Read keys."""
        await self._guard.check_op(self._guard.who(self._caller), request)
        return await self._store.range(request)

    async def txn(self, request: Txn, author: str = "") -> TxnResult:
        """Run a transaction."""
        await self._guard.check_op(self._guard.who(self._caller), request)
        if cost := cost_of(request):
            await self._quota.admit(cost)
        return await self._store.txn(request, author)

    def watch(self, request: WatchRequest) -> Watcher:
        """Open a watch."""
        who = self._guard.who(self._caller)
        self._guard.check(who, Access.READ, request.key, request.end)
        return self._store.watch(request)

    async def lease_grant(self, ttl_s: int, lease_id: int = 0) -> Lease:
        """Make a lease."""
        self._guard.check_known(self._guard.who(self._caller))
        await self._quota.admit(LEASE_COST)
        return await self._store.lease_grant(ttl_s, lease_id)
