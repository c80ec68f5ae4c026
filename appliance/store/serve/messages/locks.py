"""Messages of the Lock and Election services.

Source: etcd server/etcdserver/api/v3lock/v3lockpb and v3election/v3electionpb.
"""

from typing import Annotated

from appliance.store.serve.messages.kv import KeyValue, ResponseHeader
from appliance.store.serve.wire import Message


class LockRequest(Message):
    """Hold the lock `name` as long as the lease lives; 0: a lease of a minute."""

    name: Annotated[bytes, 1] = b""
    lease: Annotated[int, 2] = 0


class LockResponse(Message):
    """It is held as long as `key` is there."""

    header: Annotated[ResponseHeader | None, 1] = None
    key: Annotated[bytes, 2] = b""


class UnlockRequest(Message):
    """Let go."""

    key: Annotated[bytes, 1] = b""


class UnlockResponse(Message):
    """It is free for the next."""

    header: Annotated[ResponseHeader | None, 1] = None


class LeaderKey(Message):
    """What a leader shows: its key and when it was made."""

    name: Annotated[bytes, 1] = b""
    key: Annotated[bytes, 2] = b""
    rev: Annotated[int, 3] = 0
    lease: Annotated[int, 4] = 0


class CampaignRequest(Message):
    """Lead the election `name` when it is our turn."""

    name: Annotated[bytes, 1] = b""
    lease: Annotated[int, 2] = 0
    value: Annotated[bytes, 3] = b""


class CampaignResponse(Message):
    """We lead."""

    header: Annotated[ResponseHeader | None, 1] = None
    leader: Annotated[LeaderKey | None, 2] = None


class LeaderRequest(Message):
    """Who leads?"""

    name: Annotated[bytes, 1] = b""


class LeaderResponse(Message):
    """The leader's key and value."""

    header: Annotated[ResponseHeader | None, 1] = None
    kv: Annotated[KeyValue | None, 2] = None


class ProclaimRequest(Message):
    """Change the leader's value."""

    leader: Annotated[LeaderKey | None, 1] = None
    value: Annotated[bytes, 2] = b""


class ProclaimResponse(Message):
    """It is changed."""

    header: Annotated[ResponseHeader | None, 1] = None


class ResignRequest(Message):
    """Lead no more."""

    leader: Annotated[LeaderKey | None, 1] = None


class ResignResponse(Message):
    """The next one leads."""

    header: Annotated[ResponseHeader | None, 1] = None
