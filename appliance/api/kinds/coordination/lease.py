"""Lease: who leads, who is alive. Nodes renew one as their heartbeat."""

from typing import Annotated, Any

from appliance.api import faults
from appliance.api.errors import Cause
from appliance.api.kind import Column, Kind
from appliance.api.kinds import checks
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


def _validate(obj: Lease) -> list[Cause]:
    spec = obj.spec
    found = [*checks.not_negative(spec.leaseTransitions, "spec.leaseTransitions")]
    seconds = spec.leaseDurationSeconds
    if seconds is not None and seconds <= 0:
        found.append(faults.wrong("spec.leaseDurationSeconds", seconds, "must be greater than 0"))
    if spec.preferredHolder is not None and not spec.strategy:
        why = "may only be specified if `strategy` is defined"
        found.append(faults.forbidden("spec.preferredHolder", why))
    return found


def _validate_update(new: Lease, _old: Lease) -> list[Cause]:
    return _validate(new)


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
    validate=_validate,
    validate_update=_validate_update,
    create_on_update=True,
    unconditional_update=False,
    has_generation=False,
)
