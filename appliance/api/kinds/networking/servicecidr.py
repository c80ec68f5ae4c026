"""ServiceCIDR: a range of addresses for services.

Only kept for clients that look: the range that is used is the server's own setting.
"""

from typing import Annotated, Any

from appliance.api import faults
from appliance.api.errors import Cause
from appliance.api.kind import Column, Kind, Subresource
from appliance.api.kinds import checks
from appliance.api.kinds.cells import age
from appliance.api.meta import Condition, KubeObject
from appliance.api.schema import F, Message, always


class ServiceCIDRSpec(Message):
    """What is wanted of a range."""

    cidrs: Annotated[
        list[str], F(1, "One range for each family of addresses.", list_type="atomic")
    ] = []


class ServiceCIDRStatus(Message):
    """How a range is."""

    conditions: Annotated[
        list[Condition],
        F(
            1,
            "How it is, aspect by aspect.",
            merge=True,
            merge_key="type",
            list_type="map",
            list_keys=("type",),
        ),
    ] = []


class ServiceCIDR(KubeObject):
    """A range of addresses for services."""

    spec: Annotated[ServiceCIDRSpec, F(2, "What is wanted.")] = always(ServiceCIDRSpec)
    status: Annotated[ServiceCIDRStatus, F(3, "What was seen last.")] = always(ServiceCIDRStatus)


def _cells(obj: ServiceCIDR, now: float) -> list[Any]:
    return [obj.metadata.name, ",".join(obj.spec.cidrs), age(obj, now)]


def _prepare_create(obj: ServiceCIDR) -> None:
    obj.status = ServiceCIDRStatus()


def _validate(obj: ServiceCIDR) -> list[Cause]:
    cidrs = obj.spec.cidrs
    if not cidrs:
        return [faults.required("spec.cidrs", "at least one CIDR required")]
    if len(cidrs) > 2:
        why = "may only hold up to 2 values"
        return [faults.wrong("spec.cidrs", cidrs, why)]
    return [
        fault
        for index, text in enumerate(cidrs)
        for fault in checks.cidr(text, f"spec.cidrs[{index}]")
    ]


def _validate_update(new: ServiceCIDR, old: ServiceCIDR) -> list[Cause]:
    return list(checks.same(new.spec.cidrs, old.spec.cidrs, "spec.cidrs"))


SERVICE_CIDR = Kind(
    group="networking.k8s.io",
    version="v1",
    kind="ServiceCIDR",
    plural="servicecidrs",
    singular="servicecidr",
    namespaced=False,
    type=ServiceCIDR,
    subresources=(
        Subresource(name="status", verbs=("get", "patch", "update"), kind="ServiceCIDR"),
    ),
    columns=(Column("Name", format="name"), Column("CIDRs"), Column("Age")),
    cells=_cells,
    prepare_create=_prepare_create,
    validate=_validate,
    validate_update=_validate_update,
)
