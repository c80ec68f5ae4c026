"""TODO."""

from typing import Annotated, ClassVar

from appliance.api.schema import F, Inline, Message, Quantity, always, nullable


class ObjectReference(Message):
    """TODO."""

    kind: Annotated[str, F(1, "")] = ""
    namespace: Annotated[str, F(2, "")] = ""
    name: Annotated[str, F(3, "")] = ""
    uid: Annotated[str, F(4, "")] = ""
    apiVersion: Annotated[str, F(5, "")] = ""
    resourceVersion: Annotated[str, F(6, "")] = ""
    fieldPath: Annotated[str, F(7, "")] = ""


class LocalObjectReference(Message):
    """TODO."""

    name: Annotated[str, F(1, "")] = ""


class SecretReference(Message):
    """TODO."""

    name: Annotated[str, F(1, "")] = ""
    namespace: Annotated[str, F(2, "")] = ""


class TypedLocalObjectReference(Message):
    """TODO."""

    apiGroup: Annotated[str | None, F(1, "")] = nullable()
    kind: Annotated[str, F(2, "", required=True)] = always(str)
    name: Annotated[str, F(3, "", required=True)] = always(str)


class TypedObjectReference(Message):
    """TODO."""

    apiGroup: Annotated[str | None, F(1, "")] = nullable()
    kind: Annotated[str, F(2, "", required=True)] = always(str)
    name: Annotated[str, F(3, "", required=True)] = always(str)
    namespace: Annotated[str | None, F(4, "")] = None


class ObjectFieldSelector(Message):
    """TODO."""

    apiVersion: Annotated[str, F(1, "")] = ""
    fieldPath: Annotated[str, F(2, "", required=True)] = always(str)


class ConfigMapKeySelector(LocalObjectReference):
    """TODO."""

    INLINE: ClassVar[Inline] = ((LocalObjectReference, 1),)
    key: Annotated[str, F(2, "", required=True)] = always(str)
    optional: Annotated[bool | None, F(3, "")] = None


class SecretKeySelector(LocalObjectReference):
    """TODO."""

    INLINE: ClassVar[Inline] = ((LocalObjectReference, 1),)
    key: Annotated[str, F(2, "", required=True)] = always(str)
    optional: Annotated[bool | None, F(3, "")] = None


class ResourceFieldSelector(Message):
    """TODO."""

    containerName: Annotated[str, F(1, "")] = ""
    resource: Annotated[str, F(2, "", required=True)] = always(str)
    divisor: Annotated[Quantity, F(3, "")] = always(lambda: "0")


class FileKeySelector(Message):
    """TODO."""

    volumeName: Annotated[str, F(1, "", required=True)] = always(str)
    path: Annotated[str, F(2, "", required=True)] = always(str)
    key: Annotated[str, F(3, "", required=True)] = always(str)
    optional: Annotated[bool | None, F(4, "")] = None


class NodeSelectorRequirement(Message):
    """TODO."""

    key: Annotated[str, F(1, "", required=True)] = always(str)
    operator: Annotated[str, F(2, "", required=True)] = always(str)
    values: Annotated[list[str], F(3, "", list_type="atomic")] = []


class NodeSelectorTerm(Message):
    """TODO."""

    matchExpressions: Annotated[list[NodeSelectorRequirement], F(1, "", list_type="atomic")] = []
    matchFields: Annotated[list[NodeSelectorRequirement], F(2, "", list_type="atomic")] = []


class NodeSelector(Message):
    """TODO."""

    nodeSelectorTerms: Annotated[
        list[NodeSelectorTerm], F(1, "", required=True, list_type="atomic")
    ] = always(list)
