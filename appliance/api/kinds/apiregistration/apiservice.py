"""APIService: which server answers for a group and version.

Those without a service are our own; the others are passed on to what `control/aggregation` finds.
Source: kube-aggregator `pkg/apis/apiregistration`.
"""

from typing import Annotated, Any

from appliance.api import faults, names
from appliance.api.errors import Cause
from appliance.api.kind import Column, Kind, Subresource
from appliance.api.kinds import checks
from appliance.api.kinds.cells import age
from appliance.api.meta import KubeObject
from appliance.api.schema import Bytes, F, Int32, Message, Time, always, nullable

_MOST = 20_000
_MOST_VERSION = 1_000


class ServiceReference(Message):
    """Names a service."""

    namespace: Annotated[str, F(1, "Its namespace.")] = ""
    name: Annotated[str, F(2, "Its name.")] = ""
    port: Annotated[Int32 | None, F(3, "Its port; 443 unless said.")] = None


class APIServiceSpec(Message):
    """Where a group and version is served."""

    service: Annotated[ServiceReference | None, F(1, "Who answers; none: this server.")] = None
    group: Annotated[str, F(2, "The group.")] = ""
    version: Annotated[str, F(3, "The version.")] = ""
    insecureSkipTLSVerify: Annotated[
        bool, F(4, "Whether the server's certificate is not looked at.")
    ] = False
    caBundle: Annotated[Bytes, F(5, "Certificates that it is trusted by, as PEM.")] = b""
    groupPriorityMinimum: Annotated[
        Int32, F(7, "Place of the group among groups; higher goes first.", required=True)
    ] = always(int)
    versionPriority: Annotated[
        Int32, F(8, "Place of the version within its group.", required=True)
    ] = always(int)


class APIServiceCondition(Message):
    """One aspect of an APIService: Available."""

    type: Annotated[str, F(1, "Which aspect.", required=True)] = always(str)
    status: Annotated[str, F(2, "True, False or Unknown.", required=True)] = always(str)
    lastTransitionTime: Annotated[Time | None, F(3, "When the status last changed.")] = nullable()
    reason: Annotated[str, F(4, "Why, as one word.")] = ""
    message: Annotated[str, F(5, "Why, for people.")] = ""


class APIServiceStatus(Message):
    """Whether it answers."""

    conditions: Annotated[
        list[APIServiceCondition],
        F(
            1,
            "How it is, aspect by aspect.",
            merge=True,
            merge_key="type",
            list_type="map",
            list_keys=("type",),
        ),
    ] = []


class APIService(KubeObject):
    """Which server answers for a group and version; its name is version.group."""

    spec: Annotated[APIServiceSpec, F(2, "Who answers.")] = always(APIServiceSpec)
    status: Annotated[APIServiceStatus, F(3, "Whether it answers.")] = always(APIServiceStatus)


def available(obj: APIService) -> APIServiceCondition | None:
    """The one condition that there is."""
    return next((c for c in obj.status.conditions if c.type == "Available"), None)


def _cells(obj: APIService, now: float) -> list[Any]:
    service, state = obj.spec.service, available(obj)
    where = f"{service.namespace}/{service.name}" if service else "Local"
    shown = state.status if state else "Unknown"
    if state and state.status != "True":
        shown = f"{state.status} ({state.reason})"
    return [obj.metadata.name, where, shown, age(obj, now)]


def _set_defaults(obj: APIService) -> None:
    if obj.spec.service is not None and obj.spec.service.port is None:
        obj.spec.service.port = 443


def _prepare_create(obj: APIService) -> None:
    obj.status = APIServiceStatus()


def _validate(obj: APIService) -> list[Cause]:
    spec = obj.spec
    wanted = f"{spec.version}.{spec.group}"
    found: list[Cause] = []
    if obj.metadata.name != wanted:
        why = f'must be `spec.version+"."+spec.group`: "{wanted}"'
        found.append(faults.wrong("metadata.name", obj.metadata.name, why))
    if spec.group:
        found += checks.named(names.dns_subdomain, spec.group, "spec.group")
    found += checks.named(names.dns_1035_label, spec.version, "spec.version")
    found += _within(spec.groupPriorityMinimum, _MOST, "spec.groupPriorityMinimum")
    found += _within(spec.versionPriority, _MOST_VERSION, "spec.versionPriority")
    if spec.service is None:
        if spec.caBundle:
            why = "local APIServices may not have a caBundle"
            found.append(faults.wrong("spec.caBundle", "", why))
        if spec.insecureSkipTLSVerify:
            why = "local APIServices may not have insecureSkipTLSVerify"
            found.append(faults.wrong("spec.insecureSkipTLSVerify", True, why))
        return found
    found += checks.required(spec.service.namespace, "spec.service.namespace")
    found += checks.required(spec.service.name, "spec.service.name")
    if spec.service.port is not None:
        found += checks.port(spec.service.port, "spec.service.port")
    if spec.insecureSkipTLSVerify and spec.caBundle:
        why = "may not be true if caBundle is present"
        found.append(faults.wrong("spec.insecureSkipTLSVerify", True, why))
    return found


def _within(value: int, most: int, path: str) -> list[Cause]:
    if 0 < value <= most:
        return []
    why = f"must be positive and less than {most}"
    return [faults.wrong(path, value, why)]


API_SERVICE = Kind(
    group="apiregistration.k8s.io",
    version="v1",
    kind="APIService",
    plural="apiservices",
    singular="apiservice",
    namespaced=False,
    type=APIService,
    categories=("api-extensions",),
    storage_path="apiregistration.k8s.io/apiservices",
    subresources=(Subresource(name="status", verbs=("get", "patch", "update"), kind="APIService"),),
    columns=(
        Column("Name", format="name"),
        Column("Service"),
        Column("Available"),
        Column("Age"),
    ),
    cells=_cells,
    set_defaults=_set_defaults,
    prepare_create=_prepare_create,
    validate_name=lambda _name: [],
    validate=_validate,
    validate_update=lambda new, _old: _validate(new),
    unconditional_update=False,
)
