"""metav1: the types that every kind is made of.

Field numbers and JSON names: apimachinery `apis/meta/v1`.
"""

from typing import Annotated

import msgspec

from appliance.api.schema import (
    F,
    Int64,
    Message,
    RawJson,
    Time,
    always,
)


class OwnerReference(Message):
    """Names the object that this one belongs to; the collector deletes by it."""

    apiVersion: Annotated[str, F(5, "API version of the owner.", required=True)] = always(str)
    kind: Annotated[str, F(1, "Kind of the owner.", required=True)] = always(str)
    name: Annotated[str, F(3, "Name of the owner.", required=True)] = always(str)
    uid: Annotated[str, F(4, "UID of the owner.", required=True)] = always(str)
    controller: Annotated[
        bool | None, F(6, "Whether this owner is the managing controller; at most one is.")
    ] = None
    blockOwnerDeletion: Annotated[
        bool | None, F(7, "Whether foreground deletion of the owner waits for this object.")
    ] = None


class ManagedFieldsEntry(Message):
    """Which fields one manager owns."""

    manager: Annotated[str, F(1, "Name of the workflow that owns these fields.")] = ""
    operation: Annotated[str, F(2, "How they were set: Apply or Update.")] = ""
    apiVersion: Annotated[str, F(3, "Version of the resource these fields belong to.")] = ""
    time: Annotated[Time | None, F(4, "When the entry last changed.")] = None
    fieldsType: Annotated[str, F(6, "Format of the set; always FieldsV1.")] = ""
    fieldsV1: Annotated[RawJson, F(7, "The set of fields, as a JSON tree.")] = None
    subresource: Annotated[str, F(8, "Sub-resource used for the write, or empty.")] = ""


class ObjectMeta(Message):
    """What every stored object carries: names, labels, revision, owners."""

    name: Annotated[str, F(1, "Name, unique within its namespace and kind; cannot change.")] = ""
    generateName: Annotated[
        str, F(2, "Prefix from which the server makes a unique name when none is given.")
    ] = ""
    namespace: Annotated[str, F(3, "Namespace that the name is unique in.")] = ""
    selfLink: Annotated[str, F(4, "No longer filled in.")] = ""
    uid: Annotated[str, F(5, "Identifies this object for all time; set by the server.")] = ""
    resourceVersion: Annotated[
        str, F(6, "Revision of the last change; compare only for equality, pass back on update.")
    ] = ""
    generation: Annotated[Int64, F(7, "Counts changes of the desired state.")] = 0
    creationTimestamp: Annotated[Time | None, F(8, "When the server created it.")] = None
    deletionTimestamp: Annotated[
        Time | None, F(9, "When the object will be gone; set by a graceful delete.")
    ] = None
    deletionGracePeriodSeconds: Annotated[
        Int64 | None, F(10, "Seconds of grace that the delete gave.")
    ] = None
    labels: Annotated[dict[str, str], F(11, "Pairs to select objects by.")] = {}
    annotations: Annotated[dict[str, str], F(12, "Pairs for tools and people.")] = {}
    ownerReferences: Annotated[
        list[OwnerReference],
        F(
            13,
            "Objects that this one depends on; when all are gone, so is this.",
            merge=True,
            merge_key="uid",
            list_type="map",
            list_keys=("uid",),
        ),
    ] = []
    finalizers: Annotated[
        list[str],
        F(14, "Names of parties that must act before it is removed.", merge=True, list_type="set"),
    ] = []
    managedFields: Annotated[
        list[ManagedFieldsEntry], F(17, "Who owns which fields, for server-side apply.")
    ] = []


class ListMeta(Message):
    """What every list carries."""

    selfLink: Annotated[str, F(1, "No longer filled in.")] = ""
    resourceVersion: Annotated[str, F(2, "Revision that the list shows.")] = ""
    continue_: Annotated[str, F(3, "Token for the next page, or empty.")] = msgspec.field(
        default="", name="continue"
    )
    remainingItemCount: Annotated[Int64 | None, F(4, "How many more there are, if known.")] = None


class KubeObject(Message):
    """Base of every kind that can be stored."""

    kind: Annotated[str, F(0, "Kind of this object.")] = ""
    apiVersion: Annotated[str, F(0, "Version of the schema of this object.")] = ""
    metadata: Annotated[ObjectMeta, F(1, "Standard object's metadata.")] = always(ObjectMeta)
