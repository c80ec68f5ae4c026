"""Messages of the Lease service.

Source: etcd api/etcdserverpb/rpc.proto.
"""

from typing import Annotated

from appliance.store.serve.messages.kv import ResponseHeader
from appliance.store.serve.wire import Message


class LeaseGrantRequest(Message):
    """Make a lease."""

    TTL: Annotated[int, 1] = 0
    ID: Annotated[int, 2] = 0


class LeaseGrantResponse(Message):
    """The lease made."""

    header: Annotated[ResponseHeader | None, 1] = None
    ID: Annotated[int, 2] = 0
    TTL: Annotated[int, 3] = 0
    error: Annotated[str, 4] = ""


class LeaseRevokeRequest(Message):
    """Delete a lease and its keys."""

    ID: Annotated[int, 1] = 0


class LeaseRevokeResponse(Message):
    """They are gone."""

    header: Annotated[ResponseHeader | None, 1] = None


class LeaseKeepAliveRequest(Message):
    """Begin its time anew."""

    ID: Annotated[int, 1] = 0


class LeaseKeepAliveResponse(Message):
    """Time begins anew; TTL 0: there is no such lease."""

    header: Annotated[ResponseHeader | None, 1] = None
    ID: Annotated[int, 2] = 0
    TTL: Annotated[int, 3] = 0


class LeaseTimeToLiveRequest(Message):
    """How long has it got?"""

    ID: Annotated[int, 1] = 0
    keys: Annotated[bool, 2] = False


class LeaseTimeToLiveResponse(Message):
    """Whole seconds left; -1: there is no such lease."""

    header: Annotated[ResponseHeader | None, 1] = None
    ID: Annotated[int, 2] = 0
    TTL: Annotated[int, 3] = 0
    grantedTTL: Annotated[int, 4] = 0  # noqa: N815 - the protocol's name
    keys: Annotated[list[bytes], 5] = []


class LeaseLeasesRequest(Message):
    """Which leases are there?"""


class LeaseStatus(Message):
    """A lease."""

    ID: Annotated[int, 1] = 0


class LeaseLeasesResponse(Message):
    """All leases."""

    header: Annotated[ResponseHeader | None, 1] = None
    leases: Annotated[list[LeaseStatus], 2] = []
