"""The Lease service.

Source: etcd server/etcdserver/api/v3rpc/lease.go.
"""

from appliance.store.base import Store
from appliance.store.errors import LeaseNotFound
from appliance.store.serve.calls import Caller, Methods, Stream, Streaming, Unary
from appliance.store.serve.identity import Identity, current_revision
from appliance.store.serve.messages import lease as pb
from appliance.store.serve.messages.kv import ResponseHeader
from appliance.store.serve.quota import LEASE_COST, Quota
from appliance.store.serve.wire import Message


class LeaseService:
    """Leases."""

    def __init__(self, store: Store, identity: Identity, quota: Quota) -> None:
        self._store = store
        self._identity = identity
        self._quota = quota

    def methods(self) -> Methods:
        """The service's table."""
        prefix = "/etcdserverpb.Lease/"
        return {
            prefix + "LeaseGrant": Unary(pb.LeaseGrantRequest, self.grant),
            prefix + "LeaseRevoke": Unary(pb.LeaseRevokeRequest, self.revoke),
            prefix + "LeaseKeepAlive": Streaming(pb.LeaseKeepAliveRequest, self.keep_alive),
            prefix + "LeaseTimeToLive": Unary(pb.LeaseTimeToLiveRequest, self.time_to_live),
            prefix + "LeaseLeases": Unary(pb.LeaseLeasesRequest, self.leases),
        }

    async def grant(self, request: pb.LeaseGrantRequest, caller: Caller) -> Message:
        """Make a lease."""
        del caller
        await self._quota.admit(LEASE_COST)
        lease = await self._store.lease_grant(request.TTL, request.ID)
        return pb.LeaseGrantResponse(header=await self._header(), ID=lease.id, TTL=lease.ttl_s)

    async def revoke(self, request: pb.LeaseRevokeRequest, caller: Caller) -> Message:
        """Delete a lease and its keys."""
        del caller
        self._quota.alarms.check_writable()
        await self._store.lease_revoke(request.ID)
        return pb.LeaseRevokeResponse(header=await self._header())

    async def keep_alive(self, stream: Stream) -> None:
        """Renew leases, one answer a request; an unknown lease is no error but has no time."""
        async for request in stream:
            header = await self._header()
            try:
                ttl_s = (await self._store.lease_keep_alive(request.ID)).ttl_s
            except LeaseNotFound:
                ttl_s = 0
            await stream.send(pb.LeaseKeepAliveResponse(header=header, ID=request.ID, TTL=ttl_s))

    async def time_to_live(self, request: pb.LeaseTimeToLiveRequest, caller: Caller) -> Message:
        """What is left of a lease."""
        del caller
        answer = pb.LeaseTimeToLiveResponse(header=await self._header(), ID=request.ID, TTL=-1)
        try:
            lease = await self._store.lease_info(request.ID)
        except LeaseNotFound:
            return answer
        answer.TTL, answer.grantedTTL = int(lease.remaining_s), lease.ttl_s
        answer.keys = list(lease.keys) if request.keys else []
        return answer

    async def leases(self, request: pb.LeaseLeasesRequest, caller: Caller) -> Message:
        """All leases."""
        del request, caller
        found = [pb.LeaseStatus(ID=lease_id) for lease_id in await self._store.lease_list()]
        return pb.LeaseLeasesResponse(header=await self._header(), leases=found)

    async def _header(self) -> ResponseHeader:
        return self._identity.header(await current_revision(self._store))
