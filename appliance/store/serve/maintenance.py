"""The Maintenance service, and grpc.health.v1.

Source: etcd server/etcdserver/api/v3rpc/maintenance.go, health.go.
"""

from appliance.kit.clock import Clock
from appliance.store.base import Store
from appliance.store.serve.calls import Caller, Methods, Stream, Streaming, Unary
from appliance.store.serve.hashing import Hashed, HistoryRows, hash_kv
from appliance.store.serve.identity import CLUSTER_VERSION, VERSION, Identity, current_revision
from appliance.store.serve.messages import maintenance as pb
from appliance.store.serve.messages.kv import ResponseHeader
from appliance.store.serve.quota import Quota
from appliance.store.serve.snapshot import send_snapshot
from appliance.store.serve.status import Refused, Status
from appliance.store.serve.wire import Message

_GET, _ACTIVATE, _DEACTIVATE = 0, 1, 2
_SERVING = 1
_SERVICES = frozenset({"", "etcdserverpb.KV", "etcdserverpb.Watch", "etcdserverpb.Lease"})


class MaintenanceService:
    """State and care of the member."""

    def __init__(self, store: Store, identity: Identity, quota: Quota, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._identity = identity
        self._quota = quota
        self._alarms = quota.alarms

    def methods(self) -> Methods:
        """The service's table."""
        prefix = "/etcdserverpb.Maintenance/"
        health = "/grpc.health.v1.Health/"
        return {
            prefix + "Status": Unary(pb.StatusRequest, self.status),
            prefix + "Alarm": Unary(pb.AlarmRequest, self.alarm),
            prefix + "Defragment": Unary(pb.DefragmentRequest, self.defragment),
            prefix + "Hash": Unary(pb.HashRequest, self.hash),
            prefix + "HashKV": Unary(pb.HashKVRequest, self.hash_kv),
            prefix + "Snapshot": Streaming(pb.SnapshotRequest, self.snapshot),
            prefix + "MoveLeader": Unary(pb.MoveLeaderRequest, self.move_leader),
            health + "Check": Unary(pb.HealthCheckRequest, self.health),
            health + "Watch": Streaming(pb.HealthCheckRequest, self.watch_health),
        }

    async def status(self, request: pb.StatusRequest, caller: Caller) -> Message:
        """How the member is."""
        del request, caller
        status = await self._store.status()
        return pb.StatusResponse(
            header=self._identity.header(status.revision),
            version=VERSION,
            dbSize=status.size_bytes,
            leader=self._identity.member_id,
            raftIndex=status.revision,
            raftTerm=self._identity.raft_term,
            raftAppliedIndex=status.revision,
            errors=self._alarms.texts(),
            dbSizeInUse=status.size_in_use_bytes,
            storageVersion=CLUSTER_VERSION,
            dbSizeQuota=max(0, self._quota.limit_bytes),
        )

    async def alarm(self, request: pb.AlarmRequest, caller: Caller) -> Message:
        """Read, raise and lift alarms."""
        del caller
        if request.action == _GET:
            found = self._alarms.on(request.alarm)
        elif request.action == _ACTIVATE:
            found = await self._alarms.raise_(request.memberID, request.alarm)
        elif request.action == _DEACTIVATE:
            found = await self._alarms.lift(request.memberID, request.alarm)
        else:
            found = []
        alarms = [pb.AlarmMember(memberID=member, alarm=alarm) for member, alarm in found]
        return pb.AlarmResponse(header=await self._header(), alarms=alarms)

    async def defragment(self, request: pb.DefragmentRequest, caller: Caller) -> Message:
        """The store gives space back by itself after each compaction: there is nothing to do."""
        del request, caller
        await self._store.status()  # refuses when the store is closed or broken
        return pb.DefragmentResponse()

    async def hash(self, request: pb.HashRequest, caller: Caller) -> Message:
        """A hash of everything; like etcd's, of use only among stores of one make."""
        del request, caller
        hashed = await self._hashed(0)
        return pb.HashResponse(header=await self._header(), hash=hashed.hash)

    async def hash_kv(self, request: pb.HashKVRequest, caller: Caller) -> Message:
        """The hash of history up to a revision, equal to etcd's."""
        del caller
        hashed = await self._hashed(request.revision)
        return pb.HashKVResponse(
            header=await self._header(),
            hash=hashed.hash,
            compact_revision=hashed.compact_revision or -1,
            hash_revision=hashed.revision,
        )

    async def snapshot(self, stream: Stream) -> None:
        """All history as a file that etcd restores."""
        async for _ in stream:
            await send_snapshot(self._store, self._rows(), self._clock, stream)
            return

    async def _hashed(self, revision: int) -> Hashed:
        return await hash_kv(self._store, self._rows(), self._clock, revision)

    def _rows(self) -> HistoryRows:
        if not isinstance(self._store, HistoryRows):
            raise Refused(Status.UNIMPLEMENTED, "etcdserver: this store keeps no rows")
        return self._store

    async def move_leader(self, request: pb.MoveLeaderRequest, caller: Caller) -> Message:
        """Nobody else can lead."""
        del caller
        if request.targetID != self._identity.member_id:
            raise Refused(Status.FAILED_PRECONDITION, "etcdserver: bad leader transferee")
        return pb.MoveLeaderResponse()

    async def health(self, request: pb.HealthCheckRequest, caller: Caller) -> Message:
        """Whether a service is there and well."""
        del caller
        if request.service not in _SERVICES:
            raise Refused(Status.NOT_FOUND, "unknown service")
        await self._store.status()
        return pb.HealthCheckResponse(status=_SERVING)

    async def watch_health(self, stream: Stream) -> None:
        """Say once that we serve; when we don't any more the stream ends."""
        async for request in stream:
            known = request.service in _SERVICES
            await stream.send(pb.HealthCheckResponse(status=_SERVING if known else 3))

    async def _header(self) -> ResponseHeader:
        return self._identity.header(await current_revision(self._store))
