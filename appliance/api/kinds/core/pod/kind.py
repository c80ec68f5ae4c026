"""TODO."""

from typing import Annotated

from appliance.api.kind import Kind, Subresource
from appliance.api.kinds.core.pod.spec import PodSpec
from appliance.api.kinds.core.pod.status import PodStatus
from appliance.api.kinds.core.references import ObjectReference
from appliance.api.meta import KubeObject
from appliance.api.schema import F, always


class Pod(KubeObject):
    """TODO."""

    spec: Annotated[PodSpec, F(2, "")] = always(PodSpec)
    status: Annotated[PodStatus, F(3, "")] = always(PodStatus)


class Binding(KubeObject):
    """TODO."""

    target: Annotated[ObjectReference, F(2, "", required=True)] = always(ObjectReference)


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
        Subresource(name="ephemeralcontainers", verbs=("get", "patch", "update"), kind="Pod"),
    ),
)
