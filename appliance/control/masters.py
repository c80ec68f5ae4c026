"""Which masters there are, where several share a store: each has a key that goes with its lease.

    /appliance/masters/<identity>   {"address": "192.0.2.1", "port": 6443}

The service of the API leads to all of them: every master watches the keys and writes the same
endpoints, so it does not matter which of them does. One that has ended is gone after `_TTL_S`.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import structlog

from appliance.api.errors import Conflict, ServiceUnavailable
from appliance.client.base import Client
from appliance.control.bootstrap import advertise
from appliance.kit.backoff import Backoff
from appliance.kit.clock import Clock
from appliance.kit.tasks import Tasks
from appliance.store import ops
from appliance.store.base import Range, Store, WatchRequest, prefix_end
from appliance.store.errors import LeaseNotFound, StoreError

log = structlog.get_logger(__name__)

PREFIX = b"/appliance/masters/"
_TTL_S = 15
_RENEW_S = 5.0
_AGAIN = Backoff(base_s=0.2, maximum_s=5.0)


class MasterEntry(msgspec.Struct, frozen=True):
    """Where a master serves the API."""

    address: str
    port: int


class Masters:
    """This master among the others."""

    def __init__(
        self, store: Store, client: Client, *, identity: str, entry: MasterEntry, clock: Clock
    ) -> None:
        self._store = store
        self._client = client
        self._key = PREFIX + identity.encode()
        self._entry = entry
        self._clock = clock
        self._lease_id = 0

    @asynccontextmanager
    async def among_others(self, tasks: Tasks) -> AsyncIterator[None]:
        """Be known, and make all known, in `tasks`; at the end say goodbye."""
        _ = tasks.spawn("master key", self._stay())
        _ = tasks.forever("masters", self._follow, _AGAIN)
        try:
            yield
        finally:
            await self._leave()

    async def _leave(self) -> None:
        """So that nobody waits for the lease to run out."""
        lease_id, self._lease_id = self._lease_id, 0
        try:
            if lease_id:
                await self._store.lease_revoke(lease_id)
        except StoreError as error:
            log.info("could not say goodbye", why=str(error))

    async def _stay(self) -> None:
        failures = 0
        while True:
            try:
                await self._renew()
                failures = 0
            except LeaseNotFound:
                self._lease_id = 0  # we were away for too long
                failures = 1
            except StoreError as error:
                failures += 1
                log.warning("master key not renewed", why=str(error))
            await self._clock.sleep(_AGAIN.delay(failures) if failures else _RENEW_S)

    async def _renew(self) -> None:
        if self._lease_id:
            await self._store.lease_keep_alive(self._lease_id)
            return
        lease = await self._store.lease_grant(_TTL_S)
        await ops.put(self._store, self._key, msgspec.json.encode(self._entry), lease.id)
        self._lease_id = lease.id

    async def _follow(self) -> None:
        found = await self._store.range(Range(key=PREFIX, end=prefix_end(PREFIX)))
        watcher = self._store.watch(
            WatchRequest(key=PREFIX, end=prefix_end(PREFIX), start_revision=found.revision + 1)
        )
        try:
            await self._advertise()
            async for _ in watcher:
                await self._advertise()
        finally:
            watcher.close()

    async def _advertise(self) -> None:
        found = await self._store.range(Range(key=PREFIX, end=prefix_end(PREFIX)))
        entries = [msgspec.json.decode(kv.value, type=MasterEntry) for kv in found.kvs]
        masters = sorted({(entry.address, entry.port) for entry in entries})
        for failures in range(1, 6):
            try:
                await advertise(self._client, masters)
            except Conflict:
                await self._clock.sleep(_AGAIN.delay(failures))  # another master does the same
            else:
                log.info("masters", addresses=[f"{address}:{port}" for address, port in masters])
                return
        raise ServiceUnavailable("the API's endpoints changed too often")
