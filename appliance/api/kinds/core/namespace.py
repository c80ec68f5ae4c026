"""TODO."""

from typing import Annotated

from appliance.api.kind import Kind, Subresource
from appliance.api.meta import KubeObject
from appliance.api.schema import F, Message, Time, always, nullable


class NamespaceSpec(Message):
    """TODO."""

    finalizers: Annotated[list[str], F(1, "", list_type="atomic")] = []


class NamespaceCondition(Message):
    """TODO."""

    type: Annotated[str, F(1, "", required=True)] = always(str)
    status: Annotated[str, F(2, "", required=True)] = always(str)
    lastTransitionTime: Annotated[Time | None, F(4, "")] = nullable()
    reason: Annotated[str, F(5, "")] = ""
    message: Annotated[str, F(6, "")] = ""


class NamespaceStatus(Message):
    """TODO."""

    phase: Annotated[str, F(1, "")] = ""
    conditions: Annotated[
        list[NamespaceCondition],
        F(2, "", merge=True, merge_key="type", list_type="map", list_keys=("type",)),
    ] = []


class Namespace(KubeObject):
    """TODO."""

    spec: Annotated[NamespaceSpec, F(2, "")] = always(NamespaceSpec)
    status: Annotated[NamespaceStatus, F(3, "")] = always(NamespaceStatus)


NAMESPACE = Kind(
    group="",
    version="v1",
    kind="Namespace",
    plural="namespaces",
    singular="namespace",
    namespaced=False,
    type=Namespace,
    short_names=("ns",),
    subresources=(
        Subresource(name="status", verbs=("get", "patch", "update"), kind="Namespace"),
        Subresource(name="finalize", verbs=("update",), kind="Namespace"),
    ),
)
