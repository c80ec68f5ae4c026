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
    nullable,
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


class LabelSelectorRequirement(Message):
    """One test of a label selector."""

    key: Annotated[str, F(1, "Label that is tested.", required=True)] = always(str)
    operator: Annotated[str, F(2, "How: In, NotIn, Exists or DoesNotExist.", required=True)] = (
        always(str)
    )
    values: Annotated[
        list[str], F(3, "Values for In and NotIn; empty for the others.", list_type="atomic")
    ] = []


class LabelSelector(Message):
    """Selects objects by labels; all parts must hold. Empty selects everything, null nothing."""

    matchLabels: Annotated[
        dict[str, str], F(1, "Labels that must be there with just these values.")
    ] = {}
    matchExpressions: Annotated[
        list[LabelSelectorRequirement],
        F(2, "Further tests that must all hold.", list_type="atomic"),
    ] = []


class Condition(Message):
    """One aspect of an object's state."""

    type: Annotated[str, F(1, "Which aspect, in CamelCase.", required=True)] = always(str)
    status: Annotated[str, F(2, "True, False or Unknown.", required=True)] = always(str)
    observedGeneration: Annotated[Int64, F(3, "Generation that this was seen at.")] = 0
    lastTransitionTime: Annotated[
        Time | None, F(4, "When the status last changed.", required=True)
    ] = nullable()
    reason: Annotated[str, F(5, "Why, as one CamelCase word.", required=True)] = always(str)
    message: Annotated[str, F(6, "Why, for people.", required=True)] = always(str)


class Preconditions(Message):
    """What must hold for a delete to go ahead."""

    uid: Annotated[str | None, F(1, "UID that the object must have.")] = None
    resourceVersion: Annotated[str | None, F(2, "Revision that the object must have.")] = None


class DeleteOptions(Message):
    """How to delete, as sent in a DELETE body."""

    kind: Annotated[str, F(0, "Kind of this object.")] = ""
    apiVersion: Annotated[str, F(0, "Version of the schema of this object.")] = ""
    gracePeriodSeconds: Annotated[
        Int64 | None, F(1, "Seconds the object gets to stop; 0 is at once.")
    ] = None
    preconditions: Annotated[Preconditions | None, F(2, "What must hold, else 409 Conflict.")] = (
        None
    )
    orphanDependents: Annotated[
        bool | None, F(3, "Old form of propagationPolicy; do not use both.")
    ] = None
    propagationPolicy: Annotated[
        str | None, F(4, "What happens to dependents: Orphan, Background or Foreground.")
    ] = None
    dryRun: Annotated[
        list[str], F(5, "All: go through the motions but store nothing.", list_type="atomic")
    ] = []
    ignoreStoreReadErrorWithClusterBreakingPotential: Annotated[
        bool | None, F(6, "Delete even if the stored bytes cannot be read.")
    ] = None


class KubeObject(Message):
    """Base of every kind that can be stored."""

    kind: Annotated[str, F(0, "Kind of this object.")] = ""
    apiVersion: Annotated[str, F(0, "Version of the schema of this object.")] = ""
    metadata: Annotated[ObjectMeta, F(1, "Standard object's metadata.")] = always(ObjectMeta)
