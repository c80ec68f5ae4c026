"""The Downgrade call: its checks are etcd's, and then it is refused.

A cluster of etcd is downgraded so that an older etcd can take over its files; ours are no etcd's.
A snapshot is what an older etcd can be made from.

Source: etcd server/etcdserver/v3_server.go (downgradeValidate), version/downgrade.go.
"""

import re

from appliance.store.serve.calls import Caller, Methods, Unary
from appliance.store.serve.identity import CLUSTER_VERSION, Identity
from appliance.store.serve.messages import maintenance as pb
from appliance.store.serve.status import Refused, Status
from appliance.store.serve.wire import Message

_VALIDATE, _ENABLE, _CANCEL = 0, 1, 2
_FORMAT = "etcdserver: wrong downgrade target version format"
_TARGET = "etcdserver: invalid downgrade target version"
_NO_JOB = "etcdserver: no inflight downgrade job"


class DowngradeService:
    """The one call."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity

    def methods(self) -> Methods:
        """The service's table."""
        path = "/etcdserverpb.Maintenance/Downgrade"
        return {path: Unary(pb.DowngradeRequest, self.downgrade)}

    async def downgrade(self, request: pb.DowngradeRequest, caller: Caller) -> Message:
        """Check a target; nothing is ever under way."""
        del caller
        if request.action == _CANCEL:
            raise Refused(Status.FAILED_PRECONDITION, _NO_JOB)
        _check(request.version)
        if request.action == _ENABLE:
            raise Refused(Status.FAILED_PRECONDITION, "etcdserver: not capable")
        header = self._identity.header()
        return pb.DowngradeResponse(header=header, version=CLUSTER_VERSION)


def _check(target: str) -> None:
    """One minor version less is all that etcd allows."""
    found = re.fullmatch(r"v?(\d+)\.(\d+)(\.\d+)?", target)
    if found is None:
        raise Refused(Status.INVALID_ARGUMENT, _FORMAT)
    major, minor = (int(part) for part in CLUSTER_VERSION.split(".")[:2])
    if (int(found[1]), int(found[2])) != (major, minor - 1):
        raise Refused(Status.INVALID_ARGUMENT, _TARGET)
