"""Pod: containers that run together on one node. The kind itself; its parts stand beside."""

from appliance.api.kind import PROXY_VERBS, Kind, Subresource
from appliance.api.kinds.core.pod import columns
from appliance.api.kinds.core.pod.defaults import set_pod_defaults
from appliance.api.kinds.core.pod.object import Binding, Pod
from appliance.api.kinds.core.pod.qos import qos_class
from appliance.api.kinds.core.pod.resizing import prepare_resize, validate_resize
from appliance.api.kinds.core.pod.status import PodCondition, PodStatus
from appliance.api.kinds.core.pod.validate import validate_pod
from appliance.api.kinds.core.pod.validate_update import (
    prepare_ephemeral,
    validate_ephemeral,
    validate_status,
    validate_update,
)
from appliance.api.kinds.core.pod.warnings import warn

__all__ = ["POD", "Binding", "Pod"]

GATED = "Scheduling is blocked due to non-empty scheduling gates"


def _prepare_create(obj: Pod) -> None:
    grace = obj.spec.terminationGracePeriodSeconds
    if grace is not None and grace < 0:
        obj.spec.terminationGracePeriodSeconds = 1
    obj.status = PodStatus(phase="Pending", qosClass=qos_class(obj.spec))
    if obj.spec.schedulingGates:
        obj.status.conditions = [
            PodCondition(
                type="PodScheduled", status="False", reason="SchedulingGated", message=GATED
            )
        ]


def _prepare_status_update(new: Pod, old: Pod) -> None:
    new.spec = old.spec
    new.status.qosClass = old.status.qosClass
    new.metadata.ownerReferences = old.metadata.ownerReferences
    new.status.qosClass = new.status.qosClass or old.status.qosClass


POD = Kind(
    group="",
    version="v1",
    kind="Pod",
    plural="pods",
    singular="pod",
    namespaced=True,
    type=Pod,
    short_names=("po",),
    categories=("all",),
    subresources=(
        Subresource(name="status", verbs=("get", "patch", "update"), kind="Pod"),
        Subresource(name="binding", verbs=("create",), kind="Binding"),
        Subresource(name="eviction", verbs=("create",), kind="Eviction", group="policy"),
        Subresource(name="log", verbs=("get",), kind="Pod"),
        Subresource(name="exec", verbs=("create", "get"), kind="PodExecOptions"),
        Subresource(name="attach", verbs=("create", "get"), kind="PodAttachOptions"),
        Subresource(name="portforward", verbs=("create", "get"), kind="PodPortForwardOptions"),
        Subresource(name="proxy", verbs=PROXY_VERBS, kind="PodProxyOptions"),
        Subresource(
            name="ephemeralcontainers",
            verbs=("get", "patch", "update"),
            kind="Pod",
            prepare=prepare_ephemeral,
            validate=validate_ephemeral,
        ),
        Subresource(
            name="resize",
            verbs=("get", "patch", "update"),
            kind="Pod",
            prepare=prepare_resize,
            validate=validate_resize,
        ),
    ),
    columns=columns.COLUMNS,
    cells=columns.cells,
    set_defaults=set_pod_defaults,
    prepare_create=_prepare_create,
    prepare_status_update=_prepare_status_update,
    validate=validate_pod,
    validate_update=validate_update,
    validate_status=validate_status,
    warn=warn,
    selectable_fields={
        "spec.nodeName": lambda obj: obj.spec.nodeName,
        "spec.host": lambda obj: obj.spec.nodeName,
        "spec.restartPolicy": lambda obj: obj.spec.restartPolicy,
        "spec.schedulerName": lambda obj: obj.spec.schedulerName,
        "spec.serviceAccountName": lambda obj: obj.spec.serviceAccountName,
        "spec.hostNetwork": lambda obj: str(obj.spec.hostNetwork).lower(),
        "status.phase": lambda obj: obj.status.phase,
        "status.podIP": lambda obj: obj.status.podIP,
        "status.podIPs": lambda obj: ",".join(p.ip for p in obj.status.podIPs),
        "status.nominatedNodeName": lambda obj: obj.status.nominatedNodeName,
    },
)
