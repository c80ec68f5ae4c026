"""EtcdStore: the `Store` protocol on a cluster of etcd.

Reads and writes are etcd's own calls, so they are linearizable among all masters. Watches are
served here, from one watch of everything (`feed.py`). What etcd does not have, this store does
not have either: authors of revisions, and keys that are never written to disk (`ephemeral_prefixes`
is ignored; docs/adr/0019). History is compacted by every master, the first one wins.

Opened by `assembly`. When no member answers, calls fail with `Unavailable`, watches wait.
"""

import asyncio
from collections.abc import Sequence

import structlog

from appliance.kit.clock import Clock
from appliance.kit.tasks import Tasks
from appliance.store.base import (
    FROM_KEY,
    Lease,
    Range,
    RangeResult,
    Status,
    Txn,
    TxnResult,
    Watcher,
    WatchRequest,
)
from appliance.store.errors import Closed, EmptyKey, LeaseNotFound, StoreError, Unavailable
from appliance.store.hub import Hub
from appliance.store.options import StoreOptions
from appliance.store.remote import convert
from appliance.store.remote.endpoints import Endpoints, EtcdAddress
from appliance.store.remote.feed import Feed
from appliance.store.remote.rpc import Rpc
from appliance.store.retention import Retention
from appliance.store.serve.messages import kv, lease, maintenance
from appliance.store.sharedread import SharedRead

log = structlog.get_logger(__name__)

_KEPT_REVISIONS = 10_000


class EtcdStore:
    """A `Store` on etcd."""

    shared = True

    @classmethod
    async def open(cls, address: EtcdAddress, options: StoreOptions, clock: Clock) -> "EtcdStore":
        """Connect, and follow until here.

        Raises:
            Unavailable: no member answers; the text says why.
        """
        store = cls(address, options, clock)
        try:
            await store._start()
        except BaseException:
            await store.close()
            raise
        return store

    def __init__(self, address: EtcdAddress, options: StoreOptions, clock: Clock) -> None:
        self._endpoints = Endpoints(address)
        self._rpc = Rpc(self._endpoints, clock, options.answer_within_s)
        self._tasks = Tasks("etcd-store", clock)
        self._feed = Feed(self._rpc, clock, kept_revisions=_KEPT_REVISIONS)
        self._hub = Hub(self._feed, options)
        self._behind_s = options.answer_within_s
        self._feed.publish = self._hub.publish
        self._feed.cut = self._hub.cut
        self._head = SharedRead(self._read_head, self._tasks)
        self._retention = Retention(self.compact, options, clock, self._tasks)
        self._admit = options.admit
        self._closed = False

    async def _start(self) -> None:
        head = await self._read_head()
        self._feed.begin(head)
        _ = self._tasks.spawn("feed", self._feed.run(self._read_head))
        await self._caught_up(head)
        if head > 1:
            self._retention.wrote(head)

    async def range(self, request: Range) -> RangeResult:
        """Read keys."""
        self._check_open()
        if not request.key:
            raise EmptyKey
        message = convert.range_request(request)
        answer = await self._rpc.read("/etcdserverpb.KV/Range", message, kv.RangeResponse)
        return convert.range_result(answer)

    async def head(self) -> int:
        """The newest revision of the cluster; watchers here are at least as far."""
        self._check_open()
        revision = await self._head.ask()
        await self._caught_up(revision)
        return revision

    async def txn(self, request: Txn, author: str = "") -> TxnResult:
        """Run a transaction; returns when a majority has it on disk and watchers here know."""
        del author  # etcd keeps none
        self._check_open()
        if self._admit is not None:
            self._admit(request)
        message = convert.txn_request(request)
        answer = await self._rpc.write("/etcdserverpb.KV/Txn", message, kv.TxnResponse)
        result = convert.txn_result(answer)
        await self._written(result.revision)
        return result

    def watch(self, request: WatchRequest) -> Watcher:
        """Open a watch; its start may lie some thousand revisions in the past."""
        self._check_open()
        return self._hub.watch(request)

    async def compact(self, revision: int) -> None:
        """Forget history before `revision`."""
        self._check_open()
        request = kv.CompactionRequest(revision=revision)
        await self._rpc.write("/etcdserverpb.KV/Compact", request, kv.CompactionResponse)
        self._feed.compacted(revision)

    async def lease_grant(self, ttl_s: int, lease_id: int = 0) -> Lease:
        """Make a lease."""
        self._check_open()
        request = lease.LeaseGrantRequest(TTL=ttl_s, ID=lease_id)
        path = "/etcdserverpb.Lease/LeaseGrant"
        answer = await self._rpc.write(path, request, lease.LeaseGrantResponse)
        return Lease(answer.ID, answer.TTL, float(answer.TTL))

    async def lease_keep_alive(self, lease_id: int) -> Lease:
        """Begin its time anew; a stream of one request."""
        self._check_open()
        request = lease.LeaseKeepAliveRequest(ID=lease_id)
        path = "/etcdserverpb.Lease/LeaseKeepAlive"
        answer = await self._rpc.read(path, request, lease.LeaseKeepAliveResponse)
        if answer.TTL <= 0:
            raise LeaseNotFound
        return Lease(lease_id, answer.TTL, float(answer.TTL))

    async def lease_revoke(self, lease_id: int) -> None:
        """Delete the lease and its keys."""
        self._check_open()
        request = lease.LeaseRevokeRequest(ID=lease_id)
        path = "/etcdserverpb.Lease/LeaseRevoke"
        answer = await self._rpc.write(path, request, lease.LeaseRevokeResponse)
        await self._written(convert.revision_of(answer.header))

    async def lease_info(self, lease_id: int) -> Lease:
        """Read a lease with its keys; what is left of it is in whole seconds."""
        self._check_open()
        request = lease.LeaseTimeToLiveRequest(ID=lease_id, keys=True)
        path = "/etcdserverpb.Lease/LeaseTimeToLive"
        answer = await self._rpc.read(path, request, lease.LeaseTimeToLiveResponse)
        if answer.TTL < 0:
            raise LeaseNotFound
        keys = tuple(sorted(answer.keys))
        return Lease(lease_id, answer.grantedTTL, float(answer.TTL), keys)

    async def lease_list(self) -> Sequence[int]:
        """Ids of all leases, by deadline."""
        self._check_open()
        path = "/etcdserverpb.Lease/LeaseLeases"
        answer = await self._rpc.read(path, lease.LeaseLeasesRequest(), lease.LeaseLeasesResponse)
        return [found.ID for found in answer.leases]

    async def status(self) -> Status:
        """Facts for health and metrics; `compact_revision` is the greatest that we know of."""
        self._check_open()
        path = "/etcdserverpb.Maintenance/Status"
        member = await self._rpc.read(path, maintenance.StatusRequest(), maintenance.StatusResponse)
        everything = await self.range(Range(key=FROM_KEY, end=FROM_KEY, count_only=True))
        await self._caught_up(everything.revision)
        return Status(
            revision=everything.revision,
            compact_revision=max(0, self._feed.compact_revision),
            size_bytes=member.dbSize,
            size_in_use_bytes=member.dbSizeInUse,
            keys=everything.count,
        )

    async def close(self) -> None:
        """End all watches; later calls are refused."""
        if self._closed:
            return
        self._closed = True
        await self._tasks.close()
        self._hub.close()
        self._endpoints.close()

    async def cluster_id(self) -> int:
        """Whose store this is: members of one cluster have the same."""
        self._check_open()
        request = kv.RangeRequest(key=FROM_KEY, count_only=True)
        answer = await self._rpc.read("/etcdserverpb.KV/Range", request, kv.RangeResponse)
        return answer.header.cluster_id if answer.header else 0

    async def _read_head(self) -> int:
        request = kv.RangeRequest(key=FROM_KEY, count_only=True)
        answer = await self._rpc.read("/etcdserverpb.KV/Range", request, kv.RangeResponse)
        return convert.revision_of(answer.header)

    async def _caught_up(self, revision: int) -> None:
        """Wait until watchers here have everything up to `revision`."""
        try:
            async with asyncio.timeout(self._behind_s):
                await self._feed.reach(revision)
        except TimeoutError:
            raise Unavailable(f"etcd's watch is behind at {self._feed.revision}") from None

    async def _written(self, revision: int) -> None:
        """Something has been written: let watchers here see it before its writer goes on."""
        self._retention.wrote(revision)
        try:
            await self._caught_up(revision)
        except StoreError as error:
            # It is written: to say otherwise because a watch is late would be worse.
            log.warning("watchers are late", revision=revision, why=str(error))

    def _check_open(self) -> None:
        if self._closed:
            raise Closed
