"""The Cluster service of a cluster that has one member and takes no others.

Source: etcd server/etcdserver/api/v3rpc/member.go; refusals as a cluster of one would make them.
"""

from urllib.parse import urlsplit

from appliance.store.serve.calls import Caller, Methods, Unary
from appliance.store.serve.identity import Identity
from appliance.store.serve.messages import cluster as pb
from appliance.store.serve.status import Refused, Status
from appliance.store.serve.wire import Message


class ClusterService:
    """Members."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity

    def methods(self) -> Methods:
        """The service's table."""
        prefix = "/etcdserverpb.Cluster/"
        return {
            prefix + "MemberList": Unary(pb.MemberListRequest, self.members),
            prefix + "MemberAdd": Unary(pb.MemberAddRequest, self.add),
            prefix + "MemberRemove": Unary(pb.MemberRemoveRequest, self.remove),
            prefix + "MemberUpdate": Unary(pb.MemberUpdateRequest, self.update),
            prefix + "MemberPromote": Unary(pb.MemberPromoteRequest, self.promote),
        }

    async def members(self, request: pb.MemberListRequest, caller: Caller) -> Message:
        """The one member."""
        del request, caller
        me = pb.Member(
            ID=self._identity.member_id,
            name=self._identity.name,
            peerURLs=list(self._identity.peer_urls),
            clientURLs=list(self._identity.client_urls),
        )
        return pb.MembersResponse(header=self._identity.header(), members=[me])

    async def add(self, request: pb.MemberAddRequest, caller: Caller) -> Message:
        """Nobody can be taken in: there would be no quorum until the other one had started."""
        del caller
        _check_urls(request.peerURLs)
        if set(request.peerURLs) & set(self._identity.peer_urls):
            raise Refused(Status.FAILED_PRECONDITION, "etcdserver: Peer URLs already exists")
        raise _not_enough()

    async def remove(self, request: pb.MemberRemoveRequest, caller: Caller) -> Message:
        """Nor may the last one go."""
        del caller
        self._check_known(request.ID)
        raise _not_enough()

    async def update(self, request: pb.MemberUpdateRequest, caller: Caller) -> Message:
        """A cluster of one has no use for peer addresses."""
        del caller
        _check_urls(request.peerURLs)
        self._check_known(request.ID)
        raise Refused(
            Status.UNIMPLEMENTED, "etcdserver: this member has no peers; its URLs cannot change"
        )

    async def promote(self, request: pb.MemberPromoteRequest, caller: Caller) -> Message:
        """There is no learner."""
        del caller
        self._check_known(request.ID)
        raise Refused(Status.FAILED_PRECONDITION, "etcdserver: can only promote a learner member")

    def _check_known(self, member_id: int) -> None:
        if member_id != self._identity.member_id:
            raise Refused(Status.NOT_FOUND, "etcdserver: member not found")


def _check_urls(urls: list[str]) -> None:
    if not urls or not all(_is_url(url) for url in urls):
        raise Refused(Status.INVALID_ARGUMENT, "etcdserver: given member URLs are invalid")


def _is_url(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme in {"http", "https", "unix", "unixs"} and bool(parts.netloc)


def _not_enough() -> Refused:
    text = "etcdserver: re-configuration failed due to not enough started members"
    return Refused(Status.FAILED_PRECONDITION, text)
