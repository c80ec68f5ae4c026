"""StatefulSet as a type; its rules are in `statefulset.py`."""

from typing import Annotated

from appliance.api.kinds.core.persistentvolumeclaim import PersistentVolumeClaim
from appliance.api.kinds.core.pod.spec import PodTemplateSpec
from appliance.api.meta import KubeObject, LabelSelector
from appliance.api.schema import F, Int32, Int64, IntOrString, Message, Time, always, nullable


class StatefulSetOrdinals(Message):
    """How pods are numbered."""

    start: Annotated[Int32, F(1, "Number of the first pod.")] = always(int)


class StatefulSetPersistentVolumeClaimRetentionPolicy(Message):
    """What becomes of the claims of a stateful set."""

    whenDeleted: Annotated[str, F(1, "Retain or Delete, when the set is deleted.")] = ""
    whenScaled: Annotated[str, F(2, "Retain or Delete, when the pod is scaled away.")] = ""


class RollingUpdateStatefulSetStrategy(Message):
    """Which pods are updated, and how many at a time."""

    partition: Annotated[
        Int32 | None, F(1, "Only pods with this number or a higher one are updated.")
    ] = None
    maxUnavailable: Annotated[
        IntOrString | None, F(2, "How many may be missing, as a number or a percentage.")
    ] = None


class StatefulSetUpdateStrategy(Message):
    """How pods are replaced when the template changes."""

    type: Annotated[
        str, F(1, "RollingUpdate, or OnDelete: only where somebody deletes the old pod.")
    ] = ""
    rollingUpdate: Annotated[
        RollingUpdateStatefulSetStrategy | None, F(2, "Numbers for RollingUpdate.")
    ] = None


class StatefulSetSpec(Message):
    """What is wanted of a stateful set."""

    replicas: Annotated[Int32 | None, F(1, "How many pods; 1 unless said.")] = None
    selector: Annotated[
        LabelSelector | None,
        F(2, "Labels of its pods; must match the template, cannot change.", required=True),
    ] = nullable()
    template: Annotated[PodTemplateSpec, F(3, "What each pod is made from.", required=True)] = (
        always(PodTemplateSpec)
    )
    volumeClaimTemplates: Annotated[
        list[PersistentVolumeClaim],
        F(4, "Claims that each pod gets one of, by name of the template.", list_type="atomic"),
    ] = []
    serviceName: Annotated[str, F(5, "Service that gives the pods their names in DNS.")] = always(
        str
    )
    podManagementPolicy: Annotated[str, F(6, "OrderedReady, one after the other, or Parallel.")] = (
        ""
    )
    updateStrategy: Annotated[
        StatefulSetUpdateStrategy, F(7, "How pods are replaced when the template changes.")
    ] = always(StatefulSetUpdateStrategy)
    revisionHistoryLimit: Annotated[
        Int32 | None, F(8, "How many old templates are kept to go back to; 10 unless said.")
    ] = None
    minReadySeconds: Annotated[
        Int32, F(9, "How long a new pod must be ready to count as available.")
    ] = 0
    persistentVolumeClaimRetentionPolicy: Annotated[
        StatefulSetPersistentVolumeClaimRetentionPolicy | None, F(10, "What becomes of the claims.")
    ] = None
    ordinals: Annotated[StatefulSetOrdinals | None, F(11, "How the pods are numbered.")] = None


class StatefulSetCondition(Message):
    """One aspect of how the object is."""

    type: Annotated[str, F(1, "Which aspect, as one CamelCase word.", required=True)] = always(str)
    status: Annotated[str, F(2, "True, False or Unknown.", required=True)] = always(str)
    lastTransitionTime: Annotated[Time | None, F(3, "When the status last changed.")] = nullable()
    reason: Annotated[str, F(4, "Why, as one CamelCase word.")] = ""
    message: Annotated[str, F(5, "Why, for people.")] = ""


class StatefulSetStatus(Message):
    """How far a stateful set is."""

    observedGeneration: Annotated[Int64, F(1, "Generation of the spec that this is about.")] = 0
    replicas: Annotated[Int32, F(2, "Pods that it made.", required=True)] = always(int)
    readyReplicas: Annotated[Int32, F(3, "Of these, pods that are ready.")] = 0
    currentReplicas: Annotated[Int32, F(4, "Of these, pods of currentRevision.")] = 0
    updatedReplicas: Annotated[Int32, F(5, "Of these, pods of updateRevision.")] = 0
    currentRevision: Annotated[str, F(6, "Name of the revision that pods are coming from.")] = ""
    updateRevision: Annotated[str, F(7, "Name of the revision that pods are going to.")] = ""
    collisionCount: Annotated[
        Int32 | None, F(9, "How often a name made from a hash was taken already.")
    ] = None
    conditions: Annotated[
        list[StatefulSetCondition],
        F(
            10,
            "How it is, aspect by aspect.",
            merge=True,
            merge_key="type",
            list_type="map",
            list_keys=("type",),
        ),
    ] = []
    availableReplicas: Annotated[Int32, F(11, "Pods that were ready for minReadySeconds.")] = (
        always(int)
    )


class StatefulSet(KubeObject):
    """Runs numbered pods that keep their names and their storage."""

    spec: Annotated[StatefulSetSpec, F(2, "What is wanted.")] = always(StatefulSetSpec)
    status: Annotated[StatefulSetStatus, F(3, "What was seen last.")] = always(StatefulSetStatus)
