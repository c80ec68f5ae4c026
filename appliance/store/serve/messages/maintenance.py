"""Messages of the Maintenance service and of grpc.health.v1.

Source: etcd api/etcdserverpb/rpc.proto; grpc health/v1/health.proto.
"""

from typing import Annotated

from appliance.store.serve.messages.kv import ResponseHeader
from appliance.store.serve.wire import UINT32, UINT64, Message

ALARMS = ("NONE", "NOSPACE", "CORRUPT")


class AlarmRequest(Message):
    """Read (0), raise (1) or lift (2) alarms."""

    action: Annotated[int, 1, ("GET", "ACTIVATE", "DEACTIVATE")] = 0
    memberID: Annotated[int, 2, UINT64] = 0  # noqa: N815 - the protocol's name
    alarm: Annotated[int, 3, ALARMS] = 0


class AlarmMember(Message):
    """A member's alarm: NOSPACE 1, CORRUPT 2."""

    memberID: Annotated[int, 1, UINT64] = 0  # noqa: N815 - the protocol's name
    alarm: Annotated[int, 2, ALARMS] = 0


class AlarmResponse(Message):
    """The alarms concerned."""

    header: Annotated[ResponseHeader | None, 1] = None
    alarms: Annotated[list[AlarmMember], 2] = []


class StatusRequest(Message):
    """How is the member?"""


class StatusResponse(Message):
    """Its state."""

    header: Annotated[ResponseHeader | None, 1] = None
    version: Annotated[str, 2] = ""
    dbSize: Annotated[int, 3] = 0  # noqa: N815 - the protocol's name
    leader: Annotated[int, 4, UINT64] = 0
    raftIndex: Annotated[int, 5, UINT64] = 0  # noqa: N815 - the protocol's name
    raftTerm: Annotated[int, 6, UINT64] = 0  # noqa: N815 - the protocol's name
    raftAppliedIndex: Annotated[int, 7, UINT64] = 0  # noqa: N815 - the protocol's name
    errors: Annotated[list[str], 8] = []
    dbSizeInUse: Annotated[int, 9] = 0  # noqa: N815 - the protocol's name
    isLearner: Annotated[bool, 10] = False  # noqa: N815 - the protocol's name
    storageVersion: Annotated[str, 11] = ""  # noqa: N815 - the protocol's name
    dbSizeQuota: Annotated[int, 12] = 0  # noqa: N815 - the protocol's name


class DefragmentRequest(Message):
    """Give free space back."""


class DefragmentResponse(Message):
    """It is given back."""

    header: Annotated[ResponseHeader | None, 1] = None


class MoveLeaderRequest(Message):
    """Let another member lead."""

    targetID: Annotated[int, 1, UINT64] = 0  # noqa: N815 - the protocol's name


class MoveLeaderResponse(Message):
    """It leads."""

    header: Annotated[ResponseHeader | None, 1] = None


class HashRequest(Message):
    """The hash of everything."""


class HashResponse(Message):
    """The hash."""

    header: Annotated[ResponseHeader | None, 1] = None
    hash: Annotated[int, 2, UINT32] = 0


class HashKVRequest(Message):
    """The hash of all keys at a revision; 0: now."""

    revision: Annotated[int, 1] = 0


class HashKVResponse(Message):
    """The hash, and what it covers."""

    header: Annotated[ResponseHeader | None, 1] = None
    hash: Annotated[int, 2, UINT32] = 0
    compact_revision: Annotated[int, 3] = 0
    hash_revision: Annotated[int, 4] = 0


class SnapshotRequest(Message):
    """Send everything."""


class SnapshotResponse(Message):
    """A piece of the file; the last one is the checksum of all before."""

    header: Annotated[ResponseHeader | None, 1] = None
    remaining_bytes: Annotated[int, 2, UINT64] = 0
    blob: Annotated[bytes, 3] = b""
    version: Annotated[str, 4] = ""


class SnapshotLease(Message):
    """A lease as etcd has it on disk (lease/leasepb/lease.proto)."""

    ID: Annotated[int, 1] = 0
    TTL: Annotated[int, 2] = 0


class DowngradeRequest(Message):
    """May the cluster go back to an older version (0)? Do it (1), or stop it (2)."""

    action: Annotated[int, 1, ("VALIDATE", "ENABLE", "CANCEL")] = 0
    version: Annotated[str, 2] = ""


class DowngradeResponse(Message):
    """The version it has."""

    header: Annotated[ResponseHeader | None, 1] = None
    version: Annotated[str, 2] = ""


class HealthCheckRequest(Message):
    """Is the service well? An empty name asks for the server."""

    service: Annotated[str, 1] = ""


class HealthCheckResponse(Message):
    """SERVING is 1, SERVICE_UNKNOWN 3."""

    status: Annotated[int, 1] = 0
