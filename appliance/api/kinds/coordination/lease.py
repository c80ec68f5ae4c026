"""TODO."""

from typing import Annotated

from appliance.api.kind import Kind
from appliance.api.meta import KubeObject
from appliance.api.schema import F, Int32, Message, MicroTime, always


class LeaseSpec(Message):
    """TODO."""

    holderIdentity: Annotated[str | None, F(1, "")] = None
    leaseDurationSeconds: Annotated[Int32 | None, F(2, "")] = None
    acquireTime: Annotated[MicroTime | None, F(3, "")] = None
    renewTime: Annotated[MicroTime | None, F(4, "")] = None
    leaseTransitions: Annotated[Int32 | None, F(5, "")] = None
    strategy: Annotated[str | None, F(6, "")] = None
    preferredHolder: Annotated[str | None, F(7, "")] = None


class Lease(KubeObject):
    """TODO."""

    spec: Annotated[LeaseSpec, F(2, "")] = always(LeaseSpec)


LEASE = Kind(
    group="coordination.k8s.io",
    version="v1",
    kind="Lease",
    plural="leases",
    singular="lease",
    namespaced=True,
    type=Lease,
)
