"""One leader among several masters, by a Lease.

A `Controller` of one key, the Lease: run it in a `Runner`, and run what only the leader may do
while `leading` says so (`while_leading`). Renewal and take-over are deadlines, not polls: others
hear of changes by watching. Clocks of the masters need not agree: each measures from when it saw
the Lease change.

A leader that can't renew stops leading LEASE_S - MARGIN_S after its last success, before anybody
else may begin. Source: client-go `tools/leaderelection`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog

from appliance.api.errors import AlreadyExists, ApiError, Conflict
from appliance.api.kinds.coordination.lease import LEASE, Lease, LeaseSpec
from appliance.api.meta import ObjectMeta
from appliance.client.base import Client, Where, clone
from appliance.client.cache import key_of
from appliance.client.controller import Result, Watch
from appliance.client.informer import Informers
from appliance.kit.clock import Clock, rfc3339_micro
from appliance.kit.tasks import Tasks

log = structlog.get_logger(__name__)

LEASE_S = 15
RENEW_S = 5.0
MARGIN_S = 5.0
"""Time for the leader's work to stop before the Lease may pass on."""


class Election:
    """Takes, keeps and loses leadership."""

    def __init__(
        self,
        client: Client,
        informers: Informers,
        *,
        lease: str,
        identity: str,
        clock: Clock,
    ) -> None:
        self.name = f"election {lease}"
        self._client = client
        self._clock = clock
        self._identity = identity
        self._namespace, _, self._lease = lease.rpartition("/")
        where = Where(namespace=self._namespace, fields=f"metadata.name={self._lease}")
        self._leases = informers.of(LEASE, where)
        self._leading = asyncio.Event()
        self._lost = asyncio.Event()
        self._seen = ("", 0.0)
        self._renewed_at = 0.0

    @property
    def leading(self) -> bool:
        """Whether we lead now."""
        return self._leading.is_set()

    def watches(self) -> Sequence[Watch]:
        """The Lease alone; `poke` its key once, for it may not exist yet."""
        return [Watch(self._leases, lambda lease: [key_of(lease)])]

    @property
    def key(self) -> str:
        """The key to poke at the start."""
        return f"{self._namespace}/{self._lease}"

    async def reconcile(self, key: str) -> Result:
        """Take the Lease if it is free or ours, else come back when it would run out."""
        lease = self._leases.cache.get(key)
        now = self._clock.monotonic()
        if self.leading and now - self._renewed_at >= LEASE_S - MARGIN_S:
            self._give_up()
        if lease is not None and lease.spec.holderIdentity not in (self._identity, "", None):
            self._give_up()
            left = self._runs_out_in(lease, now)
            if left > 0:
                return Result(again_in_s=left)
        elif self.leading and now - self._renewed_at < RENEW_S:
            return Result(again_in_s=RENEW_S - (now - self._renewed_at))
        if not await self._take_in_time(lease, now):
            return Result(again_in_s=float(LEASE_S))  # somebody was faster: their news wakes us
        self._renewed_at = now
        self._lost.clear()
        self._leading.set()
        return Result(again_in_s=RENEW_S)

    async def while_leading(self, work: Callable[[], Awaitable[None]]) -> None:
        """Run `work` whenever we lead, cancel it when we do not; runs until cancelled."""
        while True:
            await self._leading.wait()
            async with Tasks(self.name, self._clock) as tasks:
                _ = tasks.forever("leader", work)
                await self._lost.wait()

    async def resign(self) -> None:
        """Let another lead at once; called when what only the leader does has ended."""
        if not self.leading:
            return
        self._give_up()
        try:
            lease = clone(await self._client.get(LEASE, self._lease, self._namespace))
            if lease.spec.holderIdentity == self._identity:
                lease.spec.holderIdentity = ""
                await self._client.update(LEASE, lease)
        except ApiError as error:
            log.info("could not resign; the lease runs out", lease=self._lease, why=str(error))

    def _give_up(self) -> None:
        if self.leading:
            self._leading.clear()
            self._lost.set()

    def _runs_out_in(self, lease: Lease, now: float) -> float:
        sign = lease.metadata.resourceVersion
        if self._seen[0] != sign:
            self._seen = (sign, now)
        return self._seen[1] + (lease.spec.leaseDurationSeconds or LEASE_S) - now

    async def _take_in_time(self, lease: Lease | None, now: float) -> bool:
        """Take the Lease; a leader that gets no answer stops before anybody else may begin."""
        limit_s = self._renewed_at + LEASE_S - MARGIN_S - now if self.leading else None
        try:
            async with asyncio.timeout(limit_s):
                return await self._take(lease)
        except TimeoutError:
            self._give_up()
            raise

    async def _take(self, lease: Lease | None) -> bool:
        moment = rfc3339_micro(self._clock.wall())
        try:
            if lease is None:
                await self._client.create(LEASE, self._fresh(moment), namespace=self._namespace)
            else:
                await self._client.update(LEASE, self._renewed(lease, moment))
        except (AlreadyExists, Conflict):
            return False
        return True

    def _fresh(self, moment: str) -> Lease:
        return Lease(
            metadata=ObjectMeta(name=self._lease, namespace=self._namespace),
            spec=LeaseSpec(
                holderIdentity=self._identity,
                leaseDurationSeconds=LEASE_S,
                acquireTime=moment,
                renewTime=moment,
                leaseTransitions=0,
            ),
        )

    def _renewed(self, lease: Lease, moment: str) -> Lease:
        new = clone(lease)
        if new.spec.holderIdentity != self._identity:
            new.spec.holderIdentity = self._identity
            new.spec.acquireTime = moment
            new.spec.leaseTransitions = (new.spec.leaseTransitions or 0) + 1
        new.spec.renewTime = moment
        new.spec.leaseDurationSeconds = LEASE_S
        return new
