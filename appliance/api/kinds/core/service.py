"""Service: one address and name for a set of pods. Its rules stand beside."""

from appliance.api import names
from appliance.api.kind import PROXY_VERBS, Column, Kind, Subresource
from appliance.api.kinds.core import service_rules as rules
from appliance.api.kinds.core import service_validation as validation
from appliance.api.kinds.core.service_spec import (
    ClientIPConfig,
    LoadBalancerIngress,
    LoadBalancerStatus,
    PortStatus,
    Service,
    ServicePort,
    ServiceSpec,
    ServiceStatus,
    SessionAffinityConfig,
)

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
    subresources=(
        Subresource(name="status", verbs=("get", "patch", "update"), kind="Service"),
        Subresource(name="proxy", verbs=PROXY_VERBS, kind="ServiceProxyOptions"),
    ),
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
