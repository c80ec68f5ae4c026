"""The Lock and Election services: locks and leaders for clients that have no library for them.

What goes wrong inside ends with Unknown and the plain text, as these two services do in etcd.

Source: etcd server/etcdserver/api/v3lock/lock.go, v3election/election.go.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from appliance.store.base import (
    Delete,
    EventKind,
    KeyValue,
    Put,
    Store,
    Txn,
    WatchRequest,
    prefix_end,
)
from appliance.store.errors import EmptyKey, StoreError
from appliance.store.serve import queues
from appliance.store.serve.auth.caller_store import CallerStore
from appliance.store.serve.auth.guard import Guard
from appliance.store.serve.auth.refusals import AuthRefused
from appliance.store.serve.calls import Caller, Methods, Stream, Streaming, Unary
from appliance.store.serve.convert import kv_message
from appliance.store.serve.identity import Identity, current_revision
from appliance.store.serve.messages import locks as pb
from appliance.store.serve.queues import Keys, Place
from appliance.store.serve.quota import Quota
from appliance.store.serve.status import Refused, Status
from appliance.store.serve.wire import Message

Handle = Callable[[Any, Caller], Awaitable[Message]]


class LockService:
    """Locks."""

    def __init__(self, store: Store, identity: Identity, guard: Guard, quota: Quota) -> None:
        self._store = store
        self._identity = identity
        self._guard = guard
        self._quota = quota

    def _for(self, caller: Caller) -> CallerStore:
        return CallerStore(self._store, self._guard, self._quota, caller)

    def methods(self) -> Methods:
        """The service's table."""
        return {
            "/v3lockpb.Lock/Lock": Unary(pb.LockRequest, _plainly(self.lock)),
            "/v3lockpb.Lock/Unlock": Unary(pb.UnlockRequest, _plainly(self.unlock)),
        }

    async def lock(self, request: pb.LockRequest, caller: Caller) -> Message:
        """Answer when the lock is held."""
        keys = self._for(caller)
        place = await queues.take_place(keys, request.name, request.lease)
        if not await queues.wait_for_turn(keys, request.name, place):
            raise Refused(Status.UNKNOWN, "mutex: session is expired")
        revision = await current_revision(self._store)
        return pb.LockResponse(header=self._identity.header(revision), key=place.key)

    async def unlock(self, request: pb.UnlockRequest, caller: Caller) -> Message:
        """Let go; a key that has gone is no error."""
        if not request.key:
            raise EmptyKey
        keys = self._for(caller)
        gone = await keys.txn(Txn(success=(Delete(key=request.key),)), caller.peer)
        return pb.UnlockResponse(header=self._identity.header(gone.revision))


class ElectionService:
    """Leaders."""

    def __init__(self, store: Store, identity: Identity, guard: Guard, quota: Quota) -> None:
        self._store = store
        self._identity = identity
        self._guard = guard
        self._quota = quota

    def _for(self, caller: Caller) -> CallerStore:
        return CallerStore(self._store, self._guard, self._quota, caller)

    def methods(self) -> Methods:
        """The service's table."""
        prefix = "/v3electionpb.Election/"
        return {
            prefix + "Campaign": Unary(pb.CampaignRequest, _plainly(self.campaign)),
            prefix + "Proclaim": Unary(pb.ProclaimRequest, _plainly(self.proclaim)),
            prefix + "Leader": Unary(pb.LeaderRequest, _plainly(self.leader)),
            prefix + "Resign": Unary(pb.ResignRequest, _plainly(self.resign)),
            prefix + "Observe": Streaming(pb.LeaderRequest, self.observe),
        }

    async def campaign(self, request: pb.CampaignRequest, caller: Caller) -> Message:
        """Answer when we lead."""
        name, keys = request.name, self._for(caller)
        place = await queues.take_place(keys, name, request.lease, request.value)
        if not await queues.wait_for_turn(keys, name, place):
            raise Refused(Status.UNKNOWN, "election: session is expired")
        leader = pb.LeaderKey(name=name, key=place.key, rev=place.revision, lease=place.lease)
        header = self._identity.header(await current_revision(self._store))
        return pb.CampaignResponse(header=header, leader=leader)

    async def proclaim(self, request: pb.ProclaimRequest, caller: Caller) -> Message:
        """Set the leader's value."""
        keys = self._for(caller)
        place = _place(request.leader)
        put = Put(key=place.key, value=request.value, lease=place.lease)
        result = await queues.if_still(keys, place, put)
        if not result.succeeded:
            raise Refused(Status.UNKNOWN, "election: not leader")
        return pb.ProclaimResponse(header=self._identity.header(result.revision))

    async def leader(self, request: pb.LeaderRequest, caller: Caller) -> Message:
        """Who leads."""
        keys = self._for(caller)
        kv, revision = await queues.head(keys, request.name)
        if kv is None:
            raise Refused(Status.UNKNOWN, "election: no leader")
        return pb.LeaderResponse(header=self._identity.header(revision), kv=kv_message(kv))

    async def resign(self, request: pb.ResignRequest, caller: Caller) -> Message:
        """Lead no more; whoever does not lead has nothing to give up."""
        keys = self._for(caller)
        result = await queues.leave(keys, _place(request.leader))
        return pb.ResignResponse(header=self._identity.header(result.revision))

    async def observe(self, stream: Stream) -> None:
        """Tell the leader, and every change of it."""
        keys = self._for(stream.caller)
        try:
            async for request in stream:
                async for kv, revision in _leaders(keys, request.name):
                    header = self._identity.header(revision)
                    await stream.send(pb.LeaderResponse(header=header, kv=kv_message(kv)))
        except (StoreError, AuthRefused) as error:
            raise Refused(Status.UNKNOWN, str(error)) from error


def _place(leader: pb.LeaderKey | None) -> Place:
    if leader is None:
        raise Refused(Status.UNKNOWN, '"leader" field must be provided')
    return Place(leader.key, leader.rev, leader.lease)


def _plainly(handle: Handle) -> Handle:
    """Let refusals of the store end the call with Unknown."""

    async def call(request: Any, caller: Caller) -> Message:
        try:
            return await handle(request, caller)
        except (StoreError, AuthRefused) as error:
            raise Refused(Status.UNKNOWN, str(error)) from error

    return call


async def _leaders(keys: Keys, name: bytes) -> AsyncIterator[tuple[KeyValue, int]]:
    told: KeyValue | None = None
    while True:
        kv, revision = await queues.head(keys, name)
        if kv is not None and kv != told:
            told = kv
            yield kv, revision
        await _until_changed(keys, name, kv, revision)


async def _until_changed(keys: Keys, name: bytes, leader: KeyValue | None, revision: int) -> None:
    """Until the leader's key changes, or if there is none, until somebody stands."""
    prefix = name + b"/"
    key, end = (prefix, prefix_end(prefix)) if leader is None else (leader.key, b"")
    watcher = keys.watch(WatchRequest(key=key, end=end, start_revision=revision + 1))
    try:
        async for batch in watcher:
            if leader is not None or any(e.kind is EventKind.PUT for e in batch.events):
                return
    finally:
        watcher.close()
