"""Service: one address and name for a set of pods. Its rules stand beside."""

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
    """How a port of a balancer is."""

    port: Annotated[Int32, F(1, "Port number.", required=True)] = always(int)
    protocol: Annotated[str, F(2, "Its protocol.", enum=("SCTP", "TCP", "UDP"), required=True)] = (
        always(str)
    )
    error: Annotated[str | None, F(3, "What is wrong with it, as CamelCase or domain/word.")] = None


class LoadBalancerIngress(Message):
    """A way in through a balancer."""

    ip: Annotated[str, F(1, "Address of the balancer.")] = ""
    hostname: Annotated[str, F(2, "Host name of the balancer, where it has no fixed address.")] = ""
    ipMode: Annotated[
        str | None, F(3, "VIP if traffic arrives with the balancer's address; else Proxy.")
    ] = None
    ports: Annotated[list[PortStatus], F(4, "How its ports are.", list_type="atomic")] = []


class LoadBalancerStatus(Message):
    """How a balancer is."""

    ingress: Annotated[list[LoadBalancerIngress], F(1, "Ways in.", list_type="atomic")] = []


class ServiceStatus(Message):
    """What was found out about a Service."""

    loadBalancer: Annotated[LoadBalancerStatus, F(1, "Its balancer, if it has one.")] = always(
        LoadBalancerStatus
    )
    conditions: Annotated[
        list[Condition],
        F(
            2,
            "Further aspects.",
            merge=True,
            merge_key="type",
            list_type="map",
            list_keys=("type",),
        ),
    ] = []


class Service(KubeObject):
    """One address and name for a set of pods."""

    spec: Annotated[ServiceSpec, F(2, "What is wanted.")] = always(ServiceSpec)
    status: Annotated[ServiceStatus, F(3, "What is.")] = always(ServiceStatus)


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
