"""The quota: how large the store may become before NOSPACE goes up (`--quota-backend-bytes`).

What counts is the part of the file that is in use, so compaction makes room at once; the alarm
stays until somebody lifts it, as in etcd. Measuring costs a few reads of the file: it is done
when what was added since the last time, by etcd's generous estimate, could fill the quota.

Source: etcd server/storage/quota.go, server/etcdserver/api/v3rpc/quota.go.
"""

import structlog

from appliance.store.base import Op, Put, Range, Store, Txn
from appliance.store.errors import NoSpace
from appliance.store.serve.alarms import NOSPACE, Alarms

log = structlog.get_logger(__name__)

DEFAULT_BYTES = 2 << 30
LEASE_COST = 64
_KEY_COST = 256


class Quota:
    """What may still be added."""

    def __init__(self, store: Store, alarms: Alarms, member_id: int, limit_bytes: int = 0) -> None:
        self.alarms = alarms
        self._store = store
        self._member_id = member_id
        self.limit_bytes = limit_bytes or DEFAULT_BYTES
        """Below 0: no quota."""
        self._estimate: int | None = None

    def fits(self, cost: int) -> bool:
        """Let in what adds about `cost` bytes; False: it takes a look at the store (`admit`).

        Raises:
            NoSpace, Refused: an alarm is on.
        """
        self.alarms.check_growable()
        if self.limit_bytes < 0:
            return True
        if self._estimate is None or self._estimate + cost >= self.limit_bytes:
            return False
        self._estimate += cost
        return True

    async def admit(self, cost: int) -> None:
        """Let in what adds about `cost` bytes.

        Raises:
            NoSpace, Refused: it does not fit, or an alarm is on.
        """
        if not self.fits(cost):
            size_bytes = (await self._store.status()).size_in_use_bytes
            if size_bytes + cost >= self.limit_bytes:
                await self._raise(size_bytes)
            self._estimate = size_bytes + cost

    async def _raise(self, size_bytes: int) -> None:
        await self.alarms.raise_(self._member_id, NOSPACE)
        log.warning(
            "the quota is used up: what adds data is refused",
            size_bytes=size_bytes,
            quota_bytes=self.limit_bytes,
            remedy="compact or delete, then `etcdctl alarm disarm`; or a larger"
            " --quota-backend-bytes",
        )
        raise NoSpace


def cost_of(op: Op) -> int:
    """About how many bytes an operation adds; 0: it adds nothing."""
    match op:
        case Put():
            return _KEY_COST + len(op.key) + len(op.value)
        case Txn():
            return max(sum(map(cost_of, op.success)), sum(map(cost_of, op.failure)))
        case _:
            return 0


def writes(op: Op) -> bool:
    """Whether an operation may change something."""
    if isinstance(op, Txn):
        return any(map(writes, (*op.success, *op.failure)))
    return not isinstance(op, Range)
