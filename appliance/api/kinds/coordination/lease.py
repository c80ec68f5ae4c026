"""Lease: who leads, who is alive. Nodes renew one as their heartbeat."""

from typing import Annotated, Any

from appliance.api.kind import Column, Kind
from appliance.api.kinds.cells import age
from appliance.api.meta import KubeObject
from appliance.api.schema import F, Int32, Message, MicroTime, always


class LeaseSpec(Message):
    """Who holds a lease and until when."""

    holderIdentity: Annotated[str | None, F(1, "Who holds it now.")] = None
    leaseDurationSeconds: Annotated[
        Int32 | None, F(2, "How long after renewTime others must wait before they take it.")
    ] = None
    acquireTime: Annotated[MicroTime | None, F(3, "When the holder got it.")] = None
    renewTime: Annotated[MicroTime | None, F(4, "When the holder last renewed it.")] = None
    leaseTransitions: Annotated[Int32 | None, F(5, "How often the holder changed.")] = None
    strategy: Annotated[str | None, F(6, "How the holder is picked in coordinated election.")] = (
        None
    )
    preferredHolder: Annotated[
        str | None, F(7, "Whom the holder should hand over to; needs strategy.")
    ] = None


class Lease(KubeObject):
    """A claim on something that one party holds for a limited time."""

    spec: Annotated[LeaseSpec, F(2, "Holder and times.")] = always(LeaseSpec)


def _cells(obj: Lease, now: float) -> list[Any]:
    return [obj.metadata.name, obj.spec.holderIdentity or "", age(obj, now)]


LEASE = Kind(
    group="coordination.k8s.io",
    version="v1",
    kind="Lease",
    plural="leases",
    singular="lease",
    namespaced=True,
    type=Lease,
    columns=(Column("Name", format="name"), Column("Holder"), Column("Age")),
    cells=_cells,
    create_on_update=True,
    unconditional_update=False,
    has_generation=False,
)
