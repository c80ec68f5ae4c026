"""Messages of the Cluster service.

Source: etcd api/etcdserverpb/rpc.proto.
"""

from typing import Annotated

from appliance.store.serve.messages.kv import ResponseHeader
from appliance.store.serve.wire import UINT64, Message


class Member(Message):
    """One member of the cluster."""

    ID: Annotated[int, 1, UINT64] = 0
    name: Annotated[str, 2] = ""
    peerURLs: Annotated[list[str], 3] = []  # noqa: N815 - the protocol's name
    clientURLs: Annotated[list[str], 4] = []  # noqa: N815 - the protocol's name
    isLearner: Annotated[bool, 5] = False  # noqa: N815 - the protocol's name


class MemberAddRequest(Message):
    """Take a member in."""

    peerURLs: Annotated[list[str], 1] = []  # noqa: N815 - the protocol's name
    isLearner: Annotated[bool, 2] = False  # noqa: N815 - the protocol's name


class MemberAddResponse(Message):
    """The member, and all members."""

    header: Annotated[ResponseHeader | None, 1] = None
    member: Annotated[Member | None, 2] = None
    members: Annotated[list[Member], 3] = []


class MemberRemoveRequest(Message):
    """Put a member out."""

    ID: Annotated[int, 1, UINT64] = 0


class MemberUpdateRequest(Message):
    """Change where a member is."""

    ID: Annotated[int, 1, UINT64] = 0
    peerURLs: Annotated[list[str], 2] = []  # noqa: N815 - the protocol's name


class MemberPromoteRequest(Message):
    """Let a learner vote."""

    ID: Annotated[int, 1, UINT64] = 0


class MemberListRequest(Message):
    """Who is there?"""

    linearizable: Annotated[bool, 1] = False


class MembersResponse(Message):
    """All members; the answer of list, remove, update and promote alike."""

    header: Annotated[ResponseHeader | None, 1] = None
    members: Annotated[list[Member], 2] = []
