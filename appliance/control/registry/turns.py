"""One at a time, among the requests of this master and, over a shared store, of all masters.

A turn is a key with a lease: a master that ends in the middle gives it up after `_TTL_S`. Taken
for writes that are rare (Services get addresses), so two more commits do not matter.
"""

import asyncio
from types import TracebackType

import structlog

from appliance.api import errors
from appliance.store import errors as store_errors
from appliance.store.base import Compare, CompareTarget, EventKind, Put, Store, Txn, WatchRequest

log = structlog.get_logger(__name__)

_PREFIX = b"/appliance/turns/"
_TTL_S = 10
_WAIT_S = 20.0  # longer than a turn that nobody gives back


class Turn:
    """Enter it to have the turn; entering waits."""

    def __init__(self, store: Store, name: str) -> None:
        self._store = store
        self._key = _PREFIX + name.encode()
        self._here = asyncio.Lock()
        self._lease_id = 0

    async def __aenter__(self) -> None:
        await self._here.acquire()
        try:
            if self._store.shared:
                async with asyncio.timeout(_WAIT_S):
                    await self._take()
        except TimeoutError:
            self._here.release()
            raise errors.ServiceUnavailable("another server holds the turn; try again") from None
        except store_errors.StoreError as error:
            self._here.release()
            raise errors.ServiceUnavailable(str(error)) from error
        except BaseException:
            self._here.release()
            raise

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        lease_id, self._lease_id = self._lease_id, 0
        try:
            if lease_id:
                await self._store.lease_revoke(lease_id)
        except store_errors.StoreError as refusal:
            log.warning("turn not given back; it ends by itself", why=str(refusal))
        finally:
            self._here.release()

    async def _take(self) -> None:
        free = Compare(key=self._key, target=CompareTarget.MOD, operand=0)
        while True:
            lease = await self._store.lease_grant(_TTL_S)
            put = Put(key=self._key, lease=lease.id)
            done = await self._store.txn(Txn(compares=(free,), success=(put,)))
            if done.succeeded:
                self._lease_id = lease.id
                return
            await self._store.lease_revoke(lease.id)
            await self._given_back(done.revision)

    async def _given_back(self, revision: int) -> None:
        watcher = self._store.watch(WatchRequest(key=self._key, start_revision=revision + 1))
        try:
            async for batch in watcher:
                if any(event.kind is EventKind.DELETE for event in batch.events):
                    return
        finally:
            watcher.close()
