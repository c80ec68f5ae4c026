"""TODO."""

from typing import Annotated

from appliance.api import names
from appliance.api.kind import Column, Kind, Subresource
from appliance.api.kinds.core import service_rules as rules
from appliance.api.kinds.core import service_validation as validation
from appliance.api.kinds.core.service_spec import (
    ClientIPConfig,
    ServicePort,
    ServiceSpec,
    SessionAffinityConfig,
)
from appliance.api.meta import Condition, KubeObject
from appliance.api.schema import F, Int32, Message, always

__all__ = [
    "SERVICE",
    "ClientIPConfig",
    "LoadBalancerIngress",
    "LoadBalancerStatus",
    "PortStatus",
    "Service",
    "ServicePort",
    "ServiceSpec",
    "ServiceStatus",
    "SessionAffinityConfig",
]


class PortStatus(Message):
    """TODO."""

    port: Annotated[Int32, F(1, "", required=True)] = always(int)
    protocol: Annotated[str, F(2, "", required=True)] = always(str)
    error: Annotated[str | None, F(3, "")] = None


class LoadBalancerIngress(Message):
    """TODO."""

    ip: Annotated[str, F(1, "")] = ""
    hostname: Annotated[str, F(2, "")] = ""
    ipMode: Annotated[str | None, F(3, "")] = None
    ports: Annotated[list[PortStatus], F(4, "", list_type="atomic")] = []


class LoadBalancerStatus(Message):
    """TODO."""

    ingress: Annotated[list[LoadBalancerIngress], F(1, "", list_type="atomic")] = []


class ServiceStatus(Message):
    """TODO."""

    loadBalancer: Annotated[LoadBalancerStatus, F(1, "")] = always(LoadBalancerStatus)
    conditions: Annotated[
        list[Condition],
        F(2, "", merge=True, merge_key="type", list_type="map", list_keys=("type",)),
    ] = []


class Service(KubeObject):
    """TODO."""

    spec: Annotated[ServiceSpec, F(2, "")] = always(ServiceSpec)
    status: Annotated[ServiceStatus, F(3, "")] = always(ServiceStatus)


def _prepare_create(obj: Service) -> None:
    obj.status = ServiceStatus()


SERVICE = Kind(
    group="",
    version="v1",
    kind="Service",
    plural="services",
    singular="service",
    namespaced=True,
    type=Service,
    short_names=("svc",),
    categories=("all",),
    storage_path="services/specs",
    subresources=(Subresource(name="status", verbs=("get", "patch", "update"), kind="Service"),),
    columns=(
        Column("Name", format="name"),
        Column("Type"),
        Column("Cluster-IP"),
        Column("External-IP"),
        Column("Port(s)"),
        Column("Age"),
        Column("Selector", wide=True),
    ),
    cells=rules.cells,
    set_defaults=rules.set_defaults,
    prepare_create=_prepare_create,
    prepare_update=rules.prepare_update,
    validate_name=names.dns_label,
    validate=validation.validate,
    validate_update=validation.validate_update,
    warn=rules.warn,
    selectable_fields={
        "spec.clusterIP": lambda obj: obj.spec.clusterIP,
        "spec.type": lambda obj: obj.spec.type,
    },
    create_on_update=True,
    has_generation=False,
)
