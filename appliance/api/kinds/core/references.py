"""Ways to point to objects, to keys of them, and to nodes; used by many kinds."""

from typing import Annotated, ClassVar

from appliance.api.schema import F, Inline, Message, Quantity, always, nullable


class ObjectReference(Message):
    """Points to an object, or to a part of it."""

    kind: Annotated[str, F(1, "Kind of the object.")] = ""
    namespace: Annotated[str, F(2, "Its namespace.")] = ""
    name: Annotated[str, F(3, "Its name.")] = ""
    uid: Annotated[str, F(4, "Its UID.")] = ""
    apiVersion: Annotated[str, F(5, "Its API version.")] = ""
    resourceVersion: Annotated[str, F(6, "The revision of it that is meant.")] = ""
    fieldPath: Annotated[
        str, F(7, "The part of it that is meant, such as spec.containers{name}.")
    ] = ""


class LocalObjectReference(Message):
    """Names an object in the same namespace."""

    name: Annotated[str, F(1, "Name of the object.")] = ""


class SecretReference(Message):
    """Names a secret in any namespace."""

    name: Annotated[str, F(1, "Name of the secret.")] = ""
    namespace: Annotated[str, F(2, "Its namespace.")] = ""


class TypedLocalObjectReference(Message):
    """Names an object of any kind in the same namespace."""

    apiGroup: Annotated[str | None, F(1, "Group of its kind; absent for the core group.")] = (
        nullable()
    )
    kind: Annotated[str, F(2, "Its kind.", required=True)] = always(str)
    name: Annotated[str, F(3, "Its name.", required=True)] = always(str)


class TypedObjectReference(Message):
    """Names an object of any kind."""

    apiGroup: Annotated[str | None, F(1, "Group of its kind; absent for the core group.")] = (
        nullable()
    )
    kind: Annotated[str, F(2, "Its kind.", required=True)] = always(str)
    name: Annotated[str, F(3, "Its name.", required=True)] = always(str)
    namespace: Annotated[str | None, F(4, "Its namespace, where that is allowed.")] = None


class ObjectFieldSelector(Message):
    """Picks a field of the pod."""

    apiVersion: Annotated[str, F(1, "Version that the path is written in.")] = ""
    fieldPath: Annotated[
        str, F(2, "Which field, such as metadata.name or metadata.labels['app'].", required=True)
    ] = always(str)


class ConfigMapKeySelector(LocalObjectReference):
    """Picks a key of a config map."""

    INLINE: ClassVar[Inline] = ((LocalObjectReference, 1),)
    key: Annotated[str, F(2, "Which key.", required=True)] = always(str)
    optional: Annotated[
        bool | None, F(3, "True: nothing is wrong if config map or key is missing.")
    ] = None


class SecretKeySelector(LocalObjectReference):
    """Picks a key of a secret."""

    INLINE: ClassVar[Inline] = ((LocalObjectReference, 1),)
    key: Annotated[str, F(2, "Which key.", required=True)] = always(str)
    optional: Annotated[
        bool | None, F(3, "True: nothing is wrong if secret or key is missing.")
    ] = None


class ResourceFieldSelector(Message):
    """Picks a request or a limit of a container."""

    containerName: Annotated[str, F(1, "Which container; needed in volumes.")] = ""
    resource: Annotated[str, F(2, "Which amount, such as limits.cpu.", required=True)] = always(str)
    divisor: Annotated[Quantity, F(3, "Unit that the amount is given in.")] = always(lambda: "0")


class FileKeySelector(Message):
    """Picks a variable from a file in a volume."""

    volumeName: Annotated[str, F(1, "Which volume.", required=True)] = always(str)
    path: Annotated[str, F(2, "File in the volume.", required=True)] = always(str)
    key: Annotated[str, F(3, "Which variable in the file.", required=True)] = always(str)
    optional: Annotated[
        bool | None, F(4, "True: nothing is wrong if the file or the key is missing.")
    ] = None


class NodeSelectorRequirement(Message):
    """One test on a node."""

    key: Annotated[str, F(1, "Label, or field, that is tested.", required=True)] = always(str)
    operator: Annotated[
        str,
        F(
            2,
            "In, NotIn, Exists, DoesNotExist, Gt or Lt.",
            enum=("DoesNotExist", "Exists", "Gt", "In", "Lt", "NotIn"),
            required=True,
        ),
    ] = always(str)
    values: Annotated[
        list[str],
        F(3, "Values for In and NotIn; one number for Gt and Lt; else none.", list_type="atomic"),
    ] = []


class NodeSelectorTerm(Message):
    """Tests on a node that must all hold."""

    matchExpressions: Annotated[
        list[NodeSelectorRequirement], F(1, "Tests on its labels.", list_type="atomic")
    ] = []
    matchFields: Annotated[
        list[NodeSelectorRequirement],
        F(2, "Tests on its fields; metadata.name is the one there is.", list_type="atomic"),
    ] = []


class NodeSelector(Message):
    """Picks nodes: one of the terms must hold."""

    nodeSelectorTerms: Annotated[
        list[NodeSelectorTerm], F(1, "The terms.", required=True, list_type="atomic")
    ] = always(list)
